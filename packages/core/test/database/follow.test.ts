/** The log may restart at any moment in which SQLite allows it, also while it is read. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { NO_LOG } from '../../src/database/continuity/proof.ts';
import { LogFollower } from '../../src/database/follow.ts';
import { Connections } from '../../src/database/sqlite/connections.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { WALReader, type FrameBatch } from '../../src/wal/reader.ts';

/** Runs an action right before the frames are read, once. */
class InterruptedReader extends WALReader {
  interrupt: (() => void) | undefined;

  override readFrames(...order: Parameters<WALReader['readFrames']>): Generator<FrameBatch, void> {
    const interrupt = this.interrupt;
    this.interrupt = undefined;
    interrupt?.();
    return super.readFrames(...order);
  }
}

class Scene {
  readonly path: string;
  readonly application: Database.Database;
  readonly connections: Connections;
  readonly wal: InterruptedReader;
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-follow-'));

  /** A log of a few frames that an application has backfilled, so that the reader gets lock 0. */
  constructor() {
    this.path = path.join(this.#folder, 'app.db');
    this.application = new Database(this.path);
    this.application.pragma('journal_mode=wal');
    this.application.exec('CREATE TABLE t(a)');
    this.application.exec('INSERT INTO t VALUES(1)');
    this.application.pragma('wal_checkpoint(PASSIVE)');
    const descriptor = fs.openSync(this.path, 'r');
    this.connections = new Connections(
      { path: this.path, busyTimeoutMs: 0, clock: systemClock },
      descriptor,
    );
    this.wal = new InterruptedReader(`${this.path}-wal`, createKernel());
    onTestFinished(() => {
      this.wal.close();
      this.connections.close('keep the log');
      this.application.close();
      fs.closeSync(descriptor);
      fs.rmSync(this.#folder, { recursive: true });
    });
  }
}

test('a log that restarts while an opened database is read for the first time is read again', () => {
  const { wal, connections, application } = new Scene();
  const follower = new LogFollower(connections, wal, NO_LOG, 'unknown');
  wal.interrupt = () => void application.exec('INSERT INTO t VALUES(2)');
  const commits: number[] = [];
  const tick = follower.tick((batch) => commits.push(...batch.commits));
  expect(tick).toMatchObject({ kind: 'held', log: 1, held: 1, fresh: 1 });
  expect(commits).toHaveLength(1);
});

test.each([
  ['everything before the log was known', 'known', 0],
  ['the whole log was held before', 'unknown', 1],
] as const)('such a restart violates the protocol if %s', (_, before, ticks) => {
  const { wal, connections, application, path: file } = new Scene();
  const follower = new LogFollower(connections, wal, NO_LOG, before);
  for (let tick = 0; tick < ticks; tick += 1) follower.tick(() => undefined);
  application.exec('INSERT INTO t VALUES(2)');
  if (ticks > 0) application.exec('INSERT INTO t VALUES(3)');
  wal.interrupt = () => {
    // SQLite would not do this: the log is overwritten, header and frames.
    fs.writeFileSync(`${file}-wal`, Buffer.alloc(100_000, 1), { flag: 'r+' });
  };
  expect(() => follower.tick(() => undefined)).toThrow(/^follow the WAL: frame \d+ of \d+ /);
});
