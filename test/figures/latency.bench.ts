/** From the return of a lone commit to the whole file at a local destination. */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import {
  inFolder,
  LITESTREAM,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Kind,
} from './bench.ts';

const COMMITS = Number(process.env['SLUICE_BENCH_COMMITS'] ?? 60);
/** Longer than a sync interval: each commit is a lone one. */
const PAUSE_MS = 1_300;

async function measure(kind: Kind): Promise<number[]> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    const db = new Database(database);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE t(a)');
    const bucket = path.join(folder, 'bucket');
    const replicator = new ReplicatorProcess({ kind, database, folders: [bucket] });
    try {
      await replicator.ready();
      const level = path.join(bucket, 'ltx', '0');
      const insert = db.prepare('INSERT INTO t VALUES(randomblob(100))');
      const times: number[] = [];
      for (let n = 0; n < COMMITS; n++) {
        await sleep(PAUSE_MS + Math.random() * 400);
        times.push(await timeOne(level, () => void insert.run()));
      }
      return times;
    } finally {
      await replicator.stop();
      db.close();
    }
  });
}

async function timeOne(level: string, commit: () => void): Promise<number> {
  const known = new Set(fs.readdirSync(level));
  const arrived = Promise.withResolvers<number>();
  const watcher = fs.watch(level, (_, name) => {
    if (name !== null && /^[0-9a-f-]+\.ltx$/.test(name) && !known.has(name))
      arrived.resolve(performance.now());
  });
  commit();
  const committed = performance.now();
  const at = await arrived.promise;
  watcher.close();
  return at - committed;
}

const ours = await measure('sluice');
const theirs = LITESTREAM === undefined ? [] : await measure('litestream');
const rows = ([0.5, 0.99] as const).map((share) => ({
  what: `lone commit to whole file, p${share * 100}`,
  unit: 'ms',
  ours: round(quantile(ours, share)),
  ...(theirs.length > 0 && { beside: { litestream: round(quantile(theirs, share)) } }),
  bar: share === 0.5 ? 30 : 100,
  lowerIsBetter: true,
}));
print('latency', rows, `${COMMITS} commits`);
