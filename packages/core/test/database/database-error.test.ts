/** Whatever goes wrong around a database has a code of the table, and says what to do. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Connections } from '../../src/database/sqlite/connections.ts';
import { toDatabaseError } from '../../src/database/sqlite/database-error.ts';
import { makeFolders, systemFiles } from '../../src/file-system.ts';
import { ReplicationError } from '../../src/error.ts';

const PLACES = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };

function failure(code: string, more: object = {}): Error {
  return Object.assign(new Error(`${code}: it was refused`), { code, ...more });
}

function folder(): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-database-error-'));
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

test.each([
  [failure('SQLITE_BUSY'), 'DATABASE_BUSY', /another connection holds a lock/],
  [failure('SQLITE_READONLY'), 'DATABASE_DENIED', /give this user write permission/],
  [failure('SQLITE_READONLY_DIRECTORY'), 'DATABASE_DENIED', /give this user write permission/],
  [failure('SQLITE_NOTADB'), 'DATABASE_INVALID', /not a SQLite database, or it is encrypted/],
  [failure('SQLITE_CORRUPT_INDEX'), 'DATABASE_INVALID', /PRAGMA integrity_check/],
  [failure('SQLITE_FULL'), 'DATABASE_INVALID', /free some space/],
  [failure('SQLITE_IOERR_READ'), 'DATABASE_INVALID', /its disk/],
  [failure('SQLITE_ERROR'), 'DATABASE_INVALID', /check the path/],
  [failure('EACCES', { path: PLACES.path }), 'DATABASE_DENIED', /give this user permission/],
  [failure('ENAMETOOLONG', { path: PLACES.path }), 'DATABASE_INVALID', /check the path/],
  [failure('EACCES', { path: `${PLACES.metaPath}/position` }), 'STAGING_FAILED', /meta-path/],
  [
    failure('EACCES', { path: '/data', syscall: 'mkdir' }),
    'STAGING_FAILED',
    /staging folder \/data\/\.app\.db-sluice: .*meta-path/,
  ],
  [failure('ENOSPC', { path: PLACES.metaPath }), 'STAGING_FULL', /free space .* meta-path/],
  [new Error('of another kind'), 'DATABASE_INVALID', /of another kind/],
])('%s is %s', (thrown, code, next) => {
  const error = toDatabaseError(thrown, PLACES);
  expect([error.code, error.cause]).toEqual([code, thrown]);
  expect(error.message).toMatch(next);
});

test('one of our own stays as it is', () => {
  const error = new ReplicationError('WAL_INVALID', 'x');
  expect(toDatabaseError(error, PLACES)).toBe(error);
});

test.each([
  [
    'a folder',
    (at: string) => fs.mkdirSync(at),
    /it is a folder or another special file: set path/,
  ],
  ['a text', (at: string) => fs.writeFileSync(at, 'x'.repeat(5_000)), /not a SQLite database/],
  ['a few bytes', (at: string) => fs.writeFileSync(at, 'few'), /not a SQLite database/],
])('%s in the place of a database is said to be one', (_, make, message) => {
  const at = path.join(folder(), 'app.db');
  make(at);
  const open = (): Connections =>
    new Connections({ path: at, busyTimeoutMs: 0, clock: systemClock }, 0);
  expect(open).toThrow(expect.objectContaining({ code: 'DATABASE_INVALID' }));
  expect(open).toThrow(message);
});

test('a folder that nobody may make ends in an error', async () => {
  await expect(makeFolders(systemFiles, '/proc/sluice/staging')).rejects.toThrow(/ENOENT|EACCES/);
  const file = path.join(folder(), 'file');
  fs.writeFileSync(file, '');
  await expect(makeFolders(systemFiles, path.join(file, 'staging'))).rejects.toThrow(/ENOTDIR/);
  await expect(makeFolders(systemFiles, file)).rejects.toThrow(/EEXIST/);
});

test('a folder is made with those above it, and one that is there is fine', async () => {
  const made = path.join(folder(), 'a', 'b', 'c');
  await makeFolders(systemFiles, made);
  await makeFolders(systemFiles, made);
  expect(fs.statSync(made).isDirectory()).toBe(true);
});
