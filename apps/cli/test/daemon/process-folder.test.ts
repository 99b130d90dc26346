/** The folder of the process's control socket: only what nobody else can have made is trusted. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  isTrusted,
  makeProcessFolder,
  processFolders,
} from '../../src/controlling/process-folder.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** The folder that is tried first. */
function firstFolder(runtime: string, file = '/etc/sluice.yml'): string {
  const [first = ''] = processFolders({ kind: 'config', file }, { XDG_RUNTIME_DIR: runtime });
  return first;
}

test('a folder that was made here is private and trusted, also the second time', () => {
  const folder = firstFolder(temporaryFolder());
  expect(isTrusted(folder)).toBe(false);
  makeProcessFolder(folder);
  makeProcessFolder(folder);
  expect(isTrusted(folder)).toBe(true);
  for (const each of [folder, path.dirname(folder)]) {
    expect(fs.statSync(each).mode & 0o777).toBe(0o700);
  }
});

test.each(['the base', 'the folder'])('%s to which others may write is not used', (which) => {
  const folder = firstFolder(temporaryFolder());
  makeProcessFolder(folder);
  fs.chmodSync(which === 'the base' ? path.dirname(folder) : folder, 0o777);
  expect(isTrusted(folder)).toBe(false);
  expect(() => makeProcessFolder(folder)).toThrow('can be written by others');
});

test('a symbolic link is not used, wherever it leads', () => {
  const runtime = temporaryFolder();
  const folder = firstFolder(runtime);
  makeProcessFolder(folder);
  const other = firstFolder(runtime, '/etc/other.yml');
  fs.symlinkSync(folder, other);
  expect(isTrusted(other)).toBe(false);
  expect(() => makeProcessFolder(other)).toThrow('is not a folder');
});

test('a folder of another user is not used', () => {
  const folder = firstFolder(temporaryFolder());
  makeProcessFolder(folder);
  const uid = process.getuid?.() ?? 0;
  // Root is trusted, so its folder is given to somebody else.
  if (uid === 0) fs.chownSync(folder, 4711, 4711);
  const user = uid === 0 ? 0 : uid + 1;
  expect(isTrusted(folder, user)).toBe(false);
  expect(() => makeProcessFolder(folder, user)).toThrow('belongs to the user');
});

test('a configuration has one name, by whatever path it is found, and others have other names', () => {
  const runtime = temporaryFolder();
  const file = path.join(runtime, 'sluice.yml');
  fs.writeFileSync(file, '');
  fs.symlinkSync(file, path.join(runtime, 'link.yml'));
  expect(firstFolder(runtime, path.join(runtime, 'link.yml'))).toBe(firstFolder(runtime, file));
  expect(firstFolder(runtime, path.join(runtime, 'b.yml'))).not.toBe(firstFolder(runtime, file));
  const key = { kind: 'database', path: file } as const;
  expect(processFolders(key, { XDG_RUNTIME_DIR: runtime })).not.toContain(
    firstFolder(runtime, file),
  );
  // However long the path of the configuration is, that of the socket is short.
  const longest = processFolders({ kind: 'config', file: `/${'long/'.repeat(100)}x` }, {});
  for (const each of longest)
    expect(Buffer.byteLength(`${each}/control/socket.tmp`)).toBeLessThan(100);
});
