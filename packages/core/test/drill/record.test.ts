import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { DrillReport } from '../../src/drill/drill.ts';
import { readDrills, recordDrill } from '../../src/drill/record.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const REPORT: DrillReport = {
  result: 'ok',
  problems: [],
  at: '2026-01-31T12:00:00.000Z',
  newestTXID: '0000000000000002',
  txid: '0000000000000002',
  timestamp: '2026-01-31T11:59:00.000Z',
  restoreMs: 12,
  lossWindowMs: 0,
  filesListed: 2,
  filesRead: 1,
  bytesRead: 100,
  databaseBytes: 4096,
  assertions: [],
  comparison: { kind: 'equal', pages: 1, skipped: 0 },
};
const ONE = { name: 'one', target: 'file:///one' };
const TWO = { name: 'two', target: 'file:///two' };

test('the last drill of each destination is kept, and the time of its last success', async () => {
  const folder = temporaryFolder();
  expect(await readDrills(folder)).toEqual([]);
  await recordDrill(folder, ONE, REPORT);
  await recordDrill(folder, TWO, REPORT);
  const problems = [{ message: 'it is damaged' }];
  const at = '2026-02-01T12:00:00.000Z';
  await recordDrill(folder, ONE, { ...REPORT, at, result: 'failed', problems });
  const lastSuccessAt = REPORT.at;
  expect(await readDrills(folder)).toMatchObject([
    { ...TWO, result: 'ok', at: REPORT.at, lastSuccessAt, problems: [] },
    { ...ONE, result: 'failed', at, lastSuccessAt, problems: ['it is damaged'] },
  ]);
  expect(fs.readdirSync(folder)).toEqual(['drill.json']);
});

test('another place with the same name has its own record', async () => {
  const folder = temporaryFolder();
  await recordDrill(folder, ONE, REPORT);
  await recordDrill(folder, { ...ONE, target: 's3://b' }, { ...REPORT, result: 'failed' });
  const records = await readDrills(folder);
  expect(records.map(({ lastSuccessAt }) => lastSuccessAt)).toEqual([REPORT.at, undefined]);
});

test('a missing staging folder is not created', async () => {
  const folder = path.join(temporaryFolder(), 'meta');
  expect(await recordDrill(folder, ONE, REPORT)).toBe('no folder');
  expect(fs.existsSync(folder)).toBe(false);
});

test.each(['', '[{"name":"one"', '{}', '[1, {"name":"one"}]'])(
  'the text %j has no records, and is replaced',
  async (text) => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, 'drill.json'), text);
    expect(await readDrills(folder)).toEqual([]);
    await recordDrill(folder, ONE, REPORT);
    expect(await readDrills(folder)).toHaveLength(1);
  },
);

test('a file that cannot be read is an error', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(path.join(folder, 'drill.json'));
  await expect(readDrills(folder)).rejects.toMatchObject({ code: 'STAGING_FAILED' });
});
