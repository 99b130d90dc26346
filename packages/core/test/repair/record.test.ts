import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
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

test('repairs that end together do not share a temporary file', async () => {
  const folder = temporaryFolder();
  const created: string[] = [];
  const files: FileSystem = {
    ...systemFiles,
    create: (file, access) => {
      created.push(path.basename(file));
      return systemFiles.create(file, access);
    },
  };
  await Promise.all([recordRepair(folder, RECORD, files), recordRepair(folder, RECORD, files)]);
  expect(new Set(created).size).toBe(2);
  // The replicator removes what a killed repair leaves.
  for (const name of created) expect(name).toMatch(/^repair\.json\.[0-9a-f]+\.tmp$/);
  expect(fs.readdirSync(folder)).toEqual(['repair.json']);
});
