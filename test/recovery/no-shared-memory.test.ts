/**
 * A volume on which SQLite cannot create a wal-index, here because of a file size limit: a database
 * that works in another journal mode must keep working.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const APP = fileURLToPath(new URL('insert-row.mjs', import.meta.url));
/** In blocks of 512 bytes: enough for a small database, less than the 32 KiB of a wal-index. */
const FILE_BLOCKS_MAX = 32;

function runWithSmallFiles(...words: string[]): Ended {
  const script = `trap '' XFSZ; ulimit -f ${FILE_BLOCKS_MAX}; exec "$@"`;
  return run('sh', '-c', script, 'sh', process.execPath, ...words);
}

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

function run(...[program, ...words]: [string, ...string[]]): Ended {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function makeDatabase(mode: 'delete' | 'wal'): { file: string; config: string } {
  const folder = temporaryFolder('no-shared-memory');
  const file = path.join(folder, 'app.db');
  const database = new Database(file);
  database.pragma(`journal_mode=${mode}`);
  database.exec('CREATE TABLE t(v)');
  database.close();
  const config = path.join(folder, 'sluice.yml');
  const replicas = `replicas: [{ path: ${folder}/backup }]`;
  fs.writeFileSync(config, `shutdown-sync-timeout: 1s\ndbs: [{ path: ${file}, ${replicas} }]\n`);
  return { file, config };
}

test('a database on a volume without WAL support keeps its journal mode and keeps working', () => {
  const { file, config } = makeDatabase('delete');
  expect(runWithSmallFiles(APP, file).status).toBe(0);
  const { status, output } = runWithSmallFiles(CLI, 'replicate', '-once', '-config', config);
  expect(status).not.toBe(0);
  expect(output).toMatch(/DATABASE_NOT_WAL/);
  expect(output).toMatch(/the journal mode is still .*delete/);
  expect(output).toMatch(/file system .* mounted at \//);
  expect(runWithSmallFiles(APP, file)).toEqual({ status: 0, output: '' });
  const left = fs.readdirSync(path.dirname(file)).filter((name) => name.includes('trial'));
  expect(left).toEqual([]);
});

test('a database that supports WAL mode is switched to it, and the trial leaves no files', () => {
  const { file, config } = makeDatabase('delete');
  const trial = path.join(path.dirname(file), '.app.db-sluice-trial');
  fs.mkdirSync(trial); // a crash left it
  fs.writeFileSync(path.join(trial, 'database'), 'half');
  const { status, output } = run(process.execPath, CLI, 'replicate', '-once', '-config', config);
  expect([status, output]).toEqual([0, expect.stringContaining('WAL')]);
  const database = new Database(file, { readonly: true });
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
  database.close();
  expect(fs.existsSync(trial)).toBe(false);
});

test('if the wal-index cannot be created, the error names the file system', () => {
  const { config } = makeDatabase('wal');
  const { status, output } = runWithSmallFiles(CLI, 'replicate', '-once', '-config', config);
  expect(status).not.toBe(0);
  expect(output).toMatch(/SQLITE_IOERR_SHM.*file system .* mounted at \//s);
});
