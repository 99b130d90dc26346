/**
 * A volume on which SQLite cannot make the index of a WAL, here because no file there may be large
 * enough: a database that works in another journal mode must go on working.
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
/** In blocks of 512 bytes: holds a small database, and not the 32 KiB of an index. */
const FILE_BLOCKS_MAX = 32;

function onSuchVolume(...words: string[]): Ended {
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

test('a database that cannot be in WAL mode where it lies is left as it is, and works', () => {
  const { file, config } = makeDatabase('delete');
  expect(onSuchVolume(APP, file).status).toBe(0);
  const { status, output } = onSuchVolume(CLI, 'replicate', '-once', '-config', config);
  expect(status).not.toBe(0);
  expect(output).toMatch(/DATABASE_NOT_WAL/);
  expect(output).toMatch(/the journal mode is still .*delete/);
  expect(output).toMatch(/file system .* mounted at \//);
  expect(onSuchVolume(APP, file)).toEqual({ status: 0, output: '' });
  const left = fs.readdirSync(path.dirname(file)).filter((name) => name.includes('trial'));
  expect(left).toEqual([]);
});

test('a database that can be in WAL mode is switched, and the trial leaves nothing', () => {
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

test('a database in WAL mode whose index cannot be made is told with its file system', () => {
  const { config } = makeDatabase('wal');
  const { status, output } = onSuchVolume(CLI, 'replicate', '-once', '-config', config);
  expect(status).not.toBe(0);
  expect(output).toMatch(/SQLITE_IOERR_SHM.*file system .* mounted at \//s);
});
