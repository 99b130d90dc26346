/** Whose right is missing, to what. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { toFailure } from '../../src/database/sqlite/failure.ts';

function folder(): string {
  const made = fs.mkdtempSync(path.join(tmpdir(), 'sluice-failure-'));
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

function errorWith(code: string, more = {}): Error {
  return Object.assign(new Error(`${code} it is`), { code, ...more });
}

test.each(['SQLITE_READONLY', 'SQLITE_READONLY_DIRECTORY', 'SQLITE_CANTOPEN', 'SQLITE_PERM'])(
  '%s is a right that is missing, and a next step',
  (code) => {
    const database = path.join(folder(), 'app.db');
    fs.writeFileSync(database, '');
    const failure = toFailure(errorWith(code), { path: database, metaPath: `${database}-sluice` });
    expect(isError(failure, 'DATABASE_DENIED'), String(failure)).toBe(true);
    expect(String(failure)).toMatch(new RegExp(`open ${database}: .*${code}.*: this user .*owner`));
  },
);

test('the files that may not be written are named, with whose they are', () => {
  const database = path.join(folder(), 'app.db');
  for (const name of [database, `${database}-wal`]) fs.writeFileSync(name, '', { mode: 0o400 });
  const options = { path: database, metaPath: `${database}-sluice` };
  const failure = toFailure(errorWith('SQLITE_READONLY'), options, (name) => name === database);
  const owner = fs.statSync(database).uid;
  expect(String(failure)).toContain(`may not write ${database}-wal (owner ${owner}, mode 400)`);
  expect(String(failure)).not.toContain(`${database} (owner`);
});

test.each(['EACCES', 'EPERM', 'EROFS'])('%s of the staging folder names meta-path', (code) => {
  const options = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };
  for (const place of ['/data/.app.db-sluice', '/data/.app.db-sluice/ltx/0', '/data']) {
    const failure = toFailure(errorWith(code, { path: place }), options);
    expect(isError(failure, 'STAGING_FAILED'), place).toBe(true);
    expect(String(failure)).toMatch(/use the staging folder \/data\/.app.db-sluice: .*meta-path/);
  }
});

test('what has another reason is left as it is', () => {
  const options = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };
  for (const error of [
    errorWith('SQLITE_CORRUPT'),
    errorWith('ENOSPC', { path: '/data/.app.db-sluice/ltx' }),
    errorWith('EACCES', { path: '/other' }),
    new Error('no code'),
  ]) {
    expect(toFailure(error, options)).toBe(error);
  }
});
