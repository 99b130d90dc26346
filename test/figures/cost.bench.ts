/** Cost of replication for a writer at full speed, a busy web application and an idle database. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import {
  answer,
  besideS3,
  inFolder,
  LITESTREAM,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Kind,
  type Row,
  type S3Place,
} from './bench.ts';

const WRITER = fileURLToPath(new URL('./load-writer.mjs', import.meta.url));
const SECONDS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 8);
const WEB_RATE = 20;
/** Long enough that the burst of files after the start, which the cut budget allows, counts little. */
const WEB_SECONDS = 5 * SECONDS;
const REPEATS = 3;

interface Load {
  readonly perSecond: number;
  readonly cpuMsPerTransaction: number;
  readonly cpuShare: number;
  readonly rssMiB: number;
}

async function writer(
  database: string,
  seconds: number,
  rate: number,
): Promise<{ transactions: number }> {
  const child = fork(WRITER, [database, String(seconds), String(rate)]);
  const [result] = (await answer(child)) as [{ transactions: number }];
  await once(child, 'exit');
  return result;
}

async function load(
  kind: Kind,
  destinations: number,
  seconds: number,
  rate: number,
  s3: readonly S3Place[] = [],
): Promise<Load> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    create(database);
    const folders = Array.from({ length: destinations }, (_, n) => path.join(folder, `to-${n}`));
    const replicator = new ReplicatorProcess({ kind, database, folders, s3 });
    try {
      await replicator.ready();
      const before = replicator.cpuMs();
      const started = performance.now();
      const { transactions } = await writer(database, seconds, rate);
      await sleep(1_500); // the last commits are still being uploaded
      const cpuMs = replicator.cpuMs() - before;
      return {
        perSecond: transactions / seconds,
        cpuMsPerTransaction: cpuMs / transactions,
        cpuShare: cpuMs / (performance.now() - started),
        rssMiB: replicator.rssMiB(),
      };
    } finally {
      await replicator.stop();
    }
  });
}

async function idle(kind: Kind): Promise<{ cpuShare: number; rssMiB: number }> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    create(database);
    const replicator = new ReplicatorProcess({
      kind,
      database,
      folders: [path.join(folder, 'to')],
    });
    try {
      await replicator.ready();
      await sleep(3_000);
      const before = replicator.cpuMs();
      const ms = 4 * SECONDS * 1000;
      await sleep(ms);
      return { cpuShare: (replicator.cpuMs() - before) / ms, rssMiB: replicator.rssMiB() };
    } finally {
      await replicator.stop();
    }
  });
}

function create(database: string): void {
  const db = new Database(database);
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE first(a)');
  db.close();
}

async function alone(): Promise<number> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    create(database);
    return (await writer(database, SECONDS, 0)).transactions / SECONDS;
  });
}

async function median(measure: () => Promise<Load>): Promise<Load> {
  const loads: Load[] = [];
  for (let n = 0; n < REPEATS; n++) loads.push(await measure());
  const of = (key: keyof Load): number =>
    quantile(
      loads.map((one) => one[key]),
      0.5,
    );
  return {
    perSecond: of('perSecond'),
    cpuMsPerTransaction: of('cpuMsPerTransaction'),
    cpuShare: of('cpuShare'),
    rssMiB: of('rssMiB'),
  };
}

const speeds: number[] = [];
for (let n = 0; n < REPEATS; n++) speeds.push(await alone());
const aloneSpeed = quantile(speeds, 0.5);
const one = await median(() => load('sluice', 1, SECONDS, 0));
const three = await median(() => load('sluice', 3, SECONDS, 0));
const withS3 = await besideS3((s3) => load('sluice', 1, SECONDS, 0, [{ ...s3, path: 'app' }]));
const web = await load('sluice', 1, WEB_SECONDS, WEB_RATE);
const webThree = await load('sluice', 3, WEB_SECONDS, WEB_RATE);
const resting = await idle('sluice');
const rival =
  LITESTREAM === undefined
    ? undefined
    : {
        full: await median(() => load('litestream', 1, SECONDS, 0)),
        web: await load('litestream', 1, WEB_SECONDS, WEB_RATE),
        idle: await idle('litestream'),
      };

function row(
  what: string,
  unit: string,
  ours: number,
  bar: number | undefined,
  theirs?: number,
  digits = 1,
): Row {
  return {
    what,
    unit,
    ours: round(ours, digits),
    ...(theirs !== undefined && { beside: { litestream: round(theirs, digits) } }),
    ...(bar !== undefined && { bar }),
    lowerIsBetter: true,
  };
}

print(
  'cost',
  [
    row(
      'processor for a 10-row transaction, writer at full speed',
      'us',
      one.cpuMsPerTransaction * 1000,
      250,
      rival && rival.full.cpuMsPerTransaction * 1000,
    ),
    row(
      'three destinations, as a multiple of one',
      'x',
      three.cpuMsPerTransaction / one.cpuMsPerTransaction,
      1.2,
      undefined,
      2,
    ),
    {
      ...row(
        "the writer's speed, of that alone",
        '%',
        (100 * one.perSecond) / aloneSpeed,
        90,
        rival && (100 * rival.full.perSecond) / aloneSpeed,
      ),
      lowerIsBetter: false,
    },
    row(
      '20 transactions a second, one destination',
      '% of a core',
      100 * web.cpuShare,
      2,
      rival && 100 * rival.web.cpuShare,
      2,
    ),
    row(
      '20 transactions a second, three destinations',
      '% of a core',
      100 * webThree.cpuShare,
      2,
      undefined,
      2,
    ),
    row('idle', '% of a core', 100 * resting.cpuShare, 0.1, rival && 100 * rival.idle.cpuShare, 3),
    row('resident memory, idle, local destination', 'MiB', resting.rssMiB, 120, rival?.idle.rssMiB),
    row(
      'resident memory, writer at full speed, local destination',
      'MiB',
      one.rssMiB,
      120,
      rival?.full.rssMiB,
    ),
    row('resident memory, the same and an S3 destination', 'MiB', withS3.rssMiB, 150),
  ],
  `${SECONDS} s a run; the writer alone makes ${Math.round(aloneSpeed)} transactions a second`,
);
