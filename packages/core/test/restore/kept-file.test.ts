/** The file that a restore replaces is kept under another name. */

import fs from 'node:fs';
import promises from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
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

/** A call of the file system always fails. */
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

/** A database in WAL mode that is open: the row 7 is in its WAL. */
function openDatabase(file: string): Database.Database {
  const database = new Database(file);
  onTestFinished(() => void database.close());
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE t(a); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (7)');
  return database;
}

function rowsOf(file: string): unknown[] {
  const database = new Database(file);
  onTestFinished(() => void database.close());
  return database.prepare('SELECT a FROM t ORDER BY a').pluck().all();
}

/** Runs `act` once, before the first call of this name whose path `isMeant`. */
function before(
  name: 'link' | 'rm' | 'copyFile',
  isMeant: (file: string) => boolean,
  act: () => void,
): void {
  const real = promises[name] as (...args: unknown[]) => Promise<void>;
  let isDone = false;
  const spy = vi.spyOn(promises, name).mockImplementation(async (...args: unknown[]) => {
    if (!isDone && isMeant(String(args[0]))) {
      isDone = true;
      act();
    }
    await real(...args);
  });
  onTestFinished(() => spy.mockRestore());
}

test('it is complete without its WAL if no process has it open', async () => {
  const setting = newSetting();
  const crashed = openDatabase(path.join(temporaryFolder(), 'crashed.db'));
  for (const side of ['', '-wal']) fs.copyFileSync(crashed.name + side, setting.output + side);
  const { kept = '', keptWAL } = await setting.run({ client, overwrite: 'keep', clock });
  expect(keptWAL).toBeUndefined();
  expect(setting.names()).toEqual(['app.db', KEPT]);
  expect(rowsOf(kept)).toEqual([7]);
});

test.each(['link', 'rm'] as const)(
  'commits of a process that has it open are in it: before the first "%s" of its WAL, and afterwards',
  async (name) => {
    const setting = newSetting();
    const application = openDatabase(setting.output);
    const isWAL = (file: string): boolean => file === `${setting.output}-wal`;
    before(name, isWAL, () => void application.exec('INSERT INTO t VALUES (8)'));
    const { kept = '', keptWAL } = await setting.run({ client, overwrite: 'keep', clock });
    expect(keptWAL).toBe(`${kept}-wal`);
    expect(setting.names()).toEqual(['app.db', KEPT, `${KEPT}-wal`]);
    application.exec('INSERT INTO t VALUES (9)');
    application.close();
    expect(rowsOf(kept)).toEqual([7, 8, 9]);
    expect(setting.bytes()).toEqual(history.bytes(1));
  },
);

test('without links, its WAL is copied', async () => {
  const setting = newSetting();
  const application = openDatabase(setting.output);
  const isOld = (file: string): boolean => file === setting.output;
  fail('link', 'EPERM');
  before('copyFile', isOld, () => void application.exec('INSERT INTO t VALUES (8)'));
  const { kept = '' } = await setting.run({ client, overwrite: 'keep', clock });
  expect(setting.names()).toEqual(['app.db', KEPT, `${KEPT}-wal`]);
  expect(rowsOf(kept)).toEqual([7, 8]);
});

test('if only its WAL cannot be linked, both are copied', async () => {
  const setting = newSetting();
  const application = openDatabase(setting.output);
  const { ino } = fs.statSync(setting.output);
  const isWAL = (file: string): boolean => file === `${setting.output}-wal`;
  before('link', isWAL, () => {
    application.exec('INSERT INTO t VALUES (8)');
    throw Object.assign(new Error('EPERM: link'), { code: 'EPERM' });
  });
  const { kept = '' } = await setting.run({ client, overwrite: 'keep', clock });
  expect(setting.names()).toEqual(['app.db', KEPT, `${KEPT}-wal`]);
  expect(fs.statSync(kept).ino).not.toBe(ino);
  expect(rowsOf(kept)).toEqual([7, 8]);
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
  const keep = async (): Promise<string> =>
    (await keepFile(file, new Date(NOW), `${file}.tmp`)).file;
  const first = path.join(path.dirname(file), KEPT);
  expect([await keep(), await keep(), await keep()]).toEqual([first, `${first}-2`, `${first}-3`]);
});

test('it never gets a name beside which there is a WAL', async () => {
  const file = path.join(temporaryFolder(), 'app.db');
  fs.writeFileSync(file, 'old');
  fs.writeFileSync(path.join(path.dirname(file), `${KEPT}-wal`), 'of another database');
  const kept = await keepFile(file, new Date(NOW), `${file}.tmp`);
  expect(path.basename(kept.file)).toBe(`${KEPT}-2`);
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

/** A rename takes effect, but reports an error. */
function failAfterRename(): void {
  const real = promises.rename;
  const spy = vi.spyOn(promises, 'rename').mockImplementation(async (...args) => {
    await real(...args);
    throw Object.assign(new Error('EIO: rename'), { code: 'EIO' });
  });
  onTestFinished(() => spy.mockRestore());
}

/** The fsync of a folder fails; `number` counts from 1. */
function failSync(number: number): void {
  const real = systemFiles.syncFolder.bind(systemFiles);
  let calls = 0;
  const spy = vi.spyOn(systemFiles, 'syncFolder').mockImplementation(async (folder) => {
    calls += 1;
    if (calls === number) throw Object.assign(new Error('EIO: fsync'), { code: 'EIO' });
    await real(folder);
  });
  onTestFinished(() => spy.mockRestore());
}

test.each([
  ['the rename fails', () => fail('rename', 'EIO'), 'old'],
  ['the rename takes effect, but reports an error', () => failAfterRename(), 'new'],
  ['the fsync before the rename fails', () => failSync(1), 'old'],
  ['the fsync after the rename fails', () => failSync(2), 'new'],
])('if %s, the old file is kept, and the error names it', async (_, arrange, state) => {
  const setting = newSetting();
  fs.writeFileSync(setting.output, 'old');
  arrange();
  const error = await setting.fail({ client, overwrite: 'keep', clock });
  expect([error.code, error.message]).toEqual([
    'RESTORE_OUTPUT',
    expect.stringMatching(
      new RegExp(
        `EIO: \\w+. It may have been replaced already; the old database is also .*/${KEPT};`,
      ),
    ),
  ]);
  expect(setting.names()).toEqual(['app.db', KEPT]);
  expect(fs.readFileSync(path.join(setting.folder, KEPT), 'utf8')).toBe('old');
  const bytes = state === 'old' ? new TextEncoder().encode('old') : history.bytes(1);
  expect(setting.bytes()).toEqual(bytes);
});

describe('a second name of the live file, from a killed restore,', () => {
  const SECOND = 'app.db.before-20260102T030405Z';

  test('is removed by the next one, with its WAL', async () => {
    const setting = newSetting();
    const application = openDatabase(setting.output);
    for (const side of ['', '-wal']) {
      fs.linkSync(setting.output + side, path.join(setting.folder, SECOND + side));
    }
    await setting.run({ client, overwrite: 'keep', clock });
    expect(setting.names()).toEqual(['app.db', KEPT, `${KEPT}-wal`]);
    application.close();
    expect(rowsOf(path.join(setting.folder, KEPT))).toEqual([7]);
  });

  test('stays if it has a WAL of its own, and so do other files', async () => {
    const setting = newSetting();
    fs.writeFileSync(setting.output, 'old');
    fs.linkSync(setting.output, path.join(setting.folder, SECOND));
    fs.writeFileSync(path.join(setting.folder, `${SECOND}-wal`), 'commits');
    fs.linkSync(setting.output, path.join(setting.folder, 'app.db.before-the-upgrade'));
    fs.writeFileSync(path.join(setting.folder, `${SECOND}-2`), 'older');
    const before = setting.names();
    await setting.run({ client, overwrite: 'keep', clock });
    expect(setting.names()).toEqual([...before, KEPT].sort());
  });
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
