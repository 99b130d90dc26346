/** A database that nothing is committed to is closed, and opened again when its files change. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Engine } from '../../src/database/engine.ts';
import { Gauges } from '../../src/database/gauges.ts';
import { IdlePolls } from '../../src/database/idle/idle-polls.ts';
import { IdleDatabase, readIdleFiles, type IdleFiles } from '../../src/database/idle-database.ts';
import type { OpenDatabase } from '../../src/database/opening.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { WALReader } from '../../src/wal/reader.ts';
import { Watched } from './watched.ts';

const IDLE_MS = 10_000;
/** Of each wait for an event. */
const WAIT_MS = 30_000;

interface Idle {
  readonly watched: Watched;
  readonly engine: Engine;
}

/** Waits until the engine has closed its database. */
async function rest({ watched, engine }: Idle): Promise<void> {
  await expect
    .poll(
      () => {
        watched.clock.advance(IDLE_MS);
        return engine.stats();
      },
      { interval: 50, timeout: WAIT_MS },
    )
    .toBeUndefined();
}

async function idle(unproved: 'changes' | 'image' = 'changes'): Promise<Idle> {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start({ idleCloseMs: IDLE_MS, minCheckpointPageCount: 1, unproved });
  await watched.next('staged');
  await engine.sync();
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  const scene = { watched, engine };
  await rest(scene);
  return scene;
}

/** The next event that follows the `opened` event after the database was idle. */
async function reopened({ watched }: Idle) {
  return await watched.next('opened', ({ after }) => after === 'idle');
}

/** Descriptors of this process for files of the database. */
function descriptors(path: string): number {
  return fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

test('an idle database has no open descriptors', { timeout: 2 * WAIT_MS }, async () => {
  const { watched } = await idle();
  watched.app.close();
  expect(descriptors(watched.path)).toBe(0);
});

test('a commit opens it, with proof, and is staged', { timeout: 3 * WAIT_MS }, async () => {
  const scene = await idle();
  const { watched, engine } = scene;
  const before = watched.all('staged').length;
  watched.commit();
  const staged = await watched.next('staged', () => true, watched.events.length);
  expect((await reopened(scene)).proved).toBe(1n);
  expect(staged).toMatchObject({ content: 'increment', file: { maxTXID: 2n } });
  expect(watched.all('staged')).toHaveLength(before + 1);
  await rest(scene);
  watched.commit();
  expect(await engine.sync()).toBe(3n);
});

test('a sync of an unchanged database does not open it', { timeout: 2 * WAIT_MS }, async () => {
  const { watched, engine } = await idle();
  const since = Math.floor(watched.clock.monotonic());
  expect(await engine.sync()).toBe(1n);
  expect(watched.gauges.get('stagedAsOf')).toBeGreaterThanOrEqual(since);
  expect(watched.all('opened')).toHaveLength(1);
});

test('a sync right after a commit stages it', { timeout: 2 * WAIT_MS }, async () => {
  const { watched, engine } = await idle();
  watched.commit();
  const both = await Promise.all([engine.sync(), engine.sync()]);
  expect(both).toEqual([2n, 2n]);
});

test('a commit that continues the log opens it', { timeout: 2 * WAIT_MS }, async () => {
  const watched = new Watched();
  watched.commit();
  // It holds a mark at the end of the log, so the log cannot restart.
  const reader = new Database(watched.path);
  onTestFinished(() => void reader.close());
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM t').get();
  const engine = watched.start({ idleCloseMs: IDLE_MS });
  await watched.next('staged');
  await engine.sync();
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  const scene = { watched, engine };
  await rest(scene);
  const size = fs.statSync(`${watched.path}-wal`).size;
  watched.commit();
  expect(fs.statSync(`${watched.path}-wal`).size).toBeGreaterThan(size);
  const { proved } = await reopened(scene);
  expect(proved).toBe(1n);
  expect(await engine.sync()).toBe(2n);
});

test(
  'what was committed and checkpointed while it was closed is compared',
  { timeout: 2 * WAIT_MS },
  async () => {
    const scene = await idle();
    const { watched, engine } = scene;
    watched.commit();
    watched.app.pragma('wal_checkpoint(TRUNCATE)');
    watched.commit();
    expect(await engine.sync()).toBe(2n);
    expect((await reopened(scene)).proved).toBeUndefined();
    expect(watched.all('compared')).toHaveLength(1);
  },
);

test('a replaced file is not taken for the old one', { timeout: 2 * WAIT_MS }, async () => {
  const scene = await idle('image');
  const { watched } = scene;
  watched.app.close();
  const other = `${watched.path}.new`;
  const database = new Database(other);
  database.exec('PRAGMA journal_mode=wal; CREATE TABLE other(a)');
  database.close();
  for (const suffix of ['-wal', '-shm']) fs.rmSync(`${watched.path}${suffix}`, { force: true });
  fs.renameSync(other, watched.path);
  expect((await reopened(scene)).proved).toBeUndefined();
});

test('requests while it is closed are kept', { timeout: 2 * WAIT_MS }, async () => {
  const { watched, engine } = await idle();
  engine.snapshot();
  expect(await watched.next('staged', ({ content }) => content === 'snapshot')).toMatchObject({
    file: { maxTXID: 1n },
  });
  engine.image({ floor: 6n, why: 'a test asks for it' });
  expect(await watched.next('staged', ({ file }) => file.maxTXID > 1n)).toMatchObject({
    content: 'image',
    file: { maxTXID: 7n },
  });
});

test(
  'an image that is requested while it is closed is made',
  { timeout: 2 * WAIT_MS },
  async () => {
    const { watched, engine } = await idle();
    engine.image({ floor: 6n, why: 'a test asks for it' });
    expect(await watched.next('staged', ({ file }) => file.maxTXID > 1n)).toMatchObject({
      content: 'image',
      file: { maxTXID: 7n },
    });
  },
);

test('a close leaves no log, and the next start is proved', { timeout: 2 * WAIT_MS }, async () => {
  const { watched, engine } = await idle();
  watched.app.close();
  fs.writeFileSync(`${watched.path}-wal.seen`, ''); // a file beside it does not matter
  await engine.close();
  expect(fs.existsSync(`${watched.path}-wal`)).toBe(false);
  const from = watched.events.length;
  watched.start();
  expect((await watched.next('opened', () => true, from)).proved).toBe(1n);
});

test(
  'a close keeps a commit that was not seen for the next start',
  { timeout: 2 * WAIT_MS },
  async () => {
    const { watched, engine } = await idle();
    watched.commit();
    await engine.close();
    const from = watched.events.length;
    const next = watched.start();
    expect((await watched.next('opened', () => true, from)).proved).toBe(1n);
    await watched.next('staged', () => true, from);
    expect(await next.sync()).toBe(2n);
  },
);

// --- what counts as a change ---

interface Files {
  readonly idle: IdleDatabase;
  readonly app: Database.Database;
  readonly log: string;
}

/** A backfilled database, and its watch, which checks only when it is asked. */
function backfilled(): Files {
  const watched = new Watched();
  const { app, path } = watched;
  watched.commit();
  app.pragma('wal_checkpoint(PASSIVE)');
  const kernel = createKernel();
  const wal = new WALReader(`${path}-wal`, kernel);
  const header = wal.readHeader();
  const bytes = fs.statSync(`${path}-wal`).size - 32;
  const place = { header, frame: bytes / (4096 + 24), checksum: { s0: 0, s1: 0 } };
  const files = readIdleFiles({ path, wal, follower: { place } } as OpenDatabase, path, 1n);
  wal.close();
  const idle = new IdleDatabase({
    files: files as IdleFiles,
    ...{ kernel, clock: systemClock, gauges: Gauges.create(0) },
    options: { monitorIntervalMs: 3_600_000, maxLagMs: 3_600_000 },
    polls: new IdlePolls(),
    onChange: () => undefined,
  });
  idle.close(); // only its watchers
  return { idle, app, log: `${path}-wal` };
}

/** Runs `work` and sets back the times of the file. */
function withTimesKept(file: string, work: () => void): void {
  const { atime, mtime, size } = fs.statSync(file);
  work();
  expect(fs.statSync(file).size).toBe(size);
  fs.utimesSync(file, atime, mtime);
}

test('nothing has changed without a commit', () => {
  const { idle: files, app } = backfilled();
  app.prepare('SELECT count(*) FROM t').get();
  expect(files.hasChanged()).toBe(false);
});

test('a restarted log is a change, whatever the times of the file', () => {
  const { idle: files, app, log } = backfilled();
  withTimesKept(log, () => app.prepare("INSERT INTO t(v) VALUES ('a')").run());
  expect(files.hasChanged()).toBe(true);
});

test('a frame after the last one is a change, whatever the times of the file', () => {
  const { idle: files, app, log } = backfilled();
  expect(files.hasChanged()).toBe(false);
  const { size } = fs.statSync(log);
  fs.appendFileSync(log, fs.readFileSync(log).subarray(32, 32 + 24 + 4096)); // the salts of this log
  fs.truncateSync(log, size + 24 + 4096);
  expect(files.hasChanged()).toBe(true);
  app.close();
});
