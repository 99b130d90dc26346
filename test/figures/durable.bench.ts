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
import { inFolder, print, quantile, round, type Row } from './bench.ts';

const ROUND_TRIP_MS = 30;
const CALLS = 100;
const LOOP_MS = 10_000;
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
    let puts = 0;
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
        const inner = await backend.connect(config, { logger, access: 'write' });
        const put: typeof inner.put = async (key, body, options) => {
          if (key.includes('/0000/')) puts += 1;
          return await inner.put(key, body, options);
        };
        const client = Object.assign(Object.create(inner) as typeof inner, { put });
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
      return await work({ database, insert: () => void statement.run(), puts: () => puts });
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

async function atOnce(subject: Subject): Promise<Row[]> {
  const times: number[] = [];
  let most = 0;
  for (let burst = 0; burst < BURSTS; burst++) {
    const before = subject.puts();
    const calls = Array.from({ length: CALLS }, () => commitAndWait(subject));
    times.push(...(await Promise.all(calls)));
    most = Math.max(most, subject.puts() - before);
  }
  const what = `${CALLS} calls at once`;
  return [
    { what: `${what}: most writes`, unit: 'PUT', ours: most, bar: 2, lowerIsBetter: true },
    { ...timesRow(`${what}, p50`, times, 0.5), bar: ROUND_TRIP_MS + 60 },
    timesRow(`${what}, p99`, times, 0.99),
  ];
}

async function inLoop(subject: Subject): Promise<Row[]> {
  const times: number[] = [];
  const before = subject.puts();
  const until = performance.now() + LOOP_MS;
  const write = async (): Promise<void> => {
    while (performance.now() < until) times.push(await commitAndWait(subject));
  };
  await Promise.all(Array.from({ length: CALLS }, write));
  const what = `${CALLS} writers in a loop`;
  return [
    { ...timesRow(`${what}, p50`, times, 0.5), bar: 2 * ROUND_TRIP_MS + 60 },
    timesRow(`${what}, p99`, times, 0.99),
    {
      what: `${what}: durable commits per write`,
      unit: 'commits',
      ours: round(times.length / (subject.puts() - before)),
      lowerIsBetter: false,
    },
  ];
}

function timesRow(what: string, times: readonly number[], share: number): Row {
  return { what, unit: 'ms', ours: round(quantile(times, share)), lowerIsBetter: true };
}

const rows = await withSubject(async (subject) => [
  ...(await atOnce(subject)),
  ...(await inLoop(subject)),
]);
print('durable', rows, `one destination on S3 with a round trip of ${ROUND_TRIP_MS} ms`);
