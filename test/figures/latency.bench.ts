/**
 * Time from the return of a commit to the complete file at a local destination, for single commits and
 * for commits with uneven pauses, shorter and longer than a sync interval.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeHeader, HEADER_SIZE_BYTES, parseFilename } from '@sluice/core/ltx';
import Database from 'better-sqlite3';
import {
  inFolder,
  LITESTREAM,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Kind,
  type Row,
} from './bench.ts';

const COMMITS = Number(process.env['SLUICE_BENCH_COMMITS'] ?? 60);

interface Pauses {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bars: readonly [p50: number, p99: number];
}

/** Longer than a sync interval. */
const LONE: Pauses = { name: 'lone commit', fromMs: 1_300, toMs: 1_700, bars: [10, 21] };
const UNEVEN: Pauses = { name: 'uneven commit', fromMs: 200, toMs: 1_800, bars: [20, 120] };

async function measure(kind: Kind, pauses: Pauses): Promise<number[]> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    const db = new Database(database);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE t(a)');
    const bucket = path.join(folder, 'bucket');
    const replicator = new ReplicatorProcess({ kind, database, folders: [bucket] });
    try {
      await replicator.ready();
      const insert = db.prepare('INSERT INTO t VALUES(randomblob(100))');
      const arrivals = new Arrivals(path.join(bucket, 'ltx', '0'));
      for (let n = 0; n < COMMITS; n++) {
        await sleep(pauses.fromMs + Math.random() * (pauses.toMs - pauses.fromMs));
        insert.run();
        arrivals.expect();
      }
      return await arrivals.times();
    } finally {
      await replicator.stop();
      db.close();
    }
  });
}

interface Commit {
  /** Wall clock time, like the timestamps of files. */
  readonly wallMs: number;
  readonly at: number;
}

/** Arrival times: the file of a commit is the first one with a later time in its header. */
class Arrivals {
  readonly #level: string;
  readonly #known: Set<string>;
  readonly #watcher: fs.FSWatcher;
  readonly #times: number[] = [];
  #waiting: Commit[] = [];
  #allArrived: () => void = () => undefined;

  constructor(level: string) {
    this.#level = level;
    this.#known = new Set(fs.readdirSync(level));
    this.#watcher = fs.watch(level, (_, name) => {
      if (name !== null) this.#arrived(name);
    });
  }

  /** Records a commit that has just returned. */
  expect(): void {
    this.#waiting.push({ wallMs: Date.now(), at: performance.now() });
  }

  async times(): Promise<number[]> {
    if (this.#waiting.length > 0) {
      await new Promise<void>((resolve) => (this.#allArrived = resolve));
    }
    this.#watcher.close();
    return this.#times;
  }

  #arrived(name: string): void {
    if (parseFilename(name) === undefined || this.#known.has(name)) return;
    const at = performance.now();
    this.#known.add(name);
    const bytes = fs.readFileSync(path.join(this.#level, name));
    const { timestampMs } = decodeHeader(bytes.subarray(0, HEADER_SIZE_BYTES));
    const here = this.#waiting.filter(({ wallMs }) => wallMs <= timestampMs);
    this.#waiting = this.#waiting.filter(({ wallMs }) => wallMs > timestampMs);
    this.#times.push(...here.map((commit) => at - commit.at));
    if (this.#waiting.length === 0) this.#allArrived();
  }
}

async function rowsOf(pauses: Pauses): Promise<Row[]> {
  const ours = await measure('sluice', pauses);
  const theirs = LITESTREAM === undefined ? [] : await measure('litestream', pauses);
  return ([0.5, 0.99] as const).map((share, index) => ({
    what: `${pauses.name} to whole file, p${share * 100}`,
    unit: 'ms',
    ours: round(quantile(ours, share)),
    ...(theirs.length > 0 && { beside: { litestream: round(quantile(theirs, share)) } }),
    bar: pauses.bars[index] as number,
    lowerIsBetter: true,
  }));
}

const rows = [...(await rowsOf(LONE)), ...(await rowsOf(UNEVEN))];
const note =
  `${COMMITS} commits each; lone ones ${LONE.fromMs / 1000} to ${LONE.toMs / 1000} s apart, ` +
  `uneven ones ${UNEVEN.fromMs / 1000} to ${UNEVEN.toMs / 1000} s; the sync interval is 1 s`;
print('latency', rows, note);
