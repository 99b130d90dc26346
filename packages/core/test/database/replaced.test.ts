/**
 * The database file is replaced while it is followed, and right after that somebody asks, commits, or
 * a checkpoint of ours is due: the file is looked at first, not only when the next check is due.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { Engine } from '../../src/database/engine.ts';
import { Watched } from './watched.ts';

const WAYS = ['mv', 'cp'] as const;
const REPLACED = { code: 'DATABASE_REPLACED' };

/** Followed, with nothing left to checkpoint: then all that is written to the file is somebody else's. */
async function followed(watched: Watched): Promise<Engine> {
  watched.commit();
  const engine = watched.start({ minCheckpointPageCount: 1 });
  await watched.next('staged');
  watched.commit();
  await engine.sync();
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  await engine.sync();
  watched.clock.stop(); // the check that is made now and then does not come
  return engine;
}

/** Another database, of as many pages: else SQLite, which has the number in the wal-index, is lost at once. */
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

/** As another process sees it: within one process SQLite takes the wal-index of a new file for its own. */
function readRows({ path: file }: Watched): string {
  const script = path.join(import.meta.dirname, 'read-rows.mjs');
  return execFileSync(process.execPath, [script, file], { encoding: 'utf8' });
}

describe.for(WAYS)('right after %s', (way) => {
  test('a sync is refused', async () => {
    const watched = new Watched();
    const other = another(watched);
    const engine = await followed(watched);
    execFileSync(way, [other, watched.path]);
    await expect(engine.sync()).rejects.toMatchObject(REPLACED);
  });

  test('what is committed to the new file is not staged as if it followed', async () => {
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

test('no checkpoint of ours takes commits out of the log of a file that we do not have open', async () => {
  const watched = new Watched();
  const other = another(watched);
  const engine = await followed(watched);
  execFileSync('mv', [other, watched.path]);
  commitRows(watched, 50);
  await expect(engine.sync()).rejects.toMatchObject(REPLACED);
  expect(readRows(watched)).toBe('50 rows, ok\n');
});
