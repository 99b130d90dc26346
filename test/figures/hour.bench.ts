/**
 * Requests of a database with a commit each second, those of an idle database, the bytes of a first snapshot, and a
 * restore of the files of an hour.
 *
 * Sluice runs in virtual time, with the default intervals. Litestream runs for some minutes of real time,
 * and its requests are scaled to an hour.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { CountedRequests } from '../servers/counting-proxy.ts';
import { startCountingProxy } from '../servers/counting-proxy.ts';
import { besideS3, inFolder, LITESTREAM, print, round, type Row, type S3Server } from './bench.ts';
import { VirtualRun, type Copies, type Counted } from './history/virtual-run.ts';
import { restoreHour } from './restore/of-an-hour.ts';

const HOUR_MS = 3_600_000;
const COMMIT_MS = 1_000;
const REAL_MS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 150) * 1_000;
const PAGES = 1_000;
const RUNS = 3;

function create(database: Database.Database): void {
  database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
  const insert = database.prepare('INSERT INTO t(a) VALUES(randomblob(4000))');
  database.transaction(() => {
    for (let row = 0; row < PAGES; row++) insert.run();
  })();
}

function updateOf(database: Database.Database): () => void {
  const update = database.prepare('UPDATE t SET a = randomblob(4000) WHERE id = ?');
  return () => void update.run(1 + Math.floor(Math.random() * PAGES));
}

type Objects = ReadonlyMap<string, { readonly bytes: Uint8Array }>;

/** The third hour, in which files are deleted; and the files after the first. */
async function busyHour(): Promise<{ counted: Counted; files: number; afterAnHour: Objects }> {
  const run = await VirtualRun.start(create);
  const write = updateOf(run.database);
  await run.commit(HOUR_MS, COMMIT_MS, write);
  const afterAnHour = new Map(run.bucket.store.objects);
  await run.commit(HOUR_MS, COMMIT_MS, write);
  run.take();
  await run.commit(HOUR_MS, COMMIT_MS, write);
  const [counted, files] = [run.take(), run.bucket.store.objects.size];
  process.stderr.write(`the third hour: ${JSON.stringify({ counted, files })}\n`);
  run.close();
  return { counted, files, afterAnHour };
}

async function slowHour(): Promise<Counted> {
  const run = await VirtualRun.start(create, { syncIntervalMs: 10_000 });
  await run.commit(HOUR_MS / 6, COMMIT_MS, updateOf(run.database));
  run.take();
  await run.commit(HOUR_MS, COMMIT_MS, updateOf(run.database));
  const counted = run.take();
  run.close();
  return counted;
}

interface IdleDay {
  /** Bytes that were sent, as a part of the first snapshot. */
  readonly sent: number;
  /** Requests an hour. */
  readonly requests: number;
}

/** The database is looked at rarely: that causes no requests, and the day takes seconds. */
const RARELY = { monitorIntervalMs: 10_000, maxLagMs: 60_000 };

/** A new database that nobody changes for a day. */
async function idleDay(copies: Copies): Promise<IdleDay> {
  const run = await VirtualRun.start(create, RARELY, copies);
  const objects = [...run.bucket.store.objects];
  const snapshot = objects.find(([key]) => key.includes('/ltx/9/'))?.[1].bytes.length ?? 0;
  const first = run.take();
  await run.time.advance(24 * HOUR_MS);
  const later = run.take();
  run.close();
  const { put, get, list, delete: deletes, copy } = later;
  process.stderr.write(`${copies}: ${JSON.stringify({ first, later, snapshot })}\n`);
  return {
    sent: (first.sentBytes + later.sentBytes) / snapshot,
    requests: (put + get + list + deletes + copy) / 24,
  };
}

/** Litestream's requests with the same commits, scaled to an hour. */
async function litestream(
  folder: string,
  { binary, syncInterval }: { readonly binary: string; readonly syncInterval: string },
  s3: S3Server,
): Promise<CountedRequests> {
  const database = path.join(folder, `litestream-${syncInterval}.db`);
  const db = new Database(database);
  db.pragma('journal_mode=wal');
  create(db);
  const proxy = await startCountingProxy(s3.endpoint);
  const config = `${database}.yml`;
  const replica = `{ type: s3, bucket: ${s3.bucket}, path: litestream, endpoint: "${proxy.endpoint}", force-path-style: true, sync-interval: ${syncInterval} }`;
  fs.writeFileSync(config, `dbs:\n- path: ${database}\n  replica: ${replica}\n`);
  const { accessKeyId, secretAccessKey } = s3.credentials;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  delete env['AWS_CA_BUNDLE'];
  const child = spawn(binary, ['replicate', '-config', config], { stdio: 'ignore', env });
  try {
    const write = updateOf(db);
    await sleep(10_000);
    proxy.takeByKind();
    const startedAt = performance.now();
    for (let commit = 1; commit * COMMIT_MS <= REAL_MS; commit++) {
      write();
      await sleep(Math.max(0, startedAt + commit * COMMIT_MS - performance.now()));
    }
    const counted = proxy.takeByKind();
    const scale = (value: number): number => Math.round((value * HOUR_MS) / REAL_MS);
    const { put, get, list, delete: deletes } = counted;
    return { put: scale(put), get: scale(get), list: scale(list), delete: scale(deletes) };
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await proxy.stop();
    db.close();
  }
}

async function beside(folder: string, syncInterval: string): Promise<CountedRequests | undefined> {
  if (LITESTREAM === undefined) return undefined;
  const how = { binary: LITESTREAM, syncInterval };
  return await besideS3((s3) => litestream(folder, how, s3));
}

const { busy, slow, copied, sentTwice, theirs, theirSlow, restores } = await inFolder(
  async (folder) => {
    const busy = await busyHour();
    return {
      busy,
      slow: await slowHour(),
      copied: await idleDay('copies'),
      sentTwice: await idleDay('cannot copy'),
      theirs: await beside(folder, '1s'),
      theirSlow: await beside(folder, '10s'),
      restores: {
        merged: await restoreHour(busy.afterAnHour, 'all', { folder, runs: RUNS }),
        before: await restoreHour(busy.afterAnHour, 'not merged', { folder, runs: RUNS }),
      },
    };
  },
);

const lowerIsBetter = true;
const requests = (what: string, kind: keyof CountedRequests, bar?: number): Row => ({
  what: `a commit each second: ${what} an hour`,
  unit: 'requests',
  ours: busy.counted[kind],
  ...(theirs && { beside: { litestream: theirs[kind] } }),
  ...(bar !== undefined && { bar }),
  lowerIsBetter,
});
const restored = ({ costs, count }: typeof restores.merged, what: string): Row => ({
  what: `restore of an hour of commits from S3, ${what}, ${count} files`,
  unit: 's',
  ours: round((costs['sluice']?.wallMs ?? 0) / 1_000, 2),
  ...(costs['litestream'] && {
    beside: { litestream: round(costs['litestream'].wallMs / 1_000, 2) },
  }),
  lowerIsBetter,
});
print(
  'hour',
  [
    requests('PUT', 'put', 3_740),
    requests('LIST', 'list', 2),
    requests('GET', 'get'),
    requests('DELETE', 'delete'),
    {
      what: 'sync-interval of 10 s: PUT an hour',
      unit: 'requests',
      ours: slow.put,
      ...(theirSlow && { beside: { litestream: theirSlow.put } }),
      bar: 500,
      lowerIsBetter,
    },
    {
      what: 'idle: requests an hour',
      unit: 'requests',
      ours: round(copied.requests, 2),
      bar: 0,
      lowerIsBetter,
    },
    {
      what: 'sent in a day for a new database, of one snapshot, where the destination copies',
      unit: 'x',
      ours: round(copied.sent, 2),
      bar: 1.01,
      lowerIsBetter,
    },
    {
      what: 'the same where it cannot copy',
      unit: 'x',
      ours: round(sentTwice.sent, 2),
      bar: 2.01,
      lowerIsBetter,
    },
    restored(restores.merged, 'merged'),
    restored(restores.before, 'level 0 and the snapshot only'),
  ],
  `Sluice in virtual time, the third hour, ${busy.files} files at its end; Litestream in ${REAL_MS / 1_000} s of real time, scaled; ` +
    'with a sync-interval of 10 s Litestream still sends a file for each second, ten at a time; ' +
    'the bars of sent bytes allow 1 % for what is not a page',
);
