/** A warm copy follows a bucket that Litestream writes, compacts and cleans up, also across restarts. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { Litestream } from './litestream.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const ROUNDS = 4;
const ROWS_PER_ROUND = 30;

describeWith(['litestream-0.5.17'], 'a warm copy of a bucket of Litestream', () => {
  test('has every commit, also after a stop', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder('warm-copy');
    const file = path.join(folder, 'app.db');
    const bucket = path.join(folder, 'bucket');
    const copy = path.join(folder, 'copy.db');
    const database = new Database(file);
    onTestFinished(() => void database.close());
    database.pragma('journal_mode = wal');
    database.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)');
    const add = database.prepare('INSERT INTO notes (text) VALUES (hex(randomblob(300)))');
    add.run();
    const litestream = new Litestream(needTool('litestream-0.5.17'), file, bucket);
    litestream.start();
    onTestFinished(() => litestream.stop('SIGKILL'));
    await until('a first file', () => fs.existsSync(path.join(bucket, 'ltx', '0')), 20_000);

    for (let round = 1; round <= ROUNDS; round++) {
      const follower = follow(copy, bucket);
      for (let row = 0; row < ROWS_PER_ROUND; row++) add.run();
      if (round === 2) database.exec('DELETE FROM notes WHERE id % 3 = 0; VACUUM');
      await until('the copy equals the source', () => hashOf(copy) === hashOf(file), 30_000);
      follower.kill(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await once(follower, 'exit');
      for (let row = 0; row < ROWS_PER_ROUND; row++) add.run();
    }
    expect(integrityOf(copy)).toBe('ok');
  });
});

function follow(copy: string, bucket: string): ChildProcess {
  const words = ['restore', '-f', '-follow-interval', '200ms', '-o', copy, `file://${bucket}`];
  const child = spawn(process.execPath, [CLI, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Of all rows; undefined while there is no copy. */
function hashOf(file: string): string | undefined {
  if (!fs.existsSync(file)) return undefined;
  const database = new Database(file, { timeout: 10_000 });
  try {
    const rows = database.prepare('SELECT id, text FROM notes ORDER BY id').raw().all();
    return JSON.stringify(rows);
  } finally {
    database.close();
  }
}

function integrityOf(file: string): unknown {
  const database = new Database(file);
  try {
    return database.pragma('integrity_check', { simple: true });
  } finally {
    database.close();
  }
}
