/**
 * Time from the call of `durable()` to its return, and writes, with a destination on S3 with a round trip of
 * 30 ms: 100 calls at once, and 100 writers that commit and wait in a loop.
 */

import path from 'node:path';
import { Destination, replicate, type DatabaseHandle, type ReplicaTarget } from '@sluice/core';
import { parseConfig, type Logger } from '@sluice/core/backend';
import { backend } from '@sluice/s3';
import Database from 'better-sqlite3';
import { start } from '../servers/s3/index.ts';
import { inFolder, print, quantile, round, type Point, type Row } from './bench.ts';

const ROUND_TRIP_MS = 30;
const CALLS = 100;
const LOOP_MS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 10) * 1_000;
/** Repetitions of the calls at once. */
const BURSTS = 10;

const ignore = (): void => undefined;
const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

interface Subject {
  readonly database: DatabaseHandle;
  readonly insert: () => void;
  /** Writes of level 0 so far. */
  readonly puts: () => number;
}

async function withSubject<Result>(work: (subject: Subject) => Promise<Result>): Promise<Result> {
  return await inFolder(async (folder) => {
    const server = await start({ roundTripMs: ROUND_TRIP_MS });
    const file = path.join(folder, 'app.db');
    const db = new Database(file);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE t(v)');
    const isAtLevel0 = (key: string): boolean => key.startsWith('app/0000/');
    const puts = (): number =>
      server.requests.of('PutObject').filter(({ key }) => isAtLevel0(key)).length;
    const { accessKeyId, secretAccessKey } = server.credentials;
    const target: ReplicaTarget = {
      name: 's3',
      type: 's3',
      target: 's3',
      open: async () => {
        const { config, path: root } = parseConfig(backend, {
          type: 's3',
          bucket: server.bucket,
          path: 'app',
          endpoint: server.endpoint,
          region: server.region,
          'access-key-id': accessKeyId,
          'secret-access-key': secretAccessKey,
        });
        const client = await backend.connect(config, { logger, access: 'write' });
        const destination = new Destination(client);
        return { client: destination.replica(root), capabilities: destination.capabilities };
      },
    };
    const replicator = await replicate({
      databases: [{ options: { path: file }, targets: [target] }],
      logger,
      onCrash: (error) => {
        throw error;
      },
    });
    const database = replicator.database(file);
    await database.durable();
    const statement = db.prepare('INSERT INTO t VALUES (randomblob(100))');
    try {
      return await work({ database, insert: () => void statement.run(), puts });
    } finally {
      await replicator.close();
      db.close();
      await server.stop();
    }
  });
}

async function commitAndWait({ database, insert }: Subject): Promise<number> {
  insert();
  const at = performance.now();
  await database.durable();
  return performance.now() - at;
}

interface Measured {
  readonly rows: readonly Row[];
  readonly times: readonly number[];
}

async function atOnce(subject: Subject): Promise<Measured> {
  const times: number[] = [];
  let most = 0;
  for (let burst = 0; burst < BURSTS; burst++) {
    const before = subject.puts();
    const calls = Array.from({ length: CALLS }, () => commitAndWait(subject));
    times.push(...(await Promise.all(calls)));
    most = Math.max(most, subject.puts() - before);
  }
  const what = `${CALLS} calls at once`;
  const rows: Row[] = [
    { what: `${what}: most writes`, unit: 'PUT', ours: most, bar: 2, lowerIsBetter: true },
    ...timesRows(what, times, ROUND_TRIP_MS + 60),
  ];
  return { rows, times };
}

async function inLoop(subject: Subject): Promise<Measured> {
  const times: number[] = [];
  const before = subject.puts();
  const until = performance.now() + LOOP_MS;
  const write = async (): Promise<void> => {
    while (performance.now() < until) times.push(await commitAndWait(subject));
  };
  await Promise.all(Array.from({ length: CALLS }, write));
  const what = `${CALLS} writers in a loop`;
  const rows: Row[] = [
    ...timesRows(what, times, 2 * ROUND_TRIP_MS + 60),
    {
      what: `${what}: durable commits per write`,
      unit: 'commits',
      ours: round(times.length / (subject.puts() - before)),
      lowerIsBetter: false,
    },
  ];
  return { rows, times };
}

/** The bar is that of the p50. */
function timesRows(what: string, times: readonly number[], bar: number): Row[] {
  const row = (name: string, share: number): Row => ({
    ...{ what: `${what}, ${name}`, unit: 'ms', ours: round(quantile(times, share)) },
    lowerIsBetter: true,
  });
  return [{ ...row('p50', 0.5), bar }, row('p90', 0.9), row('p99', 0.99), row('longest', 1)];
}

function distribution(times: readonly number[]): Point[] {
  return Array.from({ length: 51 }, (_, n) => [quantile(times, n / 50), n * 2]);
}

const { once, loop } = await withSubject(async (subject) => ({
  once: await atOnce(subject),
  loop: await inLoop(subject),
}));
print(
  'durable',
  [...once.rows, ...loop.rows],
  `one destination on S3 with a round trip of ${ROUND_TRIP_MS} ms; ${BURSTS} times ${CALLS} calls at once; the writers commit and ` +
    `wait for ${LOOP_MS / 1_000} s`,
  [
    {
      title: 'time from the call of durable() to its return',
      ...{ x: 'ms', y: '% of calls' },
      lines: {
        [`${CALLS} calls at once`]: distribution(once.times),
        [`${CALLS} writers in a loop`]: distribution(loop.times),
      },
    },
  ],
);
