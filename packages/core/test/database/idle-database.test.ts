/** A database that nothing is committed to is closed, and opened again when its files change. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { toPosition, type Position } from '../../src/database/continuity/position.ts';
import type { Engine } from '../../src/database/engine.ts';
import { Gauges } from '../../src/database/gauges.ts';
import { IdlePolls } from '../../src/database/idle/idle-polls.ts';
import { IdleDatabase, readIdleFiles, type IdleFiles } from '../../src/database/idle-database.ts';
import type { OpenDatabase } from '../../src/database/opening.ts';
import { Rest, type RestContext, type RestHost } from '../../src/database/rest.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { toTXID } from '../../src/ltx/txid.ts';
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

test(
  'a database that was opened again has no open descriptors either',
  { timeout: 3 * WAIT_MS },
  async () => {
    const watched = new Watched();
    watched.commit();
    const engine = watched.start({ idleCloseMs: IDLE_MS });
    await watched.next('staged');
    engine.reopen(new Error('a test asks for it'));
    await watched.next('failed');
    await watched.next('opened', () => true, watched.events.length);
    await rest({ watched, engine });
    watched.app.close();
    expect(descriptors(watched.path)).toBe(0);
  },
);

test('the checkpoint before it is closed is counted', { timeout: 2 * WAIT_MS }, async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start({ idleCloseMs: IDLE_MS });
  await watched.next('staged');
  await rest({ watched, engine });
  expect(watched.gauges.get('checkpoints')).toBeGreaterThan(0);
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

/** A time that is set to the nanosecond. */
const WHOLE_SECONDS = 1_700_000_000;

interface Files {
  /** What `readIdleFiles` is given. */
  readonly database: OpenDatabase;
  readonly files: IdleFiles;
  readonly idle: IdleDatabase;
  readonly app: Database.Database;
  readonly log: string;
  /** Number of frames in the log. Its file is longer: it has frames of the log before. */
  readonly frames: number;
}

const FRAME_BYTES = 24 + 4096;

/**
 * A backfilled database, and its watch, which checks only when it is asked. `name`: the path in the configuration, if it
 * is a symbolic link in the same folder.
 */
function backfilled(name?: string): Files {
  const watched = new Watched();
  const { app, path } = watched;
  watched.commit(100_000);
  app.pragma('wal_checkpoint(PASSIVE)');
  watched.commit();
  const [{ log: frames }] = app.pragma('wal_checkpoint(PASSIVE)') as [{ log: number }];
  const log = `${path}-wal`;
  for (const file of [path, log]) fs.utimesSync(file, WHOLE_SECONDS, WHOLE_SECONDS);
  const kernel = createKernel();
  const wal = new WALReader(log, kernel);
  const header = wal.readHeader();
  expect(fs.statSync(log).size).toBeGreaterThan(32 + (frames + 1) * FRAME_BYTES);
  const place = { header, frame: frames, checksum: { s0: 0, s1: 0 } };
  const configured = name === undefined ? path : path.replace(/[^/]+$/, name);
  if (name !== undefined) fs.symlinkSync(path, configured);
  const database = { path, wal, follower: { place } } as OpenDatabase;
  const files = readIdleFiles(database, configured, 1n) as IdleFiles;
  wal.close();
  const idle = new IdleDatabase({
    files,
    ...{ kernel, clock: systemClock, gauges: Gauges.create(0) },
    options: { monitorIntervalMs: 3_600_000, maxLagMs: 3_600_000 },
    polls: new IdlePolls(),
    onChange: () => undefined,
  });
  idle.close(); // only its watchers
  return { database, files, idle, app, log, frames };
}

/** Runs `work`, and sets back the modification time of the file. */
function withTimesKept(file: string, work: () => void): void {
  const { size, mtimeNs } = fs.statSync(file, { bigint: true });
  work();
  fs.utimesSync(file, WHOLE_SECONDS, WHOLE_SECONDS);
  expect(fs.statSync(file, { bigint: true })).toMatchObject({ size, mtimeNs });
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

test('a database that was overwritten is a change, whatever its modification time', () => {
  const { idle: files, app } = backfilled();
  withTimesKept(app.name, () => {
    const bytes = fs.readFileSync(app.name);
    const file = fs.openSync(app.name, 'r+');
    fs.writeSync(file, bytes.toReversed(), 0, bytes.length, 0);
    fs.closeSync(file);
  });
  expect(files.hasChanged()).toBe(true);
});

/** Writes a frame with the salts of the log after its last one. */
function addFrame({ log, frames }: Files): void {
  const frame = fs.readFileSync(log).subarray(32, 32 + FRAME_BYTES);
  const file = fs.openSync(log, 'r+');
  fs.writeSync(file, frame, 0, FRAME_BYTES, 32 + frames * FRAME_BYTES);
  fs.closeSync(file);
}

test('another file behind a symbolic link is a change', () => {
  const { idle: files, app } = backfilled('link.db');
  expect(files.hasChanged()).toBe(false);
  const link = app.name.replace(/[^/]+$/, 'link.db');
  fs.rmSync(link);
  fs.copyFileSync(app.name, `${link}-other`);
  fs.symlinkSync(`${link}-other`, link);
  expect(files.hasChanged()).toBe(true);
});

test('a database with a frame after the last one is not closed', () => {
  const scene = backfilled();
  addFrame(scene);
  expect(readIdleFiles(scene.database, scene.app.name, 1n)).toBeUndefined();
  scene.database.wal.close();
});

test('a database is not closed if it is not as its position was recorded', () => {
  const { app, database, files } = backfilled();
  const place = { ...database.follower.place, frame: 1 };
  const at = (commit: number): Position =>
    toPosition({ txid: toTXID(1n), pageSize: 4096, commit, lineage: 1n }, place, {
      file: { ...files.stamp, firstPage: 0n },
      atRest: true,
    });
  let now: Position | undefined = at(1);
  let closed = 0;
  const rest = new Rest(
    {
      database,
      options: { path: app.name, idleCloseMs: 1 },
      cutter: { head: { txid: toTXID(1n) }, publisher: { stored: at(1) } },
      position: { read: () => now },
      clock: systemClock,
    } as unknown as RestContext,
    {
      mayRest: true,
      try: (work: () => unknown) => work(),
      closeAtRest: () => void (closed += 1),
    } as unknown as RestHost,
  );
  for (now of [undefined, at(2)]) expect(rest.close()).toBeUndefined();
  expect(closed).toBe(0);
  now = at(1);
  expect(rest.close()).toEqual(files);
  expect(closed).toBe(1);
  database.wal.close();
});

test('a frame after the last one is a change, whatever the times of the file', () => {
  const scene = backfilled();
  const { idle: files, app, log } = scene;
  expect(files.hasChanged()).toBe(false);
  withTimesKept(log, () => addFrame(scene));
  expect(files.hasChanged()).toBe(true);
  app.close();
});
