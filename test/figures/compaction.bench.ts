/**
 * Processor time of compaction on a busy database. Replicators with the default levels and without levels run
 * at the same time, each with a database and a writer of its own, so that other load hits all of them.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import {
  answer,
  inFolder,
  LITESTREAM,
  print,
  ReplicatorProcess,
  round,
  type Kind,
} from './bench.ts';

const WRITER = fileURLToPath(new URL('./load-writer.mjs', import.meta.url));
/** A whole number of merges of level 1. */
const SECONDS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 300);
const TRANSACTIONS_PER_SECOND = 50;
/** Processor time of compaction, on top of that of replication. */
const PERCENT_MAX = 25;
/** Litestream must have levels. This one merges nothing during the run. */
const NO_LEVELS: Readonly<Record<Kind, string>> = {
  sluice: 'levels: []\n',
  litestream: 'levels: [{ interval: 24h }]\n',
};

interface Measured {
  readonly cpuMs: number;
  readonly mergedFiles: number;
}

async function measure(folder: string, kind: Kind, top: string): Promise<Measured> {
  fs.mkdirSync(folder);
  const database = path.join(folder, 'app.db');
  const db = new Database(database);
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE first(a)');
  db.close();
  const to = path.join(folder, 'to');
  const replicator = new ReplicatorProcess({ kind, database, folders: [to], top });
  try {
    await replicator.ready();
    const before = replicator.cpuMs();
    const words = [database, String(SECONDS), String(TRANSACTIONS_PER_SECOND)];
    const writer = fork(WRITER, words);
    await answer(writer);
    await once(writer, 'exit');
    return { cpuMs: replicator.cpuMs() - before, mergedFiles: mergedIn(to) };
  } finally {
    await replicator.stop();
  }
}

function mergedIn(to: string): number {
  const levels = ['1', '2', '3'].map((level) => path.join(to, 'ltx', level));
  return levels
    .filter((level) => fs.existsSync(level))
    .reduce((sum, level) => sum + fs.readdirSync(level).length, 0);
}

const kinds: readonly Kind[] = LITESTREAM === undefined ? ['sluice'] : ['sluice', 'litestream'];
const results = await inFolder(async (folder) => {
  const both = kinds.map(async (kind) => {
    const [merging, plain] = await Promise.all([
      measure(path.join(folder, `${kind}-levels`), kind, ''),
      measure(path.join(folder, `${kind}-none`), kind, NO_LEVELS[kind]),
    ]);
    return [kind, { merging, plain }] as const;
  });
  return new Map(await Promise.all(both));
});

const ofACore = ({ cpuMs }: Measured): number => round((100 * cpuMs) / (SECONDS * 1_000), 2);
const ours = results.get('sluice');
const theirs = results.get('litestream');
if (ours === undefined) throw new Error('nothing was measured');
const added = ({ merging, plain }: typeof ours): number =>
  round(100 * (merging.cpuMs / plain.cpuMs - 1));
const lowerIsBetter = true;
print(
  'compaction',
  [
    {
      what: 'replication without levels',
      unit: '% of a core',
      ours: ofACore(ours.plain),
      ...(theirs && { beside: { litestream: ofACore(theirs.plain) } }),
      lowerIsBetter,
    },
    {
      what: 'replication and compaction',
      unit: '% of a core',
      ours: ofACore(ours.merging),
      ...(theirs && { beside: { litestream: ofACore(theirs.merging) } }),
      lowerIsBetter,
    },
    {
      what: 'compaction on top of replication',
      unit: '%',
      ours: added(ours),
      ...(theirs && { beside: { litestream: added(theirs) } }),
      bar: PERCENT_MAX,
      lowerIsBetter,
    },
    {
      what: 'merged files',
      unit: 'files',
      ours: ours.merging.mergedFiles,
      ...(theirs && { beside: { litestream: theirs.merging.mergedFiles } }),
      lowerIsBetter,
    },
  ],
  `${SECONDS} s, ${TRANSACTIONS_PER_SECOND} transactions of 10 rows a second, a local destination; all replicators at the same time`,
);
