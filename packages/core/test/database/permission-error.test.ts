/** Permission errors name the user, the file and the next step. */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { toPermissionError } from '../../src/database/sqlite/permission-error.ts';

function folder(): string {
  const created = fs.mkdtempSync(path.join(tmpdir(), 'sluice-failure-'));
  onTestFinished(() => fs.rmSync(created, { recursive: true, force: true }));
  return created;
}

function errorWith(code: string, fields = {}): Error {
  return Object.assign(new Error(`${code}: refused`), { code, ...fields });
}

test.each(['SQLITE_READONLY', 'SQLITE_READONLY_DIRECTORY', 'SQLITE_CANTOPEN', 'SQLITE_PERM'])(
  '%s is reported as a missing permission with a next step',
  (code) => {
    const database = path.join(folder(), 'app.db');
    fs.writeFileSync(database, '');
    const failure = toPermissionError(errorWith(code), {
      path: database,
      metaPath: `${database}-sluice`,
    });
    expect(isError(failure, 'DATABASE_DENIED'), String(failure)).toBe(true);
    expect(String(failure)).toMatch(new RegExp(`open ${database}: .*${code}.*: this user .*owner`));
  },
);

test('files that this user may not write are named with their owner', () => {
  const database = path.join(folder(), 'app.db');
  for (const name of [database, `${database}-wal`]) fs.writeFileSync(name, '', { mode: 0o400 });
  const options = { path: database, metaPath: `${database}-sluice` };
  const failure = toPermissionError(
    errorWith('SQLITE_READONLY'),
    options,
    (name) => name === database,
  );
  const owner = fs.statSync(database).uid;
  expect(String(failure)).toContain(`may not write ${database}-wal (owner ${owner}, mode 400)`);
  expect(String(failure)).not.toContain(`${database} (owner`);
});

test.each(['EACCES', 'EPERM', 'EROFS'])('%s in the staging folder names meta-path', (code) => {
  const options = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };
  for (const file of ['/data/.app.db-sluice', '/data/.app.db-sluice/ltx/0', '/data']) {
    const failure = toPermissionError(errorWith(code, { path: file }), options);
    expect(isError(failure, 'STAGING_FAILED'), file).toBe(true);
    expect(String(failure)).toMatch(/use the staging folder \/data\/.app.db-sluice: .*meta-path/);
  }
});

test('other errors are returned unchanged', () => {
  const options = { path: '/data/app.db', metaPath: '/data/.app.db-sluice' };
  for (const error of [
    errorWith('SQLITE_CORRUPT'),
    errorWith('ENOSPC', { path: '/data/.app.db-sluice/ltx' }),
    errorWith('EACCES', { path: '/other' }),
    new Error('no code'),
  ]) {
    expect(toPermissionError(error, options)).toBe(error);
  }
});
