/**
 * Random histories of an application and of an engine that dies between any two calls of the file system, by
 * a kill or by a power loss, and compares pages when it starts again. After every run, the staged files
 * lead to the database, byte for byte.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Engine } from '../../../src/database/engine.ts';
import { createKernel } from '../../../src/kernel/kernel.ts';
import { LTXDecoder } from '../../../src/ltx/decoder.ts';
import { MemoryFiles } from '../../support/memory-file-system.ts';
import { type Random, randomFrom, seedOf } from '../../support/random.ts';
import { Watched } from '../watched.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const HISTORIES = Number(process.env['SLUICE_HISTORIES'] ?? (IN_CI ? 200 : 25));
const RUNS = 5;
/** A run dies at one of so many calls of the file system; most take fewer. */
const CALLS_MAX = 150;

const kernel = createKernel();

class History {
  readonly #random: Random;
  readonly #watched = new Watched();
  readonly #files: MemoryFiles;
  readonly #level: string;
  #callsLeft = Infinity;
  /** Whether the test itself uses the file system. */
  #isReading = false;
  #app: Database.Database | undefined;
  compared = 0;
  deaths = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#level = `${this.#watched.metaPath}/ltx/0`;
    this.#files = new MemoryFiles({
      before: () => {
        if (this.#isReading) return;
        this.#callsLeft -= 1;
        if (this.#callsLeft < 0) throw new Error('the process was killed');
      },
    });
    const { app } = this;
    app.pragma(`page_size=${this.#random.pick([512, 4096])}`);
    app.pragma(`auto_vacuum=${this.#random.int(0, 2)}`);
    app.pragma('journal_mode=wal');
    app.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)');
    this.#commit(120);
    this.#keepCopy();
  }

  get app(): Database.Database {
    this.#app ??= new Database(this.#watched.path, { timeout: 0 });
    return this.#app;
  }

  /** Returns the first difference between the staged files and the database. */
  async run(): Promise<string | undefined> {
    const random = this.#random;
    this.#callsLeft = random.chance(0.6) ? random.int(1, CALLS_MAX) : Infinity;
    const from = this.#watched.events.length;
    const engine = this.#watched.start({ files: this.#files, unproved: 'changes' });
    let why: string | undefined;
    for (let step = 0; step < 3 && why === undefined && this.#callsLeft >= 0; step++) {
      if (await this.#hasSynced(engine, from)) why = await this.#differences();
      this.#commit(random.int(1, 30));
      if (random.chance(0.3)) this.#checkpoint();
      await engine.sync().catch(() => undefined);
    }
    await this.#stop(engine);
    this.compared += this.#watched.events
      .slice(from)
      .filter(({ kind }) => kind === 'compared').length;
    this.#changeWhileAway();
    return why;
  }

  /** Waits until everything committed is staged, or until the process has died. */
  async #hasSynced(engine: Engine, from: number): Promise<boolean> {
    for (;;) {
      const txid = await engine.sync().catch(() => undefined);
      const found = this.#watched.events.slice(from).find(({ kind }) => kind === 'failed');
      if (this.#callsLeft < 0) return false;
      if (found?.kind === 'failed') throw new Error(found.message);
      if (txid !== undefined) return true;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async #stop(engine: Engine): Promise<void> {
    const isDead = this.#callsLeft < 0;
    if (!isDead && this.#random.chance(0.4)) this.#callsLeft = 0;
    if (this.#callsLeft !== Infinity) this.#callsLeft = 0;
    await engine.close();
    if (this.#callsLeft !== Infinity) {
      this.deaths += 1;
      if (this.#random.chance(0.3)) this.#files.crash(this.#random);
    }
    this.#callsLeft = Infinity;
  }

  /** The application goes on alone: it writes, restarts its log, or comes back as it was earlier. */
  #changeWhileAway(): void {
    const random = this.#random;
    const act = random.int(0, 6);
    if (act >= 2) this.#commit(random.int(1, 20));
    if (act >= 3) this.#checkpoint();
    if (act === 4) this.app.exec('DELETE FROM t WHERE id % 9 = 0');
    if (act === 5 && random.chance(0.3)) this.app.exec('VACUUM');
    if (act === 6) this.#putBackCopy();
    if (random.chance(0.3)) this.#keepCopy();
    if (random.chance(0.5)) this.#close();
  }

  #commit(rows: number): void {
    const random = this.#random;
    const { app } = this;
    const insert = app.prepare('INSERT INTO t(a) VALUES(randomblob(?))');
    app.transaction(() => {
      for (let row = 0; row < rows; row++) insert.run(random.int(0, 300));
      app.prepare('UPDATE t SET a = randomblob(100) WHERE id = ?').run(random.int(1, 100));
    })();
  }

  #checkpoint(): void {
    const mode = this.#random.pick(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']);
    this.app.pragma(`wal_checkpoint(${mode})`);
  }

  #close(): void {
    this.#app?.close();
    this.#app = undefined;
  }

  #keepCopy(): void {
    this.app.pragma('wal_checkpoint(TRUNCATE)');
    execFileSync('cp', [this.#watched.path, `${this.#watched.path}-kept`]);
  }

  /** Puts an earlier state back into the same file. */
  #putBackCopy(): void {
    this.#close();
    const { path } = this.#watched;
    for (const side of ['-wal', '-shm']) fs.rmSync(path + side, { force: true });
    execFileSync('cp', [`${path}-kept`, path]);
  }

  async #differences(): Promise<string | undefined> {
    let pages = new Map<number, Uint8Array>();
    let size = { commit: 0, pageSize: 0 };
    this.#isReading = true;
    const names = await this.#files.list(this.#level);
    const files = await Promise.all(names.map((name) => this.#decode(name)));
    this.#isReading = false;
    for (const file of files) {
      pages = file.pages.size === file.commit ? file.pages : new Map([...pages, ...file.pages]);
      for (const pgno of pages.keys()) if (pgno > file.commit) pages.delete(pgno);
      size = file;
    }
    const bytes = this.app.serialize();
    const { commit, pageSize } = size;
    if (bytes.length !== commit * pageSize) {
      return `the size ${bytes.length} is not ${commit} x ${pageSize}`;
    }
    for (let pgno = 1; pgno <= commit; pgno++) {
      const page = bytes.subarray((pgno - 1) * pageSize, pgno * pageSize);
      if (Buffer.compare(page, pages.get(pgno) ?? Buffer.alloc(0)) !== 0) {
        return `page ${pgno} of ${commit} differs`;
      }
    }
    return undefined;
  }

  async #decode(
    name: string,
  ): Promise<{ pages: Map<number, Uint8Array>; commit: number; pageSize: number }> {
    const handle = await this.#files.open(`${this.#level}/${name}`);
    const bytes = new Uint8Array(await handle.sizeBytes());
    await handle.readFully(bytes, 0);
    const decoder = new LTXDecoder(kernel);
    const pages = new Map<number, Uint8Array>();
    for (const batch of decoder.push(bytes)) {
      const size = batch.pages.length / batch.pgnos.length;
      for (const [index, pgno] of batch.pgnos.entries()) {
        pages.set(pgno, batch.pages.slice(index * size, (index + 1) * size));
      }
    }
    decoder.finish();
    const { commit = 0, pageSize = 0 } = decoder.header ?? {};
    return { pages, commit, pageSize };
  }

  end(): void {
    this.#close();
  }
}

test(`the staged files lead to the database in each of ${HISTORIES} histories`, async () => {
  const seed = seedOf();
  console.log(`SLUICE_SEED=${seed}`);
  const totals = { compared: 0, deaths: 0 };
  for (let number = 0; number < HISTORIES; number++) {
    const history = new History(seed + number);
    try {
      for (let run = 1; run <= RUNS; run++) {
        expect(await history.run(), `seed ${seed + number}, run ${run}`).toBeUndefined();
      }
    } finally {
      history.end();
    }
    totals.compared += history.compared;
    totals.deaths += history.deaths;
  }
  console.log(JSON.stringify(totals));
  expect(totals.compared).toBeGreaterThan(HISTORIES / 5);
  expect(totals.deaths).toBeGreaterThan(HISTORIES);
}, 600_000);
