import { expect, test } from 'vitest';
import { goldenBucket } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const RATE = ['-commits-per-hour', '3600', '-bytes-per-commit', '4KiB', '-database-bytes', '1GiB'];

interface Row {
  readonly replica: string;
  readonly workload: { commits_per_hour: number; snapshot_bytes: number; observed_ms?: number };
  readonly settings: Record<string, unknown>;
  readonly requests_per_month: { put: number };
  readonly stored_bytes: number;
  readonly money_per_month: { currency: string; total: number; put: number };
  readonly prices: { provider: string };
}

async function cost(...words: string[]): Promise<Row> {
  const { code, stdout, stderr } = await sluice(['cost', '-json', ...words]);
  expect([code, stderr]).toEqual([0, '']);
  return (JSON.parse(stdout) as [Row])[0];
}

test('a URL and rates are enough, and nothing is sent', async () => {
  const { code, stdout, stderr } = await sluice(['cost', ...RATE, 's3://bucket/app.db']);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(
    'AWS S3 Standard, us-east-1, first 50 TB, list prices of 2025-06-01, not verified',
  );
  expect(stdout).toMatch(/PUT 2,7\d\d,\d\d\d, GET 154, LIST/);
  expect(stdout).toMatch(/cost {7}USD 13\.\d\d a month: storage 0\.\d\d, put 13\.\d\d/);
});

test('rates are observed at the destination', async () => {
  const row = await cost(`file://${goldenBucket()}`);
  expect(row.workload.commits_per_hour).toBeGreaterThan(0);
  expect(row.workload.snapshot_bytes).toBeGreaterThan(0);
  expect(row.workload.observed_ms).toBeGreaterThan(0);
  expect(row.money_per_month.total).toBe(0);
});

test('a destination without a backup needs the rates', async () => {
  const { code, stderr } = await sluice(['cost', `file://${temporaryFolder()}`]);
  expect(code).toBe(2);
  expect(stderr).toContain('give -commits-per-hour, -bytes-per-commit, -database-bytes');
});

test('the intervals of the configuration count, and flags replace them', async () => {
  const folder = temporaryFolder();
  const replica = `url: file://${folder}/backup\n        sync-interval: 10s`;
  const text = `dbs:\n  - path: ${folder}/app.db\n    replicas:\n      - ${replica}\n`;
  const config = writeFile(folder, 'sluice.yml', text);
  const words = ['-config', config, ...RATE, `${folder}/app.db`];
  const configured = await cost(...words);
  expect(configured.settings['sync_interval_ms']).toBe(10_000);
  const flags = ['-sync-interval', '1s', '-levels', '1m,1h', '-retention', '24h'];
  const given = await cost(...flags, ...words);
  expect(given.settings).toMatchObject({
    sync_interval_ms: 1_000,
    levels_ms: [60_000, 3_600_000],
    retention_ms: 86_400_000,
  });
  expect(given.requests_per_month.put).toBeGreaterThan(5 * configured.requests_per_month.put);
});

test('levels and retention of the configuration count, those of the destination first', async () => {
  const folder = temporaryFolder();
  const config = writeFile(
    folder,
    'sluice.yml',
    `levels: [{ interval: 10s }, { interval: 10m }]
l0-retention: 0
snapshot: { retention: 48h }
dbs:
- path: ${folder}/app.db
  replicas:
  - { name: short, url: "file://${folder}/a", retention: 24h }
  - { name: kept, url: "file://${folder}/b", retention: { enabled: false } }
  - { name: plain, url: "file://${folder}/c" }
`,
  );
  const of = async (name: string): Promise<Row> =>
    await cost('-config', config, ...RATE, '-replica', name, `${folder}/app.db`);
  const [short, kept, plain] = [await of('short'), await of('kept'), await of('plain')];
  const levels = { levels_ms: [10_000, 600_000], l0_retention_ms: null };
  expect(short.settings).toMatchObject({ ...levels, retention_ms: 24 * 3_600_000 });
  expect(plain.settings).toMatchObject({ ...levels, retention_ms: 48 * 3_600_000 });
  expect(kept.settings).toMatchObject({ ...levels, retention_ms: null });
  expect(kept.stored_bytes).toBeGreaterThan(5 * plain.stored_bytes);
  const words = ['-config', config, ...RATE, '-replica', 'kept', `${folder}/app.db`];
  const { stdout } = await sluice(['cost', ...words]);
  expect(stdout).toContain('retention off: nothing is deleted');
  expect(stdout).toMatch(/DELETE 0 a month[^]* files after a month/);
});

test('prices of a provider, or of your own', async () => {
  const r2 = await cost('-provider', 'cloudflare-r2', ...RATE, 's3://bucket/app.db');
  expect(r2.prices.provider).toBe('cloudflare-r2');
  const own = await cost('-prices', 'put=1', ...RATE, 's3://bucket/app.db');
  expect(own.money_per_month.total).toBeCloseTo(own.requests_per_month.put / 1000, 0);
});

test.for([
  ['-commits-per-hour', 'many', 'is a number from 0'],
  ['-bytes-per-commit', '0', 'is a size from 1'],
  ['-retention', 'long', 'is a duration above 0'],
  ['-levels', '5m,30s', 'must ascend'],
  ['-provider', 'ftp', 'is one of aws-s3'],
  ['-prices', 'puts=1', 'is not one of storage, put'],
] as const)('%s %s is refused', async ([flag, value, why]) => {
  const { code, stderr } = await sluice(['cost', flag, value, 's3://bucket/app.db']);
  expect(code).toBe(2);
  expect(stderr).toContain(why);
});
