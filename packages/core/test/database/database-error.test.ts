/** Errors of a database get a documented code and a next step. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Connections } from '../../src/database/sqlite/connections.ts';
import { toDatabaseError } from '../../src/database/sqlite/database-error.ts';
import { makeFolders, systemFiles } from '../../src/file-system.ts';
import { ReplicationError } from '../../src/error.ts';

const PATHS = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };

function errorWith(code: string, fields: object = {}): Error {
  return Object.assign(new Error(`${code}: refused`), { code, ...fields });
}

function folder(): string {
  const created = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-database-error-'));
  onTestFinished(() => fs.rmSync(created, { recursive: true, force: true }));
  return created;
}

test.each([
  [errorWith('SQLITE_BUSY'), 'DATABASE_BUSY', /another connection holds a lock/],
  [errorWith('SQLITE_READONLY'), 'DATABASE_DENIED', /give this user write permission/],
  [errorWith('SQLITE_READONLY_DIRECTORY'), 'DATABASE_DENIED', /give this user write permission/],
  [errorWith('SQLITE_NOTADB'), 'DATABASE_INVALID', /not a SQLite database, or it is encrypted/],
  [errorWith('SQLITE_CORRUPT_INDEX'), 'DATABASE_INVALID', /PRAGMA integrity_check/],
  [errorWith('SQLITE_FULL'), 'DATABASE_INVALID', /free some space/],
  [errorWith('SQLITE_IOERR_READ'), 'DATABASE_INVALID', /its disk/],
  [errorWith('SQLITE_ERROR'), 'DATABASE_INVALID', /check the path/],
  [errorWith('EACCES', { path: PATHS.path }), 'DATABASE_DENIED', /give this user permission/],
  [errorWith('ENAMETOOLONG', { path: PATHS.path }), 'DATABASE_INVALID', /check the path/],
  [errorWith('EACCES', { path: `${PATHS.metaPath}/position` }), 'STAGING_FAILED', /meta-path/],
  [
    errorWith('EACCES', { path: '/data', syscall: 'mkdir' }),
    'STAGING_FAILED',
    /staging folder \/data\/\.app\.db-sluice: .*meta-path/,
  ],
  [errorWith('ENOSPC', { path: PATHS.metaPath }), 'STAGING_FULL', /free space .* meta-path/],
  [new Error('something else'), 'DATABASE_INVALID', /something else/],
])('%s is reported as %s', (thrown, code, next) => {
  const error = toDatabaseError(thrown, PATHS);
  expect([error.code, error.cause]).toEqual([code, thrown]);
  expect(error.message).toMatch(next);
});

test('a ReplicationError is returned unchanged', () => {
  const error = new ReplicationError('WAL_INVALID', 'x');
  expect(toDatabaseError(error, PATHS)).toBe(error);
});

test.each([
  [
    'a folder',
    (at: string) => fs.mkdirSync(at),
    /it is a folder or another special file: set path/,
  ],
  ['a text file', (at: string) => fs.writeFileSync(at, 'x'.repeat(5_000)), /not a SQLite database/],
  ['a few bytes', (at: string) => fs.writeFileSync(at, 'few'), /not a SQLite database/],
])('%s instead of a database is reported as such', (_, make, message) => {
  const at = path.join(folder(), 'app.db');
  make(at);
  const open = (): Connections =>
    new Connections({ path: at, busyTimeoutMs: 0, clock: systemClock }, 0);
  expect(open).toThrow(expect.objectContaining({ code: 'DATABASE_INVALID' }));
  expect(open).toThrow(message);
});

test('creating a folder that cannot exist fails', async () => {
  await expect(makeFolders(systemFiles, '/proc/sluice/staging')).rejects.toThrow(/ENOENT|EACCES/);
  const file = path.join(folder(), 'file');
  fs.writeFileSync(file, '');
  await expect(makeFolders(systemFiles, path.join(file, 'staging'))).rejects.toThrow(/ENOTDIR/);
  await expect(makeFolders(systemFiles, file)).rejects.toThrow(/EEXIST/);
});

test('a folder is created with its parents, and an existing folder is kept', async () => {
  const nested = path.join(folder(), 'a', 'b', 'c');
  await makeFolders(systemFiles, nested);
  await makeFolders(systemFiles, nested);
  expect(fs.statSync(nested).isDirectory()).toBe(true);
});
