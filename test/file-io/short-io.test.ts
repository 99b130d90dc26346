/** The command with short reads and writes, which system calls may return. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const PRELOAD = new URL('short-io.mjs', import.meta.url).href;
const ROWS = 400;
const SEEDS = [1, 2, 3];

async function sluice(seed: number, ...words: string[]): Promise<string> {
  const env = { ...process.env, SHORT_IO_SEED: String(seed) };
  const args = ['--import', PRELOAD, CLI, ...words];
  return (await promisify(execFile)(process.execPath, args, { env })).stderr;
}

function rowsOf(file: string): unknown[] {
  const database = new Database(file, { readonly: true });
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    return database.prepare('SELECT id, v FROM t ORDER BY id').all();
  } finally {
    database.close();
  }
}

test.each(SEEDS)(
  'a backup with short reads and writes restores correctly (seed %i)',
  async (seed) => {
    const folder = temporaryFolder('short-io');
    const file = path.join(folder, 'app.db');
    const destination = `file://${folder}/backup`;
    const app = new Database(file);
    onTestFinished(() => void app.close());
    app.pragma('journal_mode=wal');
    app.pragma('wal_autocheckpoint=0');
    app.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)');
    const insert = app.prepare('INSERT INTO t(v) VALUES (randomblob(3000))');
    const fill = app.transaction(() => {
      for (let row = 0; row < ROWS; row++) insert.run();
    });
    fill();
    app.pragma('wal_checkpoint(TRUNCATE)');
    // The full snapshot takes these pages from the WAL and the rest from the database file.
    app.exec('UPDATE t SET v = randomblob(3000) WHERE id % 3 = 0');
    await sluice(seed, 'replicate', '-once', file, destination);
    app.exec('UPDATE t SET v = randomblob(3000) WHERE id % 5 = 0');
    await sluice(seed, 'replicate', '-once', file, destination);
    const restored = path.join(folder, 'restored.db');
    await sluice(seed, 'restore', '-o', restored, destination);
    expect(rowsOf(restored)).toEqual(rowsOf(file));
  },
);
