/**
 * Bytes and files at a destination after a week with a commit each second, with the default settings and a
 * retention of 72 h for both programs.
 *
 * With these settings Sluice restores all of the last 72 h at any time. Litestream restores 48 h of them just after it
 * has deleted, because it deletes the snapshot that is 72 h old, which the states of the next 24 h need. So there is a
 * second comparison: Litestream keeps that snapshot, and restores the last 72 h too.
 *
 * A week cannot be shortened for real: Sluice deletes nothing before an hour. So the week is virtual: core's own
 * functions decide for Sluice, a model for Litestream. Two real runs with shorter intervals check it: what
 * Litestream keeps and sends, and what Sluice sends.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import {
  inFolder,
  LITESTREAM,
  print,
  ReplicatorProcess,
  round,
  type Kind,
  type Row,
} from './bench.ts';
import { litestreamRules } from './history/litestream-rules.ts';
import {
  keep,
  sluiceRules,
  type Settings,
  type Totals,
  type Workload,
} from './history/virtual-week.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1024 * 1024;
const PAGES_PER_MIB = 256;
/** Of Litestream's bytes. */
const PART_MAX = 0.5;
/** The model may be wrong by this much. */
const PERCENT_MAX = 10;

const WEEK: Settings = {
  commitMs: 1_000,
  levelsMs: [30_000, 300_000, HOUR_MS],
  snapshotMs: DAY_MS,
  retentionMs: 3 * DAY_MS,
  l0RetentionMs: 300_000,
  l0CheckMs: 60_000, // 15 s by default: 22 files less
  durationMs: 7 * DAY_MS,
  averagedMs: DAY_MS,
};

/** Litestream's, if it is to restore all of the last 72 h. */
const SAME_WINDOW: Settings = { ...WEEK, retentionMs: WEEK.retentionMs + 60_000 };

/** The same rules at about a hundredth of the time. */
const SHORT: Settings = {
  commitMs: 100,
  levelsMs: [1_000, 5_000, 20_000],
  snapshotMs: 30_000,
  retentionMs: 60_000,
  l0RetentionMs: 3_000,
  l0CheckMs: 1_000,
  durationMs: Number(process.env['SLUICE_BENCH_SECONDS'] ?? 210) * 1_000,
  averagedMs: 60_000,
};

/** Each commit updates a row of a page at random. */
function updates(pages: number): Workload {
  return {
    pagesAfter: () => pages,
    changes: () => [1 + Math.floor(Math.random() * pages)],
  };
}

/** Each commit adds a row. A page has room for 20. */
const INSERTS: Workload = {
  pagesAfter: (commits) => 1_000 + Math.ceil(commits / 20),
  changes: (commit) => [1_000 + Math.floor(commit / 20)],
};

/** An order: a row is added, one of 5,000 pages of stock changes, and one of 500 pages of an index. */
const ORDERS: Workload = {
  pagesAfter: (commits) => 6_000 + Math.ceil(commits / 20),
  changes: (commit) => [
    6_000 + Math.floor(commit / 20),
    1 + Math.floor(Math.random() * 5_000),
    5_001 + Math.floor(Math.random() * 500),
  ],
};

const WORKLOADS: Readonly<Record<string, Workload>> = {
  'updates all over 16 MiB': updates(16 * PAGES_PER_MIB),
  'updates all over 256 MiB': updates(256 * PAGES_PER_MIB),
  'inserts only': INSERTS,
  orders: ORDERS,
};

const rows: Row[] = [];
for (const [what, workload] of Object.entries(WORKLOADS)) {
  const ours = keep(WEEK, workload, sluiceRules);
  const theirs = keep(WEEK, workload, litestreamRules);
  const theirWindow = keep(SAME_WINDOW, workload, litestreamRules);
  const row = (name: string, unit: string, of: (totals: Totals) => number): Row => ({
    what: `${what}: ${name}`,
    unit,
    ours: round(of(ours), 0),
    beside: { litestream: round(of(theirs), 0) },
    lowerIsBetter: true,
  });
  process.stderr.write(`${what}: ${JSON.stringify({ ours, theirs, theirWindow })}\n`);
  const part = ({ keptBytes }: Totals): number => round(ours.keptBytes / keptBytes, 2);
  rows.push(
    row('kept', 'MiB', ({ keptBytes }) => keptBytes / MIB),
    {
      what: `${what}: of Litestream's bytes, same settings`,
      unit: 'x',
      ours: part(theirs),
      lowerIsBetter: true,
    },
    {
      what: `${what}: of Litestream's bytes, if both can restore all of 72 h`,
      unit: 'x',
      ours: part(theirWindow),
      bar: PART_MAX,
      lowerIsBetter: true,
    },
    row('files kept', 'files', ({ keptFiles }) => keptFiles),
    row('sent', 'MiB', ({ sentBytes }) => sentBytes / MIB),
  );
}
rows.push(...(await checkOf('sluice')));
if (LITESTREAM !== undefined) rows.push(...(await checkOf('litestream')));
print(
  'week',
  rows,
  'a week in virtual time, pages of 4 KiB with 4,000 random bytes, averages of the last day; Sluice by the functions of core, Litestream by a model, ' +
    'which restores only 48 to 72 h with a retention of 72 h, and all of 72 h with a minute more; ' +
    `both checked by a real run of ${SHORT.durationMs / 1_000} s with intervals of 1, 5 and 20 s, snapshots each 30 s and a retention of 60 s`,
);

/** How much the model differs from a real run. */
async function checkOf(kind: Kind): Promise<Row[]> {
  const pages = 2 * PAGES_PER_MIB;
  const real = await realRun(kind, pages);
  const workload = updates(pages);
  const modeled = keep(SHORT, workload, kind === 'sluice' ? sluiceRules : litestreamRules);
  // Sluice deletes nothing within an hour: it keeps what it sent.
  const [files, bytes] =
    kind === 'sluice'
      ? [modeled.sentFiles, modeled.sentBytes]
      : [modeled.keptFiles, modeled.keptBytes];
  process.stderr.write(`${kind}: ${JSON.stringify({ real, files, bytes })}\n`);
  const percent = (a: number, b: number): number => round(Math.abs(a / b - 1) * 100);
  const row = { unit: '%', bar: PERCENT_MAX, lowerIsBetter: true };
  const what = `model of ${kind === 'sluice' ? 'Sluice, sent' : 'Litestream, kept'}`;
  return [
    { ...row, what: `${what}: files, difference to a real run`, ours: percent(files, real.files) },
    { ...row, what: `${what}: bytes, difference to a real run`, ours: percent(bytes, real.bytes) },
  ];
}

/** Files and bytes at a local destination: at the end for Sluice, otherwise the average of the last minute. */
async function realRun(kind: Kind, pages: number): Promise<{ files: number; bytes: number }> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    const db = new Database(database);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
    const insert = db.prepare('INSERT INTO t(a) VALUES(randomblob(4000))');
    db.transaction(() => {
      for (let row = 0; row < pages; row++) insert.run();
    })();
    db.pragma('wal_checkpoint(TRUNCATE)');
    const to = path.join(folder, 'to');
    const replicator = new ReplicatorProcess({
      ...{ kind, database, folders: [to], top: topOf(kind) },
      extra: `  monitor-interval: ${SHORT.commitMs / 4}ms\n`,
      syncInterval: `${SHORT.commitMs / 2}ms`,
    });
    try {
      await replicator.ready();
      const update = db.prepare('UPDATE t SET a = randomblob(4000) WHERE id = ?');
      const startedAt = performance.now();
      const samples: { files: number; bytes: number }[] = [];
      for (let commit = 1; commit * SHORT.commitMs <= SHORT.durationMs; commit++) {
        update.run(1 + Math.floor(Math.random() * pages));
        const isLastMinute = commit * SHORT.commitMs > SHORT.durationMs - SHORT.averagedMs;
        if (isLastMinute && commit % 10 === 0) samples.push(contentsOf(to));
        await sleep(Math.max(0, startedAt + commit * SHORT.commitMs - performance.now()));
      }
      if (kind === 'sluice') return contentsOf(to);
      const average = (of: (sample: { files: number; bytes: number }) => number): number =>
        samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
      return { files: average(({ files }) => files), bytes: average(({ bytes }) => bytes) };
    } finally {
      await replicator.stop();
      db.close();
    }
  });
}

function topOf(kind: Kind): string {
  const levels = SHORT.levelsMs.map((ms) => `{ interval: ${ms}ms }`).join(', ');
  const { snapshotMs, retentionMs, l0RetentionMs, l0CheckMs } = SHORT;
  const snapshot = `snapshot: { interval: ${snapshotMs}ms, retention: ${retentionMs}ms }\n`;
  const l0 = `l0-retention: ${l0RetentionMs}ms\n`;
  const check = kind === 'litestream' ? `l0-retention-check-interval: ${l0CheckMs}ms\n` : '';
  return `levels: [${levels}]\n${snapshot}${l0}${check}`;
}

function contentsOf(folder: string): { files: number; bytes: number } {
  let [files, bytes] = [0, 0];
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ltx')) continue;
    const size = fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.size;
    if (size === undefined) continue;
    files += 1;
    bytes += size;
  }
  return { files, bytes };
}
