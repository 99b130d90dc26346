/** Effect of a replicator on an application that checkpoints by itself (FULL, RESTART, TRUNCATE). */

import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import {
  answer,
  HAS_STRACE,
  inFolder,
  LITESTREAM,
  onDisk,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Disk,
  type Kind,
  type Row,
} from './bench.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SECONDS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 20);
const IMAGE_MIB = Number(process.env['SLUICE_BENCH_IMAGE_MIB'] ?? 1024);

interface Result {
  readonly ms: readonly number[];
  readonly busyShare: number;
  readonly commitP99: number;
  readonly walMaxMB: number;
}

interface Call {
  readonly ms: number;
  readonly busy: number;
}

/** Starts a program of this folder, which sends its results before it exits. */
function start(disk: Disk, program: string, ...args: readonly string[]): ChildProcess {
  const [command, ...rest] = onDisk(disk, [process.execPath, path.join(HERE, program), ...args]);
  return spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function run(database: string, seconds: number, disk: Disk): Promise<Result> {
  const writer = start(disk, 'load-writer.mjs', database, String(seconds), '500');
  const checkpointer = start(disk, 'app-checkpoints.mjs', database, String(seconds));
  let walMax = 0;
  const polling = setInterval(() => {
    walMax = Math.max(walMax, fs.statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0);
  }, 20);
  const [[{ p99 }], [{ calls }]] = (await Promise.all([answer(writer), answer(checkpointer)])) as [
    [{ p99: number }],
    [{ calls: Call[] }],
  ];
  clearInterval(polling);
  return {
    ms: calls.map((call) => call.ms),
    busyShare: calls.filter((call) => call.busy !== 0).length / calls.length,
    commitP99: p99,
    walMaxMB: walMax / 1e6,
  };
}

async function beside(
  kind: Kind | 'nobody',
  sizeMiB: number,
  when: 'at rest' | 'in the image',
  disk: Disk = 'as it is',
): Promise<Result> {
  return await inFolder(async (folder) => {
    const database = path.join(folder, 'app.db');
    create(database, sizeMiB);
    if (kind === 'nobody') return await run(database, SECONDS, disk);
    const replicator = new ReplicatorProcess({
      kind,
      database,
      folders: [path.join(folder, 'to')],
      disk,
    });
    try {
      if (when === 'at rest') await replicator.ready();
      return await run(database, when === 'at rest' ? SECONDS : Math.min(SECONDS, 12), disk);
    } finally {
      await replicator.stop();
    }
  });
}

function create(database: string, sizeMiB: number): void {
  const db = new Database(database);
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE filler(a TEXT)');
  const insert = db.prepare(
    "INSERT INTO filler VALUES(hex(randomblob(1000)) || 'text that compresses ' || hex(zeroblob(1000)))",
  );
  const many = db.transaction(() => {
    for (let n = 0; n < 240; n++) insert.run();
  });
  for (let n = 0; n < sizeMiB; n++) many();
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

const alone = await beside('nobody', 1, 'at rest');
const ours = await beside('sluice', 1, 'at rest');
const image = await beside('sluice', IMAGE_MIB, 'in the image');
const slow = HAS_STRACE ? await beside('sluice', 1, 'at rest', 'slow') : undefined;
const theirs = LITESTREAM === undefined ? undefined : await beside('litestream', 1, 'at rest');

function rows(what: string, result: Result, rival: Result | undefined): Row[] {
  const one = (
    name: string,
    unit: string,
    of: (from: Result) => number,
    bar: number,
    digits = 1,
  ): Row => ({
    what: `${what}: ${name}`,
    unit,
    ours: round(of(result), digits),
    ...(rival !== undefined && { beside: { litestream: round(of(rival), digits) } }),
    bar,
    lowerIsBetter: true,
  });
  return [
    one('checkpoint p50', 'ms', (from) => quantile(from.ms, 0.5), 150),
    one('slowest checkpoint', 'ms', (from) => Math.max(...from.ms), 1000),
    one('busy', '%', (from) => 100 * from.busyShare, 10),
    one("commits' p99, of that alone", 'x', (from) => from.commitP99 / alone.commitP99, 1.5, 2),
    one('longest WAL', 'MB', (from) => from.walMaxMB, 16),
  ];
}

print(
  'checkpoints',
  [
    ...rows('application checkpoints', ours, theirs),
    ...rows(`during the image of ${IMAGE_MIB} MiB`, image, undefined),
    ...(slow === undefined
      ? []
      : rows('each fsync slowed by 40 ms', slow, undefined).filter(({ what }) =>
          /checkpoint p50|slowest/.test(what),
        )),
  ],
  `${SECONDS} s, 500 transactions a second, a checkpoint each 400 ms`,
);
