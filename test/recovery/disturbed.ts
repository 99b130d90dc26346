/** An engine in the test's thread, and an application that commits between any two of its steps. */

import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { completeOptions } from '@sluice/core';
import { onTestFinished } from 'vitest';
import { Engine } from '../../packages/core/src/database/engine.ts';
import type { EngineEvent } from '../../packages/core/src/database/events.ts';
import type { StagedFile } from '../../packages/core/src/database/staging/staging.ts';
import { systemClock } from '../../packages/core/src/clock.ts';
import { Gauges } from '../../packages/core/src/database/gauges.ts';
import { systemFiles } from '../../packages/core/src/file-system.ts';
import { systemRandom } from '../../packages/core/src/random.ts';
import { createKernel } from '../../packages/core/src/kernel/kernel.ts';
import type { Random } from '../../packages/core/test/support/random.ts';
import { App } from './app.ts';

/** The engine copies 1 MiB per step. */
const DATABASE_BYTES = 12 * 1024 * 1024;
const ROW_BYTES_MAX = 1_000;

export class Disturbed {
  readonly app: App;
  /** Bytes of the database at the moment when each TXID was assigned. */
  readonly truth = new Map<bigint, Buffer>();
  readonly counts = { steps: 0, commits: 0, checkpoints: 0, restarts: 0 };
  readonly #random: Random;
  readonly #engine: Engine;
  readonly #staged: (EngineEvent & { kind: 'staged' })[] = [];
  #failure: string | undefined;
  #salts = '';

  constructor(
    { pageSize, pageEncoding }: { pageSize: number; pageEncoding: 'block' | 'frame' },
    random: Random,
  ) {
    this.#random = random;
    this.app = new App(pageSize);
    this.app.db.pragma('busy_timeout=0'); // a checkpoint that waited would block the engine's thread
    this.app.db.exec('CREATE TABLE p(id INTEGER PRIMARY KEY, a BLOB)');
    const rows = Math.ceil(DATABASE_BYTES / ROW_BYTES_MAX) * 2;
    const fill = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) ';
    this.app.db
      .prepare(`${fill} INSERT INTO p(a) SELECT randomblob(abs(random()) % ?) FROM n`)
      .run(rows, ROW_BYTES_MAX);
    this.#engine = new Engine({
      options: completeOptions({ path: this.app.path, syncIntervalMs: 5, pageEncoding }),
      kernel: createKernel(),
      clock: systemClock,
      random: systemRandom,
      files: systemFiles,
      gauges: Gauges.create(systemClock.monotonic()),
      emit: this.#onEvent,
    });
    onTestFinished(() => this.#engine.close());
    this.#engine.start();
  }

  async imaged(): Promise<bigint> {
    return await this.#until('image', 0n);
  }

  async snapshot(): Promise<bigint> {
    this.#engine.snapshot();
    return await this.#until('snapshot', 0n);
  }

  async imagedAgain(): Promise<bigint> {
    const head = this.#staged.at(-1)?.file.maxTXID ?? 0n;
    this.#engine.image({ floor: head, why: 'requested by the test' });
    return await this.#until('image', head);
  }

  async end(): Promise<bigint> {
    const txid = await this.#engine.sync();
    if (txid === undefined) throw new Error(this.#failure ?? 'no database is replicated');
    this.truth.set(txid, this.app.bytes());
    return txid;
  }

  /** Fills one bucket with level 0 only, and one that starts with the snapshot of `txid`. */
  fillBuckets(txid: bigint): void {
    for (const { content, file } of this.#staged) {
      if (content !== 'snapshot') this.#put('chain', file);
      if (content === 'snapshot' || file.maxTXID >= txid) this.#put('snapshot', file);
    }
  }

  /** Makes commits and checkpoints until such a file above TXID `above` is staged, and once more. */
  async #until(content: 'image' | 'snapshot', above: bigint): Promise<bigint> {
    for (;;) {
      if (this.#failure !== undefined) throw new Error(this.#failure);
      const found = this.#staged.find(
        (event) => event.content === content && event.file.maxTXID > above,
      );
      this.#disturb();
      await nextTurn();
      if (found !== undefined) return found.file.maxTXID;
    }
  }

  readonly #onEvent = (event: EngineEvent): void => {
    switch (event.kind) {
      case 'opened':
        setImmediate(() => this.#engine.begin({ mode: 'image', floor: 0n, why: event.why ?? '' }));
        return;
      case 'progress':
        this.counts.steps += 1;
        this.#disturb();
        return;
      case 'imaging':
        this.truth.set(event.txid, this.app.bytes());
        return;
      case 'staged':
        this.#staged.push(event);
        return;
      case 'failed':
      case 'full':
      case 'no-snapshot':
        this.#failure = event.message;
        return;
      case 'waiting':
      case 'compared':
      case 'notice':
        return;
    }
  };

  #put(bucket: string, { level, path: staged }: StagedFile): void {
    const folder = path.join(this.app.bucket(bucket), 'ltx', String(level));
    fs.mkdirSync(folder, { recursive: true });
    fs.copyFileSync(staged, path.join(folder, path.basename(staged)));
  }

  #disturb(): void {
    const random = this.#random;
    for (let commits = random.int(1, 3); commits > 0; commits--) {
      this.#commit();
      this.counts.commits += 1;
    }
    if (!random.chance(0.2)) return;
    const mode = random.pick(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']);
    const [result] = this.app.db.pragma(`wal_checkpoint(${mode})`) as { busy: number }[];
    if (result?.busy === 0) this.counts.checkpoints += 1;
    const salts = this.#readSalts();
    if (salts !== this.#salts) this.counts.restarts += 1;
    this.#salts = salts;
  }

  #commit(): void {
    const { db } = this.app;
    const random = this.#random;
    const { last } = db.prepare('SELECT max(id) AS last FROM p').get() as { last: number };
    const from = random.int(1, last);
    const to = from + (random.chance(0.1) ? 200 : random.int(0, 3));
    const choice = random.next();
    if (choice < 0.7) {
      const change = 'UPDATE p SET a = randomblob(abs(random()) % ?) WHERE id BETWEEN ? AND ?';
      db.prepare(change).run(ROW_BYTES_MAX, from, to);
    } else if (choice < 0.9) {
      db.prepare('INSERT INTO p(a) VALUES(randomblob(?))').run(random.int(0, ROW_BYTES_MAX * 20));
    } else if (choice < 0.998) {
      db.prepare('DELETE FROM p WHERE id BETWEEN ? AND ?').run(from, to);
    } else {
      db.exec('VACUUM');
    }
  }

  /** Salts of the current WAL. Reading the WAL drops no lock. */
  #readSalts(): string {
    const bytes = Buffer.alloc(24);
    const descriptor = fs.openSync(`${this.app.path}-wal`, 'r');
    fs.readSync(descriptor, bytes, 0, bytes.length, 0);
    fs.closeSync(descriptor);
    return bytes.subarray(16).toString('hex');
  }
}
