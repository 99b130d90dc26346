/**
 * Mistakes of new users. Each ends with its exit code, an error code and a next step,
 * without a stack trace, and leaves no files behind.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { ERROR_CODES } from '@sluice/core';
import { goldenBucket } from '../support/golden.ts';
import { addRows } from '../support/database.ts';
import { runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

interface Mistake {
  readonly name: string;
  /** The folder contains `app.db`, `text.db`, `empty/` and `bucket/`. */
  readonly words: (folder: string) => readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

function replicate(keys: (folder: string) => string): Mistake['words'] {
  return (folder) => {
    const text = `shutdown-sync-timeout: 1s\ndbs:\n- { ${keys(folder)} }\n`;
    return ['replicate', '-once', '-config', writeFile(temporaryFolder(), 's.yml', text)];
  };
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a database that is a folder',
    words: replicate((at) => `path: ${at}/empty, meta-path: ${at}/m, replica: { path: ${at}/d }`),
    code: 9,
    says: /empty.*; it is a folder or another special file: set path to the database file" code=DATABASE_INVALID/,
  },
  {
    name: 'a database that is a text file',
    words: replicate((at) => `path: ${at}/text.db, meta-path: ${at}/m, replica: { path: ${at}/d }`),
    code: 9,
    says: /text\.db.*not a SQLite database, or it is encrypted.* code=DATABASE_INVALID/,
  },
  {
    name: 'a staging folder that cannot be created',
    words: replicate(
      (at) => `path: ${at}/app.db, meta-path: /proc/sluice, replica: { path: ${at}/d }`,
    ),
    code: 9,
    says: /staging folder \/proc\/sluice: .*meta-path.* code=STAGING_FAILED/,
  },
  {
    name: 'a destination that is a file',
    words: replicate(
      (at) => `path: ${at}/app.db, meta-path: ${at}/m, replica: { path: ${at}/text.db }`,
    ),
    code: 3,
    says: /text\.db.* is not a folder: correct the path.* code=REPLICA_DESTINATION_NOT_FOUND/,
  },
  {
    name: 'a restore from a file',
    words: (at) => ['restore', '-o', `${at}/o.db`, `file://${at}/text.db`],
    code: 7,
    says: /is not a folder: correct the path \(REPLICA_DESTINATION_NOT_FOUND\)/,
  },
  {
    name: 'a restore into a folder',
    words: (at) => ['restore', '-o', `${at}/empty`, `file://${at}/bucket`],
    code: 8,
    says: /empty: it is a folder; add a file name \(RESTORE_TARGET_EXISTS\)/,
  },
  {
    name: 'a restore with -force over a folder',
    words: (at) => ['restore', '-force', '-o', `${at}/empty`, `file://${at}/bucket`],
    code: 8,
    says: /empty: it is a folder; add a file name \(RESTORE_TARGET_EXISTS\)/,
  },
  {
    name: 'a restore to a name with a trailing slash',
    words: (at) => ['restore', '-o', `${at}/new/`, `file://${at}/bucket`],
    code: 1,
    says: /new\/: this is a folder name; add a file name \(RESTORE_OUTPUT\)/,
  },
  {
    name: 'a restore below a file',
    words: (at) => ['restore', '-o', `${at}/text.db/o.db`, `file://${at}/bucket`],
    code: 1,
    says: /ENOTDIR.*a part of the path is a file, not a folder.*\(RESTORE_OUTPUT\)/,
  },
  {
    name: 'a restore to a folder that is not writable',
    words: (at) => ['restore', '-o', '/proc/sluice/o.db', `file://${at}/bucket`],
    code: 1,
    says: /^sluice: create a file beside \/proc\/sluice\/o\.db: .*; choose another path \(-o\)/,
  },
  {
    name: 'a restore to a special file',
    words: (at) => {
      execFileSync('sh', ['-c', 'mkfifo "$0"', `${at}/text.db-pipe`]);
      return ['restore', '-force', '-o', `${at}/text.db-pipe`, `file://${at}/bucket`];
    },
    code: 8,
    says: /text\.db-pipe: it is not a regular file; choose another path \(-o\)/,
  },
  {
    name: 'a restore to a name that is too long',
    words: (at) => ['restore', '-o', `${at}/${'x'.repeat(300)}`, `file://${at}/bucket`],
    code: 1,
    says: /ENAMETOOLONG.*choose a shorter name \(-o\) \(RESTORE_OUTPUT\)/,
  },
  {
    name: 'a restore to a broken link',
    words: (at) => {
      fs.symlinkSync(`${at}/not/there.db`, `${at}/link.db`);
      return ['restore', '-o', `${at}/link.db`, `file://${at}/bucket`];
    },
    code: 1,
    says: /link\.db: it is a link to .*not\/there\.db, whose folder does not exist/,
  },
  {
    name: 'a restore without a backup',
    words: (at) => ['restore', '-o', `${at}/o.db`, `file://${at}/empty`],
    code: 4,
    says: /there is no backup: there are no LTX files at file \(file:\/\/.*\/empty\) \(RESTORE_NO_SNAPSHOT\)/,
  },
  {
    name: 'a configuration that is a folder',
    words: (at) => ['databases', '-config', `${at}/empty`],
    code: 2,
    says: /read the configuration .*EISDIR.*check the path \(-config\)/,
  },
  {
    name: 'a configuration of unlimited size',
    words: () => ['databases', '-config', '/dev/zero'],
    code: 2,
    says: /\/dev\/zero: it has more than \d+ bytes; check the path/,
  },
  {
    name: 'a missing command',
    words: (at) => ['replicate', '-exec', 'no-such-command', `${at}/app.db`, `file://${at}/d`],
    code: 2,
    says: /-exec: start no-such-command: .*; check that it exists, is in PATH, and is executable/,
  },
  {
    name: 'the status of a database below a file',
    words: (at) => {
      const text = `dbs: [{ path: ${at}/text.db/app.db, replica: { path: ${at}/d } }]\n`;
      return ['status', '-config', writeFile(temporaryFolder(), 's.yml', text)];
    },
    code: 9,
    says: /ENOTDIR.*check the path \(DATABASE_INVALID\)/,
  },
];

test.each(MISTAKES)('$name', async ({ words, code: expected, says }) => {
  const folder = temporaryFolder();
  addRows(path.join(folder, 'app.db'), 1);
  writeFile(folder, 'text.db', 'a text, not a database'.repeat(100));
  fs.mkdirSync(path.join(folder, 'empty'));
  fs.renameSync(goldenBucket(), path.join(folder, 'bucket'));

  const line = words(folder);
  const isShort = line[0] !== 'replicate'; // replicate starts threads
  const { code, stdout, stderr } = await (isShort ? sluice(line) : runProcess(line));
  const printed = stdout + stderr;
  expect(printed).toMatch(says);
  expect(code, printed).toBe(expected);
  expect(printed).not.toMatch(/^ {4}at /m);
  const codes = [...printed.matchAll(/code=(\w+)|\((\w+)\)$/gm)].map(
    ([, log, error]) => log ?? error,
  );
  for (const each of codes) expect(Object.keys(ERROR_CODES)).toContain(each);
  // The cause is reported once, also if a destination is behind because of it.
  expect(new Set(codes).size, printed).toBe(1);
  // A failure that ends a command is printed once.
  const lines = stderr.trim().split('\n');
  if (isShort) expect(lines).toHaveLength(1);
  const created = fs
    .readdirSync(folder)
    .filter((name) => !/^(app|text|link)\.db|^\.app/.test(name));
  expect(created.filter((name) => !['bucket', 'd', 'empty', 'm'].includes(name))).toEqual([]);
});
