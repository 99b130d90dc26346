/** `sluice status`, with and without a running replicator. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../src/exit-codes.ts';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { closedEndpoint, startSilentServer } from '../support/silent-server.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

interface Row {
  readonly database: string;
  readonly status: string;
  readonly local_txid?: string;
  readonly wal_size: number;
  readonly replicator: string;
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly destinations: readonly {
    readonly name: string;
    readonly state: string;
    readonly txid?: string;
    readonly lag_seconds?: number;
    readonly last_success_at?: string;
    readonly last_error?: string;
  }[];
}

/** The parts of the state file that these tests use. */
interface State {
  readonly destinations: readonly { readonly txid?: string }[];
}

function scene(replicas = ''): { config: string; database: string; backup: string } {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  const config = writeFile(
    folder,
    'sluice.yml',
    `shutdown-sync-timeout: 5s
dbs: [{ path: ${database}, replicas: [{ path: ${backup} }${replicas}] }]
`,
  );
  return { config, database, backup };
}

async function statusOf(config: string, ...words: string[]): Promise<{ code: number; row: Row }> {
  const { code, stdout } = await sluice(['status', '-config', config, '-json', ...words]);
  return { code, row: (JSON.parse(stdout) as [Row])[0] };
}

test('with a running replicator, it shows the process, TXID and last success', async () => {
  const { config, database } = scene();
  addRows(database, 5);
  const replicator = new CLIProcess(['replicate', '-config', config]);
  await replicator.says(/taking a full snapshot/);
  const lag = async (): Promise<unknown> => {
    const { code, row } = await statusOf(config);
    return [code, row.destinations[0]?.lag_seconds];
  };
  await expect.poll(lag, { timeout: 60_000 }).toEqual([0, 0]);
  const { row } = await statusOf(config, database);
  expect(row).toEqual({
    database,
    status: 'ok',
    local_txid: '0000000000000001',
    wal_size: expect.any(Number) as number,
    replicator: `replicator ${replicator.pid} is running`,
    commits_seen: expect.any(Number) as number,
    healthy: true,
    problems: [],
    destinations: [
      {
        name: 'file',
        type: 'file',
        target: expect.stringMatching(/^file:\/\//) as string,
        state: 'ok',
        txid: '0000000000000001',
        lag_seconds: 0,
        size: expect.any(Number) as number,
        files: 2,
        deleted_files: 0,
        retention_seconds: 72 * 3_600,
        fencing: 'honored',
        last_success_at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      },
    ],
  });
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
});

test('without a replicator, later changes count as behind', async () => {
  const { config, database } = scene();
  addRows(database, 5);
  await runProcess(['replicate', '-once', '-config', config]);
  expect(await statusOf(config)).toMatchObject({
    code: 0,
    row: { replicator: 'no replicator is running' },
  });
  const later = new Date(Date.now() + 60_000);
  addRows(database, 1);
  fs.utimesSync(database, later, later);
  const state = path.join(path.dirname(database), '.app.db-sluice', 'status.json');
  const text = fs.readFileSync(state, 'utf8');
  const long = (_: string, at: string): string => `"monotonicMs": ${Number(at) - 100_000}`;
  fs.writeFileSync(state, text.replace(/"monotonicMs": ([\d.-]+)/, long));
  const { code, row } = await statusOf(config);
  expect(code).toBe(3);
  expect(row.destinations[0]?.state).toBe('behind');
  expect(row.destinations[0]?.lag_seconds).toBeGreaterThan(60);
});

test('destinations that are behind, empty or unreachable have different states', async () => {
  const endpoint = await closedEndpoint();
  const { config, database, backup } = scene(
    `, { path: ${temporaryFolder()}, name: empty }, { path: /nowhere/at/all, name: gone }, { type: s3, bucket: b, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }`,
  );
  addRows(database, 5);
  await runProcess(['replicate', '-once', database, `file://${backup}`]);
  const { code, row } = await statusOf(config);
  expect(code).toBe(3);
  expect(row.destinations.map(({ name, state }) => [name, state])).toEqual([
    ['file', 'ok'],
    ['empty', 'empty'],
    ['gone', 'REPLICA_DESTINATION_NOT_FOUND'],
    ['s3', 'REPLICA_UNAVAILABLE'],
  ]);
  expect(row.destinations[3]?.last_error).toContain('ECONNREFUSED');
});

test('a destination with a missing file is damaged, and the file is named', async () => {
  const { config, database, backup } = scene();
  for (let run = 0; run < 3; run++) {
    addRows(database, 5);
    await runProcess(['replicate', '-once', '-config', config]);
  }
  expect(await statusOf(config)).toMatchObject({ code: 0 });
  const level0 = path.join(backup, 'ltx', '0');
  const [first = '', second = ''] = fs.readdirSync(level0).sort();
  fs.rmSync(path.join(level0, second));
  fs.rmSync(path.join(backup, 'ltx', '9'), { recursive: true });
  const { code, row } = await statusOf(config);
  expect(code).toBe(3);
  expect(row.destinations[0]).toMatchObject({
    state: 'damaged',
    last_error: `TXID 0000000000000002 is missing after ${first.slice(0, 16)}: the newest state cannot be restored from here`,
  });
});

test('a missing database and one that was never replicated have different states', async () => {
  const { config, database } = scene();
  expect((await statusOf(config)).row.status).toBe('no database');
  addRows(database, 1);
  expect((await statusOf(config)).row.status).toBe('not initialized');
});

test('text output is a table with a line for each destination', async () => {
  const { config, database } = scene();
  addRows(database, 5);
  await runProcess(['replicate', '-once', '-config', config]);
  const { stdout } = await sluice(['status', '-config', config]);
  const [head, columns, line] = stdout.split('\n');
  expect(head).toMatch(
    new RegExp(
      `^${database}: ok, TXID 0000000000000001, WAL \\d+ bytes, no replicator is running$`,
    ),
  );
  expect(columns).toMatch(/^ {2}destination +state +lag +txid +fencing +last success +last error$/);
  expect(line).toMatch(/^ {2}file +ok +0\.0s +0000000000000001 +honored +\d{4}-/);
});

test('text output says that a database with a failing destination is unhealthy', async () => {
  const { config, database } = scene();
  addRows(database, 1);
  await runProcess(['replicate', '-once', database, `file://${temporaryFolder()}`]);
  const { code, stdout } = await sluice(['status', '-config', config]);
  expect(code).toBe(EXIT_CODES.behind);
  expect(stdout).toContain(`${database}: unhealthy, TXID 0000000000000001`);
});

test('the last success at another place with the same name does not count', async () => {
  const { config, database } = scene();
  addRows(database, 1);
  await runProcess(['replicate', '-once', database, `file://${temporaryFolder()}`]);
  const [destination] = (await statusOf(config)).row.destinations;
  expect(destination).toMatchObject({ name: 'file', state: 'REPLICA_DESTINATION_NOT_FOUND' });
  expect(destination).not.toHaveProperty('last_success_at');
  expect(destination).not.toHaveProperty('fencing');
});

test('text output prints each problem once', async () => {
  const { config, database } = scene();
  const { stdout } = await sluice(['status', '-config', config]);
  expect(stdout).toContain(`${database}: no database, TXID -`);
  expect(stdout.match(/it does not exist/g)).toHaveLength(1);
});

test('an unknown database is refused with the configured ones', async () => {
  const { config, database } = scene();
  const { code, stderr } = await sluice(['status', '-config', config, '/other.db']);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `/other.db is not in ${config}, which has ${database}; name one of them, or add it to the file`,
  );
});

test('a folder with a backup is not taken for a database: the message shows its URL', async () => {
  const { config, backup } = scene();
  fs.mkdirSync(backup);
  const { code, stderr } = await sluice(['history', '-config', config, backup]);
  expect(code).toBe(2);
  expect(stderr).toContain(`for the backup in this folder, write file://${backup}`);
});

test('a destination that does not respond is reported in time, with the others', async () => {
  const { endpoint } = await startSilentServer();
  const silent = `{ name: silent, type: s3, bucket: b, path: p, region: r, endpoint: "${endpoint}", access-key-id: k, secret-access-key: s }`;
  const { config } = scene(`, ${silent}`);
  const began = performance.now();
  const { code, stdout } = await sluice(['status', '-config', config]);
  expect(performance.now() - began).toBeLessThan(25_000);
  expect(stdout).toMatch(/silent +REPLICA_UNAVAILABLE .*no response for 15 s; check the address/);
  expect(code).toBe(3);
});

test.each(['running', 'ended'])(
  'confirmed files that are no longer listed are damage at once (replicator %s)',
  async (when) => {
    const { config, database, backup } = scene();
    const replicator = new CLIProcess(['replicate', '-config', config]);
    const txid = async (): Promise<string> =>
      (await statusOf(config)).row.destinations[0]?.txid ?? '';
    let newest = '';
    for (let commit = 0; commit < 3; commit += 1) {
      addRows(database, 1);
      const before = newest;
      const isNewer = async (): Promise<boolean> => {
        newest = await txid();
        return newest > before;
      };
      await expect.poll(isNewer, { timeout: 60_000 }).toBe(true);
    }
    // One call of addRows may end up in several files.
    const file = path.join(path.dirname(database), '.app.db-sluice', 'status.json');
    const isWritten = async (): Promise<boolean> => {
      newest = await txid();
      const { destinations } = JSON.parse(fs.readFileSync(file, 'utf8')) as State;
      return destinations[0]?.txid === newest;
    };
    await expect.poll(isWritten, { timeout: 60_000 }).toBe(true);
    if (when === 'ended') {
      replicator.kill('SIGTERM');
      await replicator.ended();
    }
    fs.rmSync(path.join(backup, 'ltx', '0', `${newest}-${newest}.ltx`));
    const { code, row } = await statusOf(config);
    expect([code, row.healthy, row.destinations[0]?.state]).toEqual([3, false, 'damaged']);
    const last = (BigInt(`0x${newest}`) - 1n).toString(16).padStart(16, '0');
    expect(row.destinations[0]?.last_error).toContain(
      `ends with TXID ${last}, but TXID ${newest} was confirmed`,
    );
  },
);
