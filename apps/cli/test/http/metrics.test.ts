import { expect, test } from 'vitest';
import type { DrillRecord } from '@sluice/core';
import { scrape, serve, somePlace, STATUS } from '../support/metrics-scene.ts';

const DB = 'db="/data/app.db"';
const S3 = `{${DB},destination="s3-eu"}`;
const DISK = `{${DB},destination="disk"}`;

function linesOf(text: string): string[] {
  return text.split('\n');
}

test('lag, bytes, last success and TXID are exported by database and destination', async () => {
  const { get } = await serve();
  const response = await get('/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const lines = linesOf(await response.text());
  expect(lines).toEqual(
    expect.arrayContaining([
      `sluice_replica_lag_seconds${S3} 0`,
      `sluice_replica_lag_seconds${DISK} 12.5`,
      `sluice_replica_lag_bytes${DISK} 1077`,
      `sluice_replica_sent_bytes_total${S3} 4096`,
      `sluice_replica_last_success_timestamp_seconds${S3} 1769860800.5`,
      `sluice_replica_txid${S3} 42`,
      `sluice_replica_files${S3} 12`,
      `sluice_replica_bytes${S3} 99000`,
      `sluice_replica_deleted_files_total${S3} 5`,
      `sluice_replica_deleted_bytes_total${S3} 500`,
      `sluice_replica_delete_refused${S3} 0`,
      `sluice_replica_pending_bytes${DISK} 77`,
      `sluice_replica_failing${DISK} 1`,
      `sluice_replica_errors_total{${DB},destination="disk",code="REPLICA_UNAVAILABLE"} 4`,
      '# TYPE sluice_replica_sent_bytes_total counter',
    ]),
  );
  // Unknown values are missing, not 0.
  expect(lines.filter((line) => line.startsWith(`sluice_replica_txid${DISK}`))).toEqual([]);
});

test('health, state, commits, staging and checkpoints are exported by database', () => {
  expect(linesOf(scrape())).toEqual(
    expect.arrayContaining([
      `sluice_db_healthy{${DB}} 1`,
      `sluice_db_state{${DB},state="following"} 1`,
      `sluice_db_state{${DB},state="failing"} 0`,
      `sluice_db_commits_total{${DB}} 7`,
      `sluice_db_last_commit_timestamp_seconds{${DB}} 1769860799.25`,
      `sluice_db_wal_bytes{${DB}} 4152`,
      `sluice_db_wal_read_bytes_total{${DB}} 8240`,
      `sluice_db_unstaged_commits{${DB}} 2`,
      `sluice_db_unstaged_bytes{${DB}} 1000`,
      `sluice_db_staging_bytes{${DB}} 10`,
      `sluice_db_staging_limit_bytes{${DB}} 1073741824`,
      `sluice_db_checkpoints_total{${DB}} 3`,
      `sluice_db_checkpoint_seconds_total{${DB}} 0.125`,
      `sluice_db_errors_total{${DB},code="STAGING_FULL"} 2`,
    ]),
  );
  const failing = scrape({ databases: [{ ...STATUS, state: 'failing', healthy: false }] });
  expect(linesOf(failing)).toEqual(
    expect.arrayContaining([
      `sluice_db_healthy{${DB}} 0`,
      `sluice_db_state{${DB},state="following"} 0`,
      `sluice_db_state{${DB},state="failing"} 1`,
    ]),
  );
});

test('merged files are exported by database and level', () => {
  const level = `{${DB},level="1"}`;
  expect(linesOf(scrape())).toEqual(
    expect.arrayContaining([
      `sluice_level_txid${level} 41`,
      `sluice_level_merges_total${level} 3`,
      `sluice_level_merged_bytes_total${level} 300`,
      `sluice_level_failures_total${level} 1`,
    ]),
  );
});

test('calls of the backend are exported by operation and result', () => {
  const placeOf = (_: string, name: string) => (name === 's3-eu' ? somePlace() : undefined);
  const s3 = `${DB},destination="s3-eu"`;
  expect(
    linesOf(scrape({ placeOf })).filter((line) => line.startsWith('sluice_replica_operation')),
  ).toEqual([
    `sluice_replica_operations_total{${s3},operation="list",result="ok"} 1`,
    `sluice_replica_operations_total{${s3},operation="put",result="ok"} 2`,
    `sluice_replica_operations_total{${s3},operation="put",result="error"} 1`,
    `sluice_replica_operation_bytes_total{${s3},operation="get"} 20`,
    `sluice_replica_operation_bytes_total{${s3},operation="put"} 300`,
  ]);
});

test('the cost of a month is forecast from the files there and from the calls, after an hour', () => {
  const forecast = (uptimeHours: number): number | undefined => {
    const startedAt = Date.parse('2026-02-01T00:00:00.000Z') / 1_000;
    const now = (startedAt + uptimeHours * 3_600) * 1_000;
    const text = scrape({ placeOf: somePlace, now, process: { version: '1', startedAt } });
    const [, value] =
      /^sluice_replica_cost_forecast\{.*"s3-eu",currency="USD"\} (.*)$/m.exec(text) ?? [];
    return value === undefined ? undefined : Number(value);
  };
  expect(forecast(0.9)).toBeUndefined();
  // 99,000 bytes there; 3 puts and a listing at 0.005 USD for each 1,000; 20 bytes read.
  const { storagePerGB, egressPerGB, gbBytes, putPer1000 } = somePlace().prices;
  const hourly = (4 * putPer1000) / 1_000 + (20 / gbBytes) * egressPerGB;
  expect(forecast(1)).toBeCloseTo((99_000 / gbBytes) * storagePerGB + hourly * 730, 9);
  expect(forecast(730)).toBeCloseTo((99_000 / gbBytes) * storagePerGB + hourly, 9);
});

test('what became of a database that was missing at the start is exported', () => {
  const restores = new Map([
    ['/a', { kind: 'restored', seconds: 1.5 }],
    ['/b', { kind: 'empty' }],
  ] as const);
  const lines = linesOf(scrape({ restores })).filter((line) => line.startsWith('sluice_restore'));
  expect(lines).toEqual([
    'sluice_restore_result{db="/a",result="restored"} 1',
    'sluice_restore_result{db="/a",result="empty"} 0',
    'sluice_restore_result{db="/b",result="restored"} 0',
    'sluice_restore_result{db="/b",result="empty"} 1',
    'sluice_restore_seconds{db="/a"} 1.5',
  ]);
});

test('many databases, one with a very long path, have every line whole', () => {
  const paths = Array.from(
    { length: 3_000 },
    (_, index) => `/data/${'x'.repeat(index % 90)}é${index}.db`,
  );
  paths.push(`/${'y'.repeat(2 * 1024 ** 2)}.db`);
  const text = scrape({ databases: paths.map((path) => ({ ...STATUS, path })) });
  const lines = new Set(linesOf(text));
  for (const path of paths) {
    expect(lines.has(`sluice_db_healthy{db="${path}"} 1`)).toBe(true);
    expect(lines.has(`sluice_replica_lag_seconds{db="${path}",destination="disk"} 12.5`)).toBe(
      true,
    );
    expect(lines.has(`sluice_db_errors_total{db="${path}",code="STAGING_FULL"} 2`)).toBe(true);
  }
  expect(
    [...lines].filter((line) => !/^$|^# (HELP|TYPE) |^\w+(\{.*\})? [\d.e+-]+$/.test(line)),
  ).toEqual([]);
});

test('a label value may have quotes, backslashes, line breaks and any letter', () => {
  const databases = [{ ...STATUS, path: '/a "b"\\c\nd é' }];
  expect(scrape({ databases })).toContain('sluice_db_healthy{db="/a \\"b\\"\\\\c\\nd é"} 1\n');
});

test('the last drill of each destination is exported', () => {
  const record = { target: 't', at: '2026-02-01T12:00:00.000Z', problems: [] };
  const lastSuccessAt = '2026-01-31T12:00:00.500Z';
  const figures = { restoreMs: 1_500, lossWindowMs: 0 };
  const drills = new Map([
    ['s3-eu', { ...record, name: 's3-eu', result: 'failed', lastSuccessAt, ...figures }],
    ['disk', { ...record, name: 'disk', result: 'inconclusive', kind: 'warm' }],
  ] as const);
  const text = scrape({ results: new Map([['/data/app.db', { drills, scrubs: new Map() }]]) });
  const lines = linesOf(text).filter((line) => line.startsWith('sluice_drill'));
  const [s3, disk] = [S3, DISK].map((labels) => labels.slice(1, -1));
  expect(new Set(lines)).toEqual(
    new Set([
      `sluice_drill_last_success_timestamp_seconds{${s3}} 1769860800.5`,
      `sluice_drill_last_warm{${s3}} 0`,
      `sluice_drill_last_warm{${disk}} 1`,
      `sluice_drill_last_timestamp_seconds{${s3}} 1769947200`,
      `sluice_drill_last_timestamp_seconds{${disk}} 1769947200`,
      `sluice_drill_age_seconds{${s3}} 60`,
      `sluice_drill_age_seconds{${disk}} 60`,
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

test('the age of a drill is not negative, and figures that the last one lacks are absent', () => {
  const drill: DrillRecord = {
    ...{ name: 'one', target: 't', at: '2026-02-01T12:00:00.000Z', problems: [] },
    result: 'inconclusive',
  };
  const results = new Map([['db', { drills: new Map([['one', drill]]), scrubs: new Map() }]]);
  const text = scrape({ results, now: Date.parse(drill.at) - 5_000 });
  expect(text).toContain('sluice_drill_age_seconds{db="db",destination="one"} 0\n');
  expect(text).not.toContain('sluice_drill_restore_seconds{');
  expect(text).not.toContain('sluice_drill_loss_window_seconds{');
});

test('the metrics of the scrub count what is damaged and not superseded', () => {
  const damaged = [
    { object: 'a', code: 'LTX_CHECKSUM', at: '' },
    { object: 'b', code: 'LTX_CHECKSUM', at: '', superseded: true },
  ];
  const scrub = { name: 'disk', target: 't', startedAt: '', objects: 9, bytes: 90, mended: 1 };
  const scrubs = new Map([['disk', { ...scrub, damaged, cursor: undefined }]]);
  const results = new Map([['/data/app.db', { drills: new Map(), scrubs: scrubs as never }]]);
  expect(linesOf(scrape({ results })).filter((line) => line.startsWith('sluice_scrub'))).toEqual([
    `sluice_scrub_objects${DISK} 9`,
    `sluice_scrub_bytes${DISK} 90`,
    `sluice_scrub_damaged_objects${DISK} 1`,
    `sluice_scrub_repaired_objects${DISK} 1`,
  ]);
});

test('the metrics of the last repair name its result, and what was copied to each destination', () => {
  const counts = { lacking: 2, damaged: 1, copiedFiles: 3, copiedBytes: 99 };
  const repair = {
    at: '2026-02-01T12:00:00.000Z',
    result: 'open',
    destinations: [{ name: 'disk', target: 't', ...counts }],
  } as const;
  const results = new Map([['/data/app.db', { drills: new Map(), scrubs: new Map(), repair }]]);
  expect(linesOf(scrape({ results })).filter((line) => line.startsWith('sluice_repair'))).toEqual([
    `sluice_repair_last_timestamp_seconds${DISK} 1769947200`,
    `sluice_repair_last_result{${DB},destination="disk",result="whole"} 0`,
    `sluice_repair_last_result{${DB},destination="disk",result="mended"} 0`,
    `sluice_repair_last_result{${DB},destination="disk",result="open"} 1`,
    `sluice_repair_last_copied_files${DISK} 3`,
    `sluice_repair_last_copied_bytes${DISK} 99`,
  ]);
  expect(scrape()).not.toContain('sluice_repair_last_result{');
});

test("Litestream's names are there if they are wanted, with the sums of each type of destination", () => {
  expect(scrape()).not.toContain('litestream_');
  const text = scrape({ placeOf: somePlace, names: 'also those of Litestream' });
  expect(linesOf(text)).toEqual(
    expect.arrayContaining([
      `litestream_wal_size{${DB}} 4152`,
      `litestream_total_wal_bytes{${DB}} 8240`,
      `litestream_txid{${DB}} 42`,
      `litestream_sync_error_count{${DB}} 2`,
      `litestream_disk_full{${DB}} 0`,
      `litestream_checkpoint_count{${DB},mode="PASSIVE"} 3`,
      'litestream_replica_operation_total{replica_type="s3",operation="PUT"} 3',
      'litestream_replica_operation_errors_total{replica_type="s3",operation="PUT"} 1',
      'litestream_replica_operation_bytes{replica_type="file",operation="PUT"} 300',
    ]),
  );
});
