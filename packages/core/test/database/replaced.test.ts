/**
 * The database file is replaced while it is followed. A sync, a commit or a checkpoint of ours right
 * after that checks the file first, even if the next periodic check is not due.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { Engine } from '../../src/database/engine.ts';
import { Watched } from './watched.ts';

const WAYS = ['mv', 'cp'] as const;
const REPLACED = { code: 'DATABASE_REPLACED' };

/** Follows a database with nothing left to checkpoint: then every write to the file is foreign. */
async function followed(watched: Watched): Promise<Engine> {
  watched.commit();
  const engine = watched.start({ minCheckpointPageCount: 1 });
  await watched.next('staged');
  watched.commit();
  await engine.sync();
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  await engine.sync();
  watched.clock.stop(); // disables the periodic check
  return engine;
}

/** Another database with as many pages as the wal-index records. With another number SQLite would fail. */
function another(watched: Watched): string {
  const file = path.join(watched.folder, 'other.db');
  const other = new Database(file);
  other.pragma('journal_mode=wal');
  other.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v)');
  other.pragma('user_version=7');
  other.close();
  return file;
}

function commitRows({ path: file }: Watched, rows: number): void {
  const script = path.join(import.meta.dirname, 'commit-rows.mjs');
  const { signal } = spawnSync(process.execPath, [script, file, String(rows)]);
  expect(signal).toBe('SIGKILL');
}

/** Reads in another process: within one process, SQLite uses the old wal-index for the new file. */
function readRows({ path: file }: Watched): string {
  const script = path.join(import.meta.dirname, 'read-rows.mjs');
  return execFileSync(process.execPath, [script, file], { encoding: 'utf8' });
}

describe.for(WAYS)('right after %s', (way) => {
  test('a sync fails', async () => {
    const watched = new Watched();
    const other = another(watched);
    const engine = await followed(watched);
    execFileSync(way, [other, watched.path]);
    await expect(engine.sync()).rejects.toMatchObject(REPLACED);
  });

  test('a commit to the new file is not staged as a continuation', async () => {
    const watched = new Watched();
    const other = another(watched);
    const engine = await followed(watched);
    const from = watched.events.length;
    execFileSync(way, [other, watched.path]);
    commitRows(watched, 1);
    await expect(engine.sync()).rejects.toMatchObject(REPLACED);
    const opened = await watched.next('opened', () => true, from);
    expect(opened.proved).toBeUndefined();
    const before = watched.events.slice(from, watched.events.indexOf(opened));
    expect(before.filter(({ kind }) => kind === 'staged')).toEqual([]);
  });
});

test.for(WAYS)('until a check detects %s, no later commit counts as held', async (way) => {
  const watched = new Watched();
  const other = another(watched);
  const engine = await followed(watched);
  watched.clock.run();
  await engine.sync();
  const replacedAt = watched.clock.monotonic();
  execFileSync(way, [other, watched.path]);
  let lookedAt = 0;
  while (watched.all('failed').length === 0) {
    lookedAt = Math.max(lookedAt, watched.gauges.get('lookedAt'));
    await setImmediate();
  }
  expect(watched.all('failed')[0]).toMatchObject(REPLACED);
  expect(lookedAt).toBeLessThanOrEqual(replacedAt);
});

test('after a start, a checkpoint does not explain a copy over the file', async () => {
  const watched = new Watched();
  const other = another(watched);
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  watched.commit();
  await engine.sync();
  const from = watched.events.length;
  engine.reopen(new Error('the test opens it again')); // the log is not backfilled
  const opened = await watched.next('opened', () => true, from);
  expect(opened.proved).toBeDefined();
  await expect.poll(() => engine.sync()).toBeDefined(); // it has resumed
  watched.clock.stop(); // no check sees the state between the two
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  execFileSync('cp', [other, watched.path]);
  await expect(engine.sync()).rejects.toMatchObject(REPLACED);
});

test('our checkpoints never backfill the log of a file that we do not have open', async () => {
  const watched = new Watched();
  const other = another(watched);
  const engine = await followed(watched);
  execFileSync('mv', [other, watched.path]);
  commitRows(watched, 50);
  await expect(engine.sync()).rejects.toMatchObject(REPLACED);
  expect(readRows(watched)).toBe('50 rows, ok\n');
});
