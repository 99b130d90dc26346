/**
 * Uploads and time to bring a destination on S3 with a round trip of 60 ms up to date after an outage of 1 to
 * 60 minutes with a commit each second. Time runs 60 times as fast during the outage, and the levels have
 * intervals of a 60th; requests take their real time. The time counts from the first answer of the server:
 * before, a destination that was down is asked after pauses of up to half a minute.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Destination, replicate, type ReplicaTarget } from '@sluice/core';
import { parseConfig, type Logger } from '@sluice/core/backend';
import { backend } from '@sluice/s3';
import Database from 'better-sqlite3';
import { start, type RunningS3 } from '../servers/s3/index.ts';
import { inFolder, print, quantile, round, type Point, type Row } from './bench.ts';

const ROUND_TRIP_MS = 60;
const SPEED = 60;
/** 30 s, 5 min and 1 h. */
const LEVELS = [30, 300, 3_600].map((seconds, index) => ({
  level: index + 1,
  intervalMs: (seconds * 1_000) / SPEED,
}));
const OUTAGES_MIN = (process.env['SLUICE_BENCH_MINUTES'] ?? '1,5,10,20,60').split(',').map(Number);
/** Each ends at another moment of the windows. */
const REPEATS = 3;
const AXES = { x: 'outage, minutes', log: 'both' } as const;
const BARS = { puts: 20, seconds: 10 };

const ignore = (): void => undefined;
const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

interface Outcome {
  readonly commits: number;
  readonly puts: number;
  readonly seconds: number;
}

function toTarget({ credentials, bucket, endpoint, region }: RunningS3): ReplicaTarget {
  return {
    name: 's3',
    type: 's3',
    target: 's3',
    open: async () => {
      const { config, path: root } = parseConfig(backend, {
        type: 's3',
        path: 'app',
        'access-key-id': credentials.accessKeyId,
        'secret-access-key': credentials.secretAccessKey,
        ...{ bucket, endpoint, region },
      });
      const destination = new Destination(
        await backend.connect(config, { logger, access: 'write' }),
      );
      return { client: destination.replica(root), capabilities: destination.capabilities };
    },
  };
}

async function afterOutage(minutes: number): Promise<Outcome> {
  return await inFolder(async (folder) => {
    const server = await start({ roundTripMs: ROUND_TRIP_MS });
    const file = path.join(folder, 'app.db');
    const db = new Database(file);
    db.pragma('journal_mode=wal');
    db.exec('CREATE TABLE t(v)');
    const insert = db.prepare('INSERT INTO t VALUES (randomblob(1000))');
    const replicator = await replicate({
      databases: [{ options: { path: file, levels: LEVELS }, targets: [toTarget(server)] }],
      logger,
      onCrash: (error) => {
        throw error;
      },
    });
    const commit = async (): Promise<void> => {
      insert.run();
      await replicator.execute({ kind: 'sync', path: file });
    };
    try {
      await replicator.database(file).durable();
      const down = { kind: 'error', status: 503, code: 'ServiceUnavailable' } as const;
      const outage = server.faults.add(down, { times: Infinity });
      const beganAt = performance.now();
      const lengthMs = (minutes * 60_000) / SPEED;
      let commits = 0;
      let answered = false;
      // Until it is asked again, the outage goes on.
      while (!answered) {
        const nextAt = beganAt + ((commits + 1) * 1_000) / SPEED;
        await sleep(Math.max(0, nextAt - performance.now()));
        await commit();
        commits += 1;
        if (performance.now() - beganAt < lengthMs) continue;
        outage.remove();
        answered = server.requests.all().at(-1)?.status === 200;
      }
      const answeredAt = performance.now();
      const before = server.requests.of('PutObject').filter(({ status }) => status === 200).length;
      await replicator.database(file).durable({ timeoutMs: 120_000 });
      const seconds = (performance.now() - answeredAt) / 1_000;
      await sleep(10 * ROUND_TRIP_MS); // merged files that are sent beside level 0
      const puts = server.requests.of('PutObject').filter(({ status }) => status === 200).length;
      return { commits, puts: puts - before, seconds };
    } finally {
      await replicator.close();
      db.close();
      await server.stop();
    }
  });
}

const rows: Row[] = [];
const lines: Record<'puts' | 'seconds', Record<'Sluice' | 'litestream', Point[]>> = {
  puts: { Sluice: [], litestream: [] },
  seconds: { Sluice: [], litestream: [] },
};
const counted: number[] = [];
for (const minutes of OUTAGES_MIN) {
  const outcomes: Outcome[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) outcomes.push(await afterOutage(minutes));
  const puts = Math.max(...outcomes.map((outcome) => outcome.puts));
  const seconds = quantile(
    outcomes.map((outcome) => outcome.seconds),
    0.5,
  );
  const commits = quantile(
    outcomes.map((outcome) => outcome.commits),
    0.5,
  );
  counted.push(commits);
  const what = `outage of ${minutes} min`;
  const litestream = { puts: minutes * 60, seconds: (minutes * 60 * ROUND_TRIP_MS) / 1_000 };
  lines.puts.Sluice.push([minutes, puts]);
  lines.puts.litestream.push([minutes, litestream.puts]);
  lines.seconds.Sluice.push([minutes, seconds]);
  lines.seconds.litestream.push([minutes, litestream.seconds]);
  rows.push(
    {
      what: `${what}: most uploads`,
      unit: 'PUT',
      ours: puts,
      beside: { litestream: litestream.puts },
      bar: BARS.puts,
      lowerIsBetter: true,
    },
    {
      what: `${what}: caught up`,
      unit: 's',
      ours: round(seconds),
      beside: { litestream: round(litestream.seconds) },
      bar: BARS.seconds,
      lowerIsBetter: true,
    },
  );
}
print(
  'catch-up',
  rows,
  `one destination on S3 with a round trip of ${ROUND_TRIP_MS} ms, ${REPEATS} outages each, ${counted.join(', ')} commits in the ` +
    'middle one (an outage lasts until the destination is asked again); time is 60 times as fast during an outage; the figures of ' +
    'Litestream are computed: one PUT for each second, one after the other',
  [
    { title: 'time to catch up', ...AXES, y: 's', lines: lines.seconds },
    { title: 'most uploads to catch up', ...AXES, y: 'PUT', lines: lines.puts },
  ],
);
