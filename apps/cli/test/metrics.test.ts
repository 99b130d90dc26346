import { expect, test, onTestFinished } from 'vitest';
import type { DatabaseStatus, DrillRecord } from '@sluice/core';
import { createLogger } from '../src/log.ts';
import { parseAddress } from '../src/address.ts';
import { createMetrics, type LastDrills } from '../src/metrics-registry.ts';
import { serveMetrics } from '../src/metrics.ts';
import { Secrets } from '../src/secrets.ts';
import { Capture } from './support/shell.ts';

const STATUS: DatabaseStatus = {
  path: '/data/app.db',
  state: 'following',
  at: '2026-01-31T12:00:00.000Z',
  pid: 1,
  txid: '000000000000002a',
  pageSize: 4096,
  stagedFiles: 1,
  stagedBytes: 10,
  commitsSeen: 7,
  walBytes: 4152,
  healthy: true,
  problems: [],
  writer: { pid: 1, host: 'h', boot: '', monotonicMs: 0, heartbeatMs: 10_000 },
  marks: undefined,
  facts: {
    absence: undefined,
    failure: undefined,
    threadSilentMs: 0,
    lookAgeMs: 0,
    stagedAgeMs: 0,
    imageStalledMs: 0,
    recordStalledMs: 0,
    stateFileAgeMs: 0,
    freshMs: 3_000,
    destinations: [],
  },
  compaction: [
    {
      level: 1,
      txid: '0000000000000029',
      stagedFiles: 1,
      stagedBytes: 10,
      merges: 3,
      mergedBytes: 300,
      failures: 1,
    },
  ],
  error: undefined,
  destinations: [
    {
      name: 's3-eu',
      type: 's3',
      target: 's3://b/p',
      state: 'streaming',
      txid: '000000000000002a',
      lagSeconds: 0,
      pendingFiles: 0,
      pendingBytes: 0,
      bytesSent: 4096,
      files: 12,
      bytes: 99_000,
      retention: { seconds: 259_200, deletedFiles: 5, deletedBytes: 500, refusal: undefined },
      lastSuccessAt: '2026-01-31T12:00:00.500Z',
      lastError: undefined,
    },
    {
      name: 'disk',
      type: 'file',
      target: 'file:///b',
      state: 'failing',
      txid: undefined,
      lagSeconds: 12.5,
      pendingFiles: 3,
      pendingBytes: 77,
      bytesSent: 0,
      lastSuccessAt: undefined,
      lastError: undefined,
    },
  ],
};

async function serve(
  addr: string,
  status: () => readonly DatabaseStatus[] = () => [STATUS],
  drills: readonly LastDrills[] = [],
) {
  const stream = new Capture();
  const logger = createLogger({ level: 'info', type: 'text', stream, secrets: new Secrets() });
  const server = await serveMetrics(addr, status, logger, () => Promise.resolve(drills));
  onTestFinished(() => server.close());
  return {
    server,
    stream,
    get: (path: string, init?: RequestInit) => fetch(`http://${server.address}${path}`, init),
  };
}

test('lag, bytes, last success and TXID are exported by database and destination', async () => {
  const { get } = await serve(':0');
  const response = await get('/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain');
  const lines = (await response.text()).split('\n');
  const s3 = '{db="/data/app.db",destination="s3-eu"}';
  const disk = '{db="/data/app.db",destination="disk"}';
  expect(lines).toEqual(
    expect.arrayContaining([
      `sluice_replica_lag_seconds${s3} 0`,
      `sluice_replica_lag_seconds${disk} 12.5`,
      `sluice_replica_sent_bytes_total${s3} 4096`,
      `sluice_replica_last_success_timestamp_seconds${s3} 1769860800.5`,
      `sluice_replica_txid${s3} 42`,
      `sluice_replica_files${s3} 12`,
      `sluice_replica_bytes${s3} 99000`,
      `sluice_replica_deleted_files_total${s3} 5`,
      `sluice_replica_pending_bytes${disk} 77`,
      `sluice_replica_failing${disk} 1`,
      '# TYPE sluice_replica_sent_bytes_total counter',
    ]),
  );
  // Unknown values are missing, not 0.
  expect(lines.filter((line) => line.startsWith(`sluice_replica_txid${disk}`))).toEqual([]);
});

test('merged files are exported by database and level', async () => {
  const { get } = await serve(':0');
  await get('/metrics').then((response) => response.text()); // a scrape does not add to the counters
  const lines = (await (await get('/metrics')).text()).split('\n');
  const level = '{db="/data/app.db",level="1"}';
  expect(lines).toEqual(
    expect.arrayContaining([
      `sluice_level_txid${level} 41`,
      `sluice_level_merges_total${level} 3`,
      `sluice_level_merged_bytes_total${level} 300`,
      `sluice_level_failures_total${level} 1`,
    ]),
  );
});

test('a scrape does not add to the counters', async () => {
  const { get } = await serve(':0');
  await get('/metrics').then((response) => response.text());
  expect(await (await get('/metrics?x=1')).text()).toContain('destination="s3-eu"} 4096');
});

test('/healthz is 200 while every database is healthy, otherwise 503 with the problems', async () => {
  let status = STATUS;
  const { get } = await serve(':0', () => [STATUS, status]);
  const well = await get('/healthz');
  expect([well.status, await well.json()]).toMatchObject([200, { healthy: true }]);
  const problem = { stage: 'look', message: 'its WAL was last read completely 61 s ago' } as const;
  status = { ...STATUS, healthy: false, problems: [problem] };
  const ill = await get('/healthz');
  const databases = [{ problems: [] }, { problems: [problem] }];
  expect([ill.status, await ill.json()]).toMatchObject([503, { healthy: false, databases }]);
});

test('a failed drill makes /healthz 503 and its database unhealthy', async () => {
  const at = '2026-02-01T12:00:00.000Z';
  const other = { ...STATUS, path: '/data/other.db' };
  const record = { name: 'disk', target: 't', at, result: 'failed', problems: ['bad'] } as const;
  const drills = [{ db: '/data/app.db', records: new Map([['disk', record]]) }];
  const { get } = await serve(':0', () => [STATUS, other], drills);
  const ill = await get('/healthz');
  const problems = [{ stage: 'drill', destination: 'disk' }];
  const databases = [
    { healthy: false, problems },
    { healthy: true, problems: [] },
  ];
  expect([ill.status, await ill.json()]).toMatchObject([503, { healthy: false, databases }]);
  const text = await (await get('/metrics')).text();
  expect(text).toContain('sluice_db_healthy{db="/data/app.db"} 0');
  expect(text).toContain('sluice_db_healthy{db="/data/other.db"} 1');
});

test('health, state, commits and WAL size are exported by database', async () => {
  let status = STATUS;
  const { get } = await serve(':0', () => [status]);
  const lines = async (): Promise<string[]> => (await (await get('/metrics')).text()).split('\n');
  const db = 'db="/data/app.db"';
  expect(await lines()).toEqual(
    expect.arrayContaining([
      `sluice_db_healthy{${db}} 1`,
      `sluice_db_state{${db},state="following"} 1`,
      `sluice_db_state{${db},state="failing"} 0`,
      `sluice_db_commits_total{${db}} 7`,
      `sluice_db_wal_bytes{${db}} 4152`,
    ]),
  );
  status = { ...STATUS, state: 'failing', healthy: false };
  expect(await lines()).toEqual(
    expect.arrayContaining([
      `sluice_db_healthy{${db}} 0`,
      `sluice_db_state{${db},state="following"} 0`,
      `sluice_db_state{${db},state="failing"} 1`,
      `sluice_db_commits_total{${db}} 7`,
    ]),
  );
});

test('the last drill of each destination is exported', async () => {
  const record = { target: 't', at: '2026-02-01T12:00:00.000Z', problems: [] };
  const lastSuccessAt = '2026-01-31T12:00:00.500Z';
  const figures = { restoreMs: 1_500, lossWindowMs: 0 };
  const records = new Map([
    ['s3-eu', { ...record, name: 's3-eu', result: 'failed', lastSuccessAt, ...figures }],
    ['disk', { ...record, name: 'disk', result: 'inconclusive', kind: 'warm' }],
  ] as const);
  const { get } = await serve(':0', () => [STATUS], [{ db: '/data/app.db', records }]);
  const text = await (await get('/metrics')).text();
  const all = text.split('\n').filter((line) => line.startsWith('sluice_drill'));
  const lines = all.filter((line) => !line.startsWith('sluice_drill_age'));
  const [s3, disk] = [
    'db="/data/app.db",destination="s3-eu"',
    'db="/data/app.db",destination="disk"',
  ];
  expect(new Set(lines)).toEqual(
    new Set([
      `sluice_drill_last_success_timestamp_seconds{${s3}} 1769860800.5`,
      `sluice_drill_last_warm{${s3}} 0`,
      `sluice_drill_last_warm{${disk}} 1`,
      `sluice_drill_last_timestamp_seconds{${s3}} 1769947200`,
      `sluice_drill_last_timestamp_seconds{${disk}} 1769947200`,
      `sluice_drill_restore_seconds{${s3}} 1.5`,
      `sluice_drill_loss_window_seconds{${s3}} 0`,
      `sluice_drill_last_result{${s3},result="ok"} 0`,
      `sluice_drill_last_result{${s3},result="failed"} 1`,
      `sluice_drill_last_result{${s3},result="inconclusive"} 0`,
      `sluice_drill_last_result{${disk},result="ok"} 0`,
      `sluice_drill_last_result{${disk},result="failed"} 0`,
      `sluice_drill_last_result{${disk},result="inconclusive"} 1`,
    ]),
  );
});

test('the age of a drill grows, and figures that the last one lacks are not those of an earlier one', async () => {
  const metrics = createMetrics();
  const at = '2026-02-01T12:00:00.000Z';
  const record = { name: 'one', target: 't', at, problems: [], restoreMs: 1_500, lossWindowMs: 0 };
  const set = (more: Partial<DrillRecord>, seconds: number): void => {
    const records = new Map([['one', { ...record, result: 'ok' as const, ...more }]]);
    metrics.set([], [{ db: 'db', records }], new Date(Date.parse(at) + seconds * 1_000));
  };
  const one = '{db="db",destination="one"}';
  set({}, 60);
  const first = await metrics.registry.metrics();
  expect(first).toContain(`sluice_drill_age_seconds${one} 60`);
  expect(first).toContain(`sluice_drill_restore_seconds${one} 1.5`);
  set({ result: 'inconclusive', restoreMs: undefined, lossWindowMs: undefined }, -5);
  const second = await metrics.registry.metrics();
  expect(second).toContain(`sluice_drill_age_seconds${one} 0`);
  expect(second).not.toContain(`sluice_drill_restore_seconds${one}`);
  expect(second).not.toContain(`sluice_drill_loss_window_seconds${one}`);
});

test('other paths are 404 and other methods 405', async () => {
  const { get } = await serve(':0');
  expect((await get('/')).status).toBe(404);
  expect((await get('/debug/pprof/')).status).toBe(404);
  expect((await get('/metrics', { method: 'POST' })).status).toBe(405);
  expect(await (await get('/metrics', { method: 'HEAD' })).text()).toBe('');
});

test('":port" listens on this machine only, and logs that', async () => {
  const { server, stream } = await serve(':0');
  expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(stream.text).toContain('reachable from this machine only');
  expect(stream.text).not.toContain('WARN');
});

test('an explicit host is used, with a warning if it is reachable from other machines', async () => {
  const { server, stream } = await serve('0.0.0.0:0');
  expect(server.address).toMatch(/^0\.0\.0\.0:/);
  expect(stream.text).toMatch(/level=WARN msg="anyone who can connect to/);
});

test('an address in use is an error', async () => {
  const { server } = await serve(':0');
  await expect(serve(server.address)).rejects.toThrow(
    /addr .*EADDRINUSE.*; choose another host or port/,
  );
});

test.each([
  [':9090', '127.0.0.1', 9090],
  ['localhost:1', 'localhost', 1],
  ['[::1]:80', '::1', 80],
])('%s', (addr, host, port) => {
  expect(parseAddress(addr)).toEqual({ host, port });
});

test.each(['9090', 'host', ':', ':99999', ':x', 'a:b:1', ''])(
  'the address "%s" is invalid',
  (addr) => {
    expect(parseAddress(addr)).toBeUndefined();
  },
);
