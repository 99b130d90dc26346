/**
 * Time from the return of a commit to the complete file at a local destination, for single commits and
 * for commits with uneven pauses, shorter and longer than a sync interval.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { Arrivals } from './arrivals.ts';
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

const ARRIVAL_MS_MAX = 60_000;

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
      const arrivals = new Arrivals();
      const stop = arrivals.watchFolder(path.join(bucket, 'ltx', '0'));
      for (let n = 0; n < COMMITS; n++) {
        await sleep(pauses.fromMs + Math.random() * (pauses.toMs - pauses.fromMs));
        insert.run();
        arrivals.expect();
      }
      await arrivals.all({ timeoutMs: ARRIVAL_MS_MAX });
      stop();
      return arrivals.lags.map(({ ms }) => ms);
    } finally {
      await replicator.stop();
      db.close();
    }
  });
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
