/** The output file of a restore: when it appears, and what it replaces. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
import { checkIntegrity } from '../../src/restore/integrity.ts';
import { Output } from '../../src/restore/output.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { newSetting, type Setting } from './setting.ts';

const history = new History(512);
history.commit(randomFrom(1), 4, 0);
const bucket = new Bucket();
bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
const client = bucket.client();
const restored = history.bytes(1);

function write(setting: Setting, side: string, text: string): void {
  fs.writeFileSync(setting.output + side, text);
}
/** The name of the temporary file of the restore that runs. */
function temporary(setting: Setting): string {
  const name = setting.names().find((file) => file.startsWith('app.db.sluice-tmp-'));
  if (name === undefined) throw new Error('no restore runs');
  return path.join(setting.folder, name);
}

/** Runs `act` once, when the first bytes arrive. */
function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}

describe('a restore that may not replace', () => {
  test.each(['', '-wal', '-journal'])('refuses if the name with "%s" exists', async (side) => {
    const setting = newSetting();
    write(setting, side, 'something');
    const error = await setting.fail({ client });
    expect(error.code).toBe('RESTORE_TARGET_EXISTS');
    expect(error.message).toContain(
      side === '' ? 'it already exists' : `app.db${side} already exists`,
    );
    expect(fs.readFileSync(setting.output + side, 'utf8')).toBe('something');
    expect(setting.names()).toEqual([`app.db${side}`]);
  });

  test('replaces empty files', async () => {
    const setting = newSetting();
    for (const side of ['', '-wal', '-shm']) write(setting, side, '');
    await setting.run({ client });
    expect(setting.bytes()).toEqual(restored);
    expect(setting.names()).toEqual(['app.db']);
  });

  test('does not replace a file that is created while it runs', async () => {
    const setting = newSetting();
    const onProgress = once(() => write(setting, '', 'new'));
    const error = await setting.fail({ client, onProgress });
    expect(error.code).toBe('RESTORE_TARGET_EXISTS');
    expect(setting.names()).toEqual(['app.db']);
    expect(fs.readFileSync(setting.output, 'utf8')).toBe('new');
  });

  test('creates parent folders', async () => {
    const setting = newSetting();
    const output = path.join(setting.folder, 'a', 'b', 'c.db');
    await setting.run({ client, output });
    expect(fs.readFileSync(output)).toEqual(Buffer.from(restored));
    expect(fs.readdirSync(path.dirname(output))).toEqual(['c.db']);
  });
});

describe('a restore that may replace', () => {
  test('leaves no file of the old database that SQLite would read', async () => {
    const setting = newSetting();
    for (const side of ['', '-wal', '-shm', '-journal']) write(setting, side, 'old');
    await setting.run({ client, overwrite: 'replace' });
    expect(setting.bytes()).toEqual(restored);
    expect(setting.names()).toEqual(['app.db']);
  });

  test('keeps the mode of the file that it replaces', async () => {
    const setting = newSetting();
    write(setting, '', 'old');
    fs.chmodSync(setting.output, 0o640);
    await setting.run({ client, overwrite: 'replace' });
    expect(fs.statSync(setting.output).mode & 0o777).toBe(0o640);
  });

  test('is at no time readable by others if the file that it replaces is not', async () => {
    const setting = newSetting();
    write(setting, '', 'old');
    fs.chmodSync(setting.output, 0o600);
    let mode: number | undefined;
    const onProgress = once(() => (mode = fs.statSync(temporary(setting)).mode & 0o777));
    await setting.run({ client, overwrite: 'replace', onProgress });
    expect(mode).toBe(0o600);
  });

  test('keeps the old database and its WAL if it fails', async () => {
    const setting = newSetting();
    for (const side of ['', '-wal']) write(setting, side, 'old');
    const error = await setting.fail({ client, overwrite: 'replace', integrityCheck: 'quick' });
    expect(error.code).toBe('RESTORE_INTEGRITY');
    expect(setting.names()).toEqual(['app.db', 'app.db-wal']);
    expect(fs.readFileSync(setting.output, 'utf8')).toBe('old');
    expect(fs.readFileSync(`${setting.output}-wal`, 'utf8')).toBe('old');
  });

  test('does not replace a folder', async () => {
    const setting = newSetting();
    fs.mkdirSync(setting.output);
    const error = await setting.fail({ client, overwrite: 'replace' });
    expect([error.code, error.message]).toEqual([
      'RESTORE_TARGET_EXISTS',
      expect.stringContaining('is a folder'),
    ]);
  });

  test('follows a symbolic link to the database', async () => {
    const setting = newSetting();
    const real = path.join(setting.folder, 'real.db');
    for (const side of ['', '-wal']) fs.writeFileSync(real + side, 'old');
    fs.symlinkSync(real, setting.output);
    await setting.run({ client, overwrite: 'replace' });
    expect(fs.lstatSync(setting.output).isSymbolicLink()).toBe(true);
    expect(fs.readFileSync(real)).toEqual(Buffer.from(restored));
    expect(setting.names()).toEqual(['app.db', 'real.db']);
  });
});

describe('the temporary file', () => {
  test('of a crashed restore is replaced, with the files SQLite left next to it', async () => {
    const setting = newSetting();
    for (const name of ['.sluice-tmp', '.sluice-tmp-00112233']) {
      for (const side of ['', '-wal', '-shm', '-journal', '-kept'])
        write(setting, name + side, 'left over');
    }
    await setting.run({ client });
    expect(setting.bytes()).toEqual(restored);
    expect(setting.names()).toEqual(['app.db']);
  });

  test.each(['refuse', 'keep'] as const)(
    'of another restore to the same path is neither published nor removed (%s)',
    async (overwrite) => {
      const setting = newSetting();
      const other = `${setting.output}.sluice-tmp-of-the-other`;
      const onProgress = once(() => {
        fs.unlinkSync(temporary(setting));
        fs.writeFileSync(other, 'of the other');
      });
      const error = await setting.fail({ client, overwrite, onProgress, integrityCheck: 'quick' });
      expect([error.code, error.message]).toEqual([
        'RESTORE_TARGET_EXISTS',
        expect.stringContaining('another restore to the same path has started; wait until'),
      ]);
      expect(fs.readFileSync(other, 'utf8')).toBe('of the other');
      expect(setting.names()).toEqual(['app.db.sluice-tmp-of-the-other']);
    },
  );

  test('is not published if another restore starts just before the rename', async () => {
    const setting = newSetting();
    write(setting, '', 'old');
    const syncFolder = systemFiles.syncFolder.bind(systemFiles);
    let other: Output | undefined;
    const spy = vi.spyOn(systemFiles, 'syncFolder').mockImplementation(async (folder) => {
      other ??= await Output.open(setting.output, 'keep');
      await syncFolder(folder);
    });
    onTestFinished(() => spy.mockRestore());
    const error = await setting.fail({ client, overwrite: 'keep' });
    expect([error.code, error.message]).toEqual([
      'RESTORE_TARGET_EXISTS',
      expect.stringMatching(/another restore .*; the old database is also .*\.before-/),
    ]);
    expect(fs.readFileSync(setting.output, 'utf8')).toBe('old');
    await other?.discard();
    expect(setting.names()).toEqual(['app.db', expect.stringContaining('.before-')]);
  });

  test('that cannot be created is an error with the reason', async () => {
    const setting = newSetting();
    fs.writeFileSync(path.join(setting.folder, 'file'), '');
    const output = path.join(setting.folder, 'file', 'app.db');
    const error = await setting.fail({ client, output });
    expect(error.code).toBe('RESTORE_OUTPUT');
    expect(error.message).toMatch(/ENOTDIR|EEXIST/);
  });
});

describe('the integrity check', () => {
  test('rejects a file that is not a database, and leaves nothing behind', async () => {
    for (const integrityCheck of ['quick', 'full'] as const) {
      const setting = newSetting();
      const error = await setting.fail({ client, integrityCheck });
      expect(error.code).toBe('RESTORE_INTEGRITY');
      expect(setting.names()).toEqual([]);
    }
  });

  test('that SQLite cannot make is an error of the output, not of the database', async () => {
    const { output } = newSetting();
    const database = new Database(output);
    database.pragma('journal_mode = wal');
    database.exec('CREATE TABLE t(a)');
    database.close();
    fs.mkdirSync(`${output}-wal`); // SQLite cannot create its log
    const checking = checkIntegrity(output, 'quick', new AbortController().signal);
    await expect(checking).rejects.toMatchObject({
      code: 'RESTORE_OUTPUT',
      message: expect.stringMatching(
        /unable to open database file; .*could not be checked/,
      ) as string,
    });
  });

  test('finds an index that does not match its table', async () => {
    const setting = newSetting();
    const source = path.join(setting.folder, 'source.db');
    const database = new Database(source);
    database.exec('CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1), (2), (3)');
    // The index no longer matches the table.
    database.unsafeMode(true);
    database.pragma('writable_schema=ON');
    database.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(a+1)' WHERE name = 'i'");
    database.close();
    const bytes = fs.readFileSync(source);
    fs.unlinkSync(source);
    const pageSize = 4096;
    const commit = bytes.length / pageSize;
    const pages = new Map<number, Uint8Array>();
    for (let i = 0; i < commit; i++) {
      pages.set(i + 1, new Uint8Array(bytes.subarray(i * pageSize, (i + 1) * pageSize)));
    }
    const broken = new Bucket();
    broken.put(9, 1, 1, encodeFile(1, 1, { pageSize, commit, pages }));
    const error = await setting.fail({ client: broken.client(), integrityCheck: 'full' });
    expect([error.code, error.message]).toEqual([
      'RESTORE_INTEGRITY',
      expect.stringContaining('index i'),
    ]);
    expect(setting.names()).toEqual([]);
    await setting.run({ client: broken.client(), integrityCheck: 'none' });
    expect(setting.bytes().length).toBe(bytes.length);
  });
});
