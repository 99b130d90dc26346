import { homedir } from 'node:os';
import { join } from 'node:path';

import { isError, parseConfig } from '@sluice/core/backend';
import { describe, expect, test } from 'vitest';

import { backend } from '../src/index.ts';

function issues(input: unknown): string[] {
  try {
    parseConfig(backend, input);
    return [];
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    return (error.issues ?? []).map((issue) => issue.message);
  }
}

describe('a path', () => {
  test.each([
    ['/backups/app', '/backups/app'],
    ['/backups//app/../b/', '/backups/b'],
    ['backups/app', join(process.cwd(), 'backups/app')],
    ['~/backups', join(homedir(), 'backups')],
    ['~', homedir()],
    ['/a~b/with space/%20', '/a~b/with space/%20'],
  ])('%s is the folder %s', (path, folder) => {
    expect(parseConfig(backend, { type: 'file', path }).path).toBe(folder);
  });

  test.each([
    [{}, ['path is missing']],
    [{ path: '' }, ['path is empty']],
    [{ path: 7 }, ['path must be text, not a number: put it in quotes']],
    [{ path: 's3://b/db' }, ['path is a URL (s3://): write it under url']],
    [{ path: '/a\0b' }, ['path contains a NUL character']],
    [{ path: '/a\nb' }, ['path contains a line break or another control character']],
    [{ path: '/a/..' }, ['path is the root of the file system']],
    [{ path: '~root/a' }, ['path ~root/a: only ~ and ~/… are supported']],
    [{ path: '/a', url: 'file:///a' }, ['url cannot be given together with path']],
    [
      { path: '/a', pth: 1, typ: 2 },
      [
        'pth is not a key of file: did you mean path?',
        'typ is not a key of file: did you mean type?',
      ],
    ],
    ['/a', ['file must be a map of keys, not "/a"']],
  ])('%j is refused with a clear message', (input, expected) => {
    expect(issues(input)).toEqual(expected);
  });
});

describe('a URL', () => {
  test.each([
    ['file:///backups/app', '/backups/app'],
    ['file:///backups/app/', '/backups/app'],
    ['file:///backups/app?x=1', '/backups/app'],
    // Litestream does not decode percent signs (checked with 0.5.17).
    ['file:///a%20b', '/a%20b'],
    ['file:///a b', '/a%20b'],
  ])('%s is the folder %s, as Litestream reads it', (url, folder) => {
    expect(parseConfig(backend, backend.fromURL(new URL(url))).path).toBe(folder);
    expect(parseConfig(backend, { url }).path).toBe(folder);
  });

  test.each([
    [
      'file://backups/app',
      'url has a host (backups): write file:///backups/app, if you mean /backups/app',
    ],
    ['file:///', 'url has no folder'],
    ['s3://b/db', 'url must begin with file:///'],
    ['not a URL', 'url is not a URL such as s3://bucket/path'],
  ])('%s is refused with a clear message', (url, expected) => {
    expect(issues({ url })).toEqual([expected]);
  });
});

test('all folders share one destination, and the key name is accepted', () => {
  const one = parseConfig(backend, { path: '/a', name: 'one' });
  const other = parseConfig(backend, { url: 'file:///b', type: 'file' });
  expect(one.config).toEqual(other.config);
});
