import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readRepair, recordRepair, type RepairRecord } from '../../src/repair/record.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const RECORD: RepairRecord = {
  at: '2026-01-31T12:00:00.000Z',
  result: 'mended',
  destinations: [
    { name: 'one', target: 'file:///one', lacking: 1, damaged: 0, copiedFiles: 2, copiedBytes: 99 },
  ],
};

test('the last repair is kept', async () => {
  const folder = temporaryFolder();
  expect(await readRepair(folder)).toBeUndefined();
  expect(await recordRepair(folder, RECORD)).toBe('recorded');
  expect(await readRepair(folder)).toEqual(RECORD);
  await recordRepair(folder, { ...RECORD, result: 'open' });
  expect(await readRepair(folder)).toMatchObject({ result: 'open' });
  expect(fs.readdirSync(folder)).toEqual(['repair.json']);
});

test('without a staging folder nothing is kept', async () => {
  const folder = path.join(temporaryFolder(), 'none');
  expect(await recordRepair(folder, RECORD)).toBe('no folder');
  expect(fs.existsSync(folder)).toBe(false);
});

test.each([
  '',
  '{"at":"2026-01-31T12:00:00.000Z"}',
  JSON.stringify([{ ...RECORD, at: 'yesterday' }]),
  JSON.stringify([{ ...RECORD, result: 'new' }]),
  JSON.stringify([{ ...RECORD, destinations: [{ name: 'one' }] }]),
])('a file that is torn or of another version counts as none: %j', async (text) => {
  const folder = temporaryFolder();
  fs.writeFileSync(path.join(folder, 'repair.json'), text);
  expect(await readRepair(folder)).toBeUndefined();
});
