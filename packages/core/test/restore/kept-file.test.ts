/** The file that a restore replaces is kept under another name. */

import fs from 'node:fs';
import promises from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { keepFile } from '../../src/restore/kept-file.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { newSetting } from './setting.ts';
import { temporaryFolder } from './temporary.ts';

const history = new History(512);
history.commit(randomFrom(1), 4, 0);
const bucket = new Bucket();
bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
const client = bucket.client();

const NOW = Date.UTC(2026, 10, 29, 14, 5, 9, 123);
const clock = { now: () => NOW, monotonic: () => performance.now() };
const KEPT = 'app.db.before-20261129T140509Z';

/** A call of the file system fails once, or always. */
function fail(name: 'link' | 'rename' | 'copyFile', code: string): void {
  const error = Object.assign(new Error(`${code}: ${name}`), { code });
  const spy = vi.spyOn(promises, name).mockRejectedValue(error);
  onTestFinished(() => spy.mockRestore());
}

test('it has the time in its name, and is the same file', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old', { mode: 0o600 });
  const { ino } = fs.statSync(setting.output);
  const { kept } = await setting.run({ client, overwrite: 'keep', clock });
  expect(kept).toBe(path.join(setting.folder, KEPT));
  expect(setting.names()).toEqual(['app.db', KEPT]);
  expect([fs.statSync(kept ?? '').ino, fs.readFileSync(kept ?? '', 'utf8')]).toEqual([ino, 'old']);
  expect(setting.bytes()).toEqual(history.bytes(1));
  expect(fs.statSync(setting.output).mode & 0o777).toBe(0o600);
});

test('it is complete without its WAL', async () => {
  const setting = newSetting();
  const database = new Database(setting.output);
  onTestFinished(() => void database.close());
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE t(a); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (7)');
  const { kept = '' } = await setting.run({ client, overwrite: 'keep', clock });
  expect(setting.names()).toEqual(['app.db', KEPT]);
  const old = new Database(kept, { readonly: true });
  onTestFinished(() => void old.close());
  expect(old.prepare('SELECT a FROM t').pluck().get()).toBe(7);
});

test.each([
  ['a missing file', undefined],
  ['an empty file', ''],
])('%s is not kept', async (_, text) => {
  const setting = newSetting();
  if (text !== undefined) fs.writeFileSync(setting.output, text);
  const { kept } = await setting.run({ client, overwrite: 'keep', clock });
  expect([kept, setting.names()]).toEqual([undefined, ['app.db']]);
});

test('with "replace", nothing is kept', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old');
  const { kept } = await setting.run({ client, overwrite: 'replace', clock });
  expect([kept, setting.names()]).toEqual([undefined, ['app.db']]);
});

test('files kept in the same second do not replace each other', async () => {
  const file = path.join(temporaryFolder(), 'app.db');
  fs.writeFileSync(file, 'old');
  const keep = (): Promise<string> => keepFile(file, new Date(NOW), `${file}.tmp`);
  const first = path.join(path.dirname(file), KEPT);
  expect([await keep(), await keep(), await keep()]).toEqual([first, `${first}-2`, `${first}-3`]);
});

test('without links it is copied, with its mode', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old', { mode: 0o640 });
  fail('link', 'EPERM');
  const { kept = '' } = await setting.run({ client, overwrite: 'keep', clock });
  expect(setting.names()).toEqual(['app.db', KEPT]);
  expect(fs.readFileSync(kept, 'utf8')).toBe('old');
  expect(fs.statSync(kept).mode & 0o777).toBe(0o640);
  expect(setting.bytes()).toEqual(history.bytes(1));
});

test('if it can be neither linked nor copied, nothing is replaced', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old');
  fail('link', 'EPERM');
  fail('copyFile', 'ENOSPC');
  const error = await setting.fail({ client, overwrite: 'keep', clock });
  expect([error.code, error.message]).toEqual([
    'RESTORE_OUTPUT',
    expect.stringContaining('Nothing was replaced; free some space, or use -no-keep'),
  ]);
  expect(setting.names()).toEqual(['app.db']);
  expect(fs.readFileSync(setting.output, 'utf8')).toBe('old');
});

test('if the new file does not get its name, only the old one is left', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old');
  fail('rename', 'EIO');
  const error = await setting.fail({ client, overwrite: 'keep', clock });
  expect(error.code).toBe('RESTORE_OUTPUT');
  expect(setting.names()).toEqual(['app.db']);
  expect(fs.readFileSync(setting.output, 'utf8')).toBe('old');
});

const isRoot = process.geteuid?.() === 0;

test.runIf(isRoot)('the new file gets the owner of the one that it replaces', async () => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old');
  fs.chownSync(setting.output, 1234, 2345);
  const { owner } = await setting.run({ client, overwrite: 'keep', clock });
  expect(owner).toEqual({ uid: 1234, gid: 2345, like: 'replaced file' });
  expect(fs.statSync(setting.output)).toMatchObject({ uid: 1234, gid: 2345 });
});

test.runIf(isRoot)(
  'a file that root restores into a folder of a user belongs to that user',
  async () => {
    const setting = newSetting();
    fs.chownSync(setting.folder, 1234, 2345);
    const { owner } = await setting.run({ client });
    expect(owner).toEqual({ uid: 1234, gid: 2345, like: 'folder' });
    expect(fs.statSync(setting.output)).toMatchObject({ uid: 1234, gid: 2345 });
  },
);

test.runIf(isRoot)('a file in a folder of root belongs to root, and nothing is said', async () => {
  const setting = newSetting();
  expect((await setting.run({ client })).owner).toBeUndefined();
});
