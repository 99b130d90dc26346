/**
 * In each round, writers are killed at random beside an engine, which is sometimes killed too. Then
 * everything stops, and the page map of the staged files is compared with the database.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { formatTXID } from '../../../src/ltx/txid.ts';
import { CORE_SRC } from '../../support/mutant.ts';
import { randomFrom, type Random } from '../../support/random.ts';
import { Host, type Staged, Writer } from './host-process.ts';
import { PageMap } from './page-map.ts';
import { BulkLoad, replaceDatabase } from './replace.ts';

export interface TortureOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly pageSize: number;
  readonly src?: string;
  /** Event while the replicator is stopped after every round. Default: any event, after some rounds. */
  readonly away?: Away | undefined;
  /** 'often': snapshots are taken in every round, images in many. Default: in some rounds. */
  readonly images?: 'often' | undefined;
  readonly onRound?: (round: number, text: string) => void;
}

/** Event while the replicator is stopped: the file is replaced, or a bulk load begins. */
export type Away = 'replace' | 'load' | 'nothing';

export interface TortureReport {
  /** The first round whose page map differed from the database, and the difference, with the events before it. */
  readonly broken:
    | { readonly round: number; readonly why: string; readonly story: readonly string[] }
    | undefined;
  readonly rounds: number;
  readonly kills: number;
  readonly resumed: number;
  /** Starts that compared the database with its page checksums, and their pages that differed. */
  readonly compared: number;
  readonly changedPages: number;
  readonly images: number;
  /** How often the database was opened after it had been closed because it was idle. */
  readonly woken: number;
  readonly snapshots: number;
  readonly increments: number;
}

/** Events that are kept for the report of a failure: those of the last rounds. */
const STORY_MAX = 60;
/**
 * Part of the error after a writer is killed during a checkpoint, which cannot be told from a foreign
 * write. Then the database is opened again, and an image is taken.
 */
const KILLED_CHECKPOINT = 'but not by a completed checkpoint';
/** Maximum intermediate states per round that get an integrity check. */
const STATES_MAX = 4;
/** Rows of 20,000 bytes each: several times the size of the tail in host.ts. */
const BULK_ROWS = 40;

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-torture-'));
  const run = new Torture(options, folder);
  try {
    return await run.all();
  } finally {
    await run.end();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

class Torture {
  readonly #options: TortureOptions;
  readonly #random: Random;
  readonly #path: string;
  readonly #map = new PageMap();
  #host: Host | undefined;
  readonly #applied = new Set<string>();
  #story: string[] = [];
  #kills = 0;
  #resumed = 0;
  readonly #compared = { starts: 0, pages: 0 };
  #images = 0;
  #woken = 0;
  #snapshots = 0;
  #increments = 0;

  constructor(options: TortureOptions, folder: string) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#path = path.join(folder, 'app.db');
  }

  async all(): Promise<TortureReport> {
    this.#create();
    let broken: TortureReport['broken'];
    for (let round = 1; round <= this.#options.rounds && broken === undefined; round++) {
      this.#note(`round ${round}`);
      const why = await this.#round().catch((error: unknown) => this.#rethrow(error));
      if (why !== undefined) broken = { round, why, story: this.#story };
      this.#options.onRound?.(round, why ?? 'equal');
    }
    return {
      broken,
      rounds: this.#options.rounds,
      kills: this.#kills,
      resumed: this.#resumed,
      compared: this.#compared.starts,
      changedPages: this.#compared.pages,
      images: this.#images,
      woken: this.#woken,
      snapshots: this.#snapshots,
      increments: this.#increments,
    };
  }

  async end(): Promise<void> {
    await this.#host?.kill();
  }

  readonly #note = (what: string): void => {
    this.#story = [...this.#story, what].slice(-STORY_MAX);
  };

  #rethrow(error: unknown): never {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}; last events: ${this.#story.join(' | ')}`, { cause: error });
  }

  #create(): void {
    const db = new Database(this.#path);
    db.pragma(`page_size=${this.#options.pageSize}`);
    db.pragma(`auto_vacuum=${this.#random.int(0, 2)}`);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE first(a)');
    db.close();
  }

  async #round(): Promise<string | undefined> {
    const random = this.#random;
    const host = this.#host ?? (await this.#startHost());
    const writers = Array.from({ length: random.int(1, 3) }, () =>
      Writer.start(this.#path, random.int(0, 2 ** 31)),
    );
    await sleep(random.int(30, 400));
    const isOften = this.#options.images === 'often';
    if (random.chance(isOften ? 1 : 0.25)) host.send({ kind: 'snapshot' });
    if (random.chance(isOften ? 0.3 : 0.05)) host.send({ kind: 'image' });
    let killed = false;
    if (random.chance(0.4)) {
      await sleep(random.int(0, 200));
      await host.kill();
      this.#note('killed');
      killed = true;
      this.#kills += 1;
      if (random.chance(0.5)) await sleep(random.int(0, 150)); // only the application runs
    }
    if (random.chance(0.5)) await sleep(random.int(0, 150));
    if (killed && random.chance(0.3)) {
      await this.#startHost(); // the application still runs
      await sleep(random.int(0, 300));
      killed = false;
    }
    const endings = [];
    for (const writer of writers) endings.push(await (await writer).kill());
    this.#note(`${writers.length} writers killed`);
    if (killed) await this.#startHost();
    const why = endings.find((ending) => ending !== undefined) ?? (await this.#compare());
    const { away } = this.#options;
    if (why !== undefined || (away === undefined && random.chance(0.7))) return why;
    const next = away ?? random.pick(['replace', 'load', 'nothing']);
    const how = random.pick(['clean', 'clean', 'killed'] as const);
    if (next === 'load') return await this.#loadAround(how);
    await this.#end(how);
    this.#note(`away: ${next}`);
    if (next === 'replace') replaceDatabase(this.#path, random);
    if (random.chance(0.5)) await this.#startHost();
    return undefined;
  }

  /**
   * A bulk load begins while the replicator is stopped. Just after the replicator has started, the load
   * commits a transaction that restarts the log and overwrites all earlier frames.
   */
  async #loadAround(how: 'clean' | 'killed'): Promise<string | undefined> {
    const bulk = new BulkLoad(this.#path);
    try {
      bulk.begin();
      const why = await this.#compare();
      if (why !== undefined) return why;
      await this.#end(how);
      bulk.load(BULK_ROWS);
      await this.#startHost();
      bulk.load(2 * BULK_ROWS);
      return await this.#compare();
    } finally {
      bulk.close();
    }
  }

  /** Stops the replicator while no other process uses the database. */
  async #end(how: 'clean' | 'killed'): Promise<void> {
    const host = this.#host;
    this.#host = undefined;
    this.#note(`end: ${how}`);
    if (how === 'clean') await host?.close();
    await host?.kill();
  }

  /** Compares the staged files with the database. Call while no process writes. */
  async #compare(): Promise<string | undefined> {
    const host = this.#host;
    if (host === undefined) return 'no host';
    const txid = (await host.sync()) ?? (await host.syncOnceReopened(KILLED_CHECKPOINT));
    if (txid === undefined) return `no database is followed: ${await host.failure()}`;
    const staged = host.takeStaged();
    for (const [index, event] of staged.entries()) {
      if (event.content === 'snapshot') {
        const why = this.#checkSnapshot(event);
        if (why !== undefined) return why;
        continue;
      }
      if (this.#map.apply(event.path, event.txid) === 'image') this.#images += 1;
      else this.#increments += 1;
      this.#applied.add(event.path);
      // The last one is compared with the database itself.
      const why =
        index < STATES_MAX && index < staged.length - 1 ? this.#map.findCorruption() : undefined;
      if (why !== undefined) return `TXID ${formatTXID(event.txid)} is not valid: ${why}`;
    }
    if (this.#map.txid !== txid)
      return `sync returned TXID ${formatTXID(txid)}, but ${formatTXID(this.#map.txid)} is staged`;
    const db = new Database(this.#path, { readonly: true, timeout: 5000 });
    const bytes = db.serialize();
    db.close();
    const differences = this.#map.differences(bytes);
    return differences.length === 0
      ? undefined
      : `${differences.length} differences: ${differences.slice(0, 5).join(', ')}`;
  }

  /** A snapshot must equal, byte for byte, the state after the files up to its TXID. */
  #checkSnapshot(event: Staged): string | undefined {
    const expected = event.txid === this.#map.txid ? this.#map : this.#mapAt(event);
    const map = new PageMap();
    map.apply(event.path, event.txid);
    const differences = expected.differences(map.bytes());
    this.#snapshots += 1;
    return differences.length === 0 ? undefined : `snapshot: ${differences.slice(0, 5).join(', ')}`;
  }

  /** The state at the TXID of a snapshot, which may be staged after files with higher TXIDs. */
  #mapAt({ path: snapshot, txid }: Staged): PageMap {
    const level = path.join(path.dirname(snapshot), '..', '0');
    const map = new PageMap();
    for (const name of fs.readdirSync(level).sort()) {
      const each = BigInt(`0x${name.slice(0, 16)}`);
      if (each <= txid) map.apply(path.join(level, name), each);
    }
    return map;
  }

  async #startHost(): Promise<Host> {
    const host = new Host({
      database: this.#path,
      src: this.#options.src ?? CORE_SRC,
      applied: this.#applied,
      onWoken: () => {
        this.#woken += 1;
      },
      onCompared: (changed) => {
        this.#compared.starts += 1;
        this.#compared.pages += changed;
      },
      note: this.#note,
    });
    this.#host = host;
    const proved = await host.opened;
    if (proved === 'resumed') this.#resumed += 1;
    return host;
  }
}
