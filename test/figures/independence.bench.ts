/**
 * The lag of two healthy destinations, a folder and S3, before and while a third one, on S3, is bad in one of several
 * ways; and the lag of all three, second by second, while the third one gives no answer for a minute.
 *
 * The lag of a commit is the time from its return to its whole file at the destination. Each way and each run has its
 * own replicator. The writer and the servers run in the process of the benchmark.
 */

import fs from 'node:fs';
import path from 'node:path';
import { start, type FaultKind, type RunningS3 } from '../servers/s3/index.ts';
import { Arrivals, type Lag } from './arrivals.ts';
import {
  inFolder,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Curves,
  type Point,
  type Row,
} from './bench.ts';
import { SteadyWriter } from './steady-writer.ts';

const RUNS = Number(process.env['SLUICE_BENCH_REPEATS'] ?? 5);
const PHASE_MS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 1.5) * 1_000;
const CUT_OFF_MS = 40 * PHASE_MS;
const PER_SECOND = 100;
/** Short, so that a phase has many uploads. */
const SYNC_INTERVAL_MS = 100;
/** A later p99 by this much is allowed, whatever the p99 is. */
const LATER_MS_MAX = 25;
const LATER_SHARE_MAX = 0.1;
const PAGE = '<!doctype html><html><head><title>Please sign in</title></head><body></body></html>';
const HEALTHY = ['folder', 'S3'] as const;

type Name = (typeof HEALTHY)[number] | 'bad one';

/** Makes a server bad. Rejects if it had no effect by the time that the returned function is called. */
type Badness = (server: RunningS3) => Promise<() => void>;

function answering(kind: FaultKind, on?: 'PutObject'): Badness {
  return async ({ faults }) => {
    const fault = faults.add(kind, { on, times: Infinity });
    return () => {
      if (fault.hits === 0)
        throw new Error(`nothing was sent to the server that is bad: ${kind.kind}`);
    };
  };
}

const WAYS: Readonly<Record<string, Badness>> = {
  'connections refused': async (server) => {
    await server.stop();
    return () => undefined;
  },
  'no answers': answering({ kind: 'hold-request' }),
  '403 AccessDenied': answering({ kind: 'error', status: 403, code: 'AccessDenied' }),
  '503 SlowDown': answering({ kind: 'error', status: 503, code: 'SlowDown' }),
  'a full disk': answering({ kind: 'error', status: 507, code: 'XMinioStorageFull' }, 'PutObject'),
  'its bucket is gone': answering({ kind: 'error', status: 404, code: 'NoSuchBucket' }),
  'connections reset': answering({ kind: 'cut-request', afterBytes: 0 }, 'PutObject'),
  '200 without effect': answering(
    { kind: 'answer', status: 200, headers: { etag: '"5f"' }, text: '' },
    'PutObject',
  ),
  'a web page with 200': answering({
    ...{ kind: 'answer', status: 200, text: PAGE },
    headers: { 'content-type': 'text/html; charset=utf-8' },
  }),
};

interface Scene {
  readonly bad: RunningS3;
  readonly arrivals: Readonly<Record<Name, Arrivals>>;
  readonly replicator: ReplicatorProcess;
  /** Commits for so long, and returns the time at the start. */
  readonly commitFor: (durationMs: number) => Promise<number>;
}

async function withScene<Result>(work: (scene: Scene) => Promise<Result>): Promise<Result> {
  return await inFolder(async (folder) => {
    const writer = new SteadyWriter(folder, PER_SECOND);
    const [good, bad] = [await start(), await start()];
    const bucket = path.join(folder, 'bucket');
    const replicator = new ReplicatorProcess({
      ...{ kind: 'sluice', database: writer.file, folders: [bucket] },
      top: `sync-interval: ${SYNC_INTERVAL_MS}ms\n`,
      s3: [good, bad].map((server) => ({ ...server, path: 'app' })),
    });
    const arrivals = { folder: new Arrivals(), S3: new Arrivals(), 'bad one': new Arrivals() };
    const stops: (() => void)[] = [];
    try {
      const isComplete = (server: RunningS3): boolean =>
        server.raw.keys().some((key) => key.startsWith('app/0009/'));
      const levelInFolder = path.join(bucket, 'ltx', '0');
      await replicator.hasReached(
        () => fs.existsSync(levelInFolder) && isComplete(good) && isComplete(bad),
      );
      stops.push(
        arrivals.folder.watchFolder(levelInFolder),
        arrivals.S3.watchS3(good, 'app/0000/'),
        arrivals['bad one'].watchS3(bad, 'app/0000/'),
      );
      return await work({
        ...{ bad, arrivals, replicator },
        commitFor: async (durationMs) => {
          const startedAt = performance.now();
          await writer.writeFor(durationMs, () => {
            for (const each of Object.values(arrivals)) each.expect();
          });
          return startedAt;
        },
      });
    } finally {
      await replicator.stop();
      for (const stop of stops) stop();
      writer.close();
      await good.stop();
      await bad.stop();
    }
  });
}

interface Phases {
  readonly before: readonly number[];
  readonly meanwhile: readonly number[];
}

async function run(makeBad: Badness): Promise<Readonly<Record<(typeof HEALTHY)[number], Phases>>> {
  return await withScene(async ({ bad, arrivals, commitFor }) => {
    await commitFor(PHASE_MS); // the first uploads of a process take longer
    const startedAt = await commitFor(PHASE_MS);
    const check = await makeBad(bad);
    const badAt = await commitFor(PHASE_MS);
    await Promise.all(HEALTHY.map((name) => arrivals[name].all({ timeoutMs: 10_000 })));
    check();
    const phasesOf = ({ lags }: Arrivals): Phases => ({
      before: lags.filter(({ at }) => at >= startedAt && at < badAt).map(({ ms }) => ms),
      meanwhile: lags.filter(({ at }) => at >= badAt).map(({ ms }) => ms),
    });
    return { folder: phasesOf(arrivals.folder), S3: phasesOf(arrivals.S3) };
  });
}

async function rowsOf(way: string, makeBad: Badness): Promise<Row[]> {
  const runs: Awaited<ReturnType<typeof run>>[] = [];
  for (let n = 0; n < RUNS; n++) runs.push(await run(makeBad));
  return HEALTHY.flatMap((name) =>
    lagRows(
      `${way}: ${name}`,
      runs.map((each) => each[name]),
    ),
  );
}

function lagRows(what: string, runs: readonly Phases[]): Row[] {
  return [0.5, 0.99].map((share) => {
    const median = (of: keyof Phases): number =>
      quantile(
        runs.map((each) => quantile(each[of], share)),
        0.5,
      );
    const [before, meanwhile] = [median('before'), median('meanwhile')];
    process.stderr.write(
      `${what}, p${share * 100}: ${round(before)}, then ${round(meanwhile)} ms\n`,
    );
    return {
      ...{ what: `${what}, p${share * 100}`, unit: 'ms', ours: round(meanwhile) },
      beside: { before: round(before) },
      ...(share === 0.99 && {
        bar: round(before + Math.max(LATER_MS_MAX, LATER_SHARE_MAX * before)),
      }),
      lowerIsBetter: true,
    };
  });
}

async function cutOff(): Promise<{ rows: Row[]; curves: Curves[] }> {
  return await withScene(async ({ bad, arrivals, replicator, commitFor }) => {
    await commitFor(PHASE_MS);
    const startedAt = await commitFor(5 * PHASE_MS);
    const fault = bad.faults.add({ kind: 'hold-request' }, { times: Infinity });
    const cutAt = await commitFor(CUT_OFF_MS);
    fault.remove();
    fault.release();
    const answeredAt = await commitFor(5 * PHASE_MS);
    await Promise.all(Object.values(arrivals).map((each) => each.all({ timeoutMs: 90_000 })));
    const phasesOf = ({ lags }: Arrivals): Phases => ({
      before: lags.filter(({ at }) => at >= startedAt && at < cutAt).map(({ ms }) => ms),
      meanwhile: lags.filter(({ at }) => at >= cutAt && at < answeredAt).map(({ ms }) => ms),
    });
    const what = `no answers for ${CUT_OFF_MS / 1_000} s`;
    const caughtUpAt = Math.max(
      ...arrivals['bad one'].lags.filter(({ at }) => at < answeredAt).map(({ at, ms }) => at + ms),
    );
    const seconds = (caughtUpAt - answeredAt) / 1_000;
    const [from, to] = [cutAt, answeredAt].map((at) => Math.round((at - startedAt) / 1_000));
    return {
      rows: [
        ...HEALTHY.flatMap((name) => lagRows(`${what}: ${name}`, [phasesOf(arrivals[name])])),
        { what: `${what}: caught up after`, unit: 's', ours: round(seconds), lowerIsBetter: true },
        {
          ...{ what: `${what}: peak resident memory`, unit: 'MiB', lowerIsBetter: true },
          ours: round(replicator.peakRssMiB()),
        },
      ],
      curves: [
        {
          title: `longest lag of the commits of each second; one destination gives no answers from ${from} to ${to} s`,
          ...{ x: 'seconds', y: 'ms', log: 'y' },
          lines: {
            'the one without answers': bySecond(arrivals['bad one'].lags, startedAt),
            folder: bySecond(arrivals.folder.lags, startedAt),
            S3: bySecond(arrivals.S3.lags, startedAt),
          },
        },
      ],
    };
  });
}

function bySecond(lags: readonly Lag[], startedAt: number): Point[] {
  const longest = new Map<number, number>();
  for (const { at, ms } of lags) {
    const second = Math.floor((at - startedAt) / 1_000);
    if (second >= 0) longest.set(second, Math.max(longest.get(second) ?? 0, ms));
  }
  return [...longest].toSorted(([a], [b]) => a - b);
}

const rows: Row[] = [];
for (const [way, makeBad] of Object.entries(WAYS)) rows.push(...(await rowsOf(way, makeBad)));
const minute = await cutOff();
print(
  'independence',
  [...rows, ...minute.rows],
  `${PER_SECOND} commits a second, a sync interval of ${SYNC_INTERVAL_MS} ms; medians of ${RUNS} runs, ${PHASE_MS / 1_000} s before and ` +
    `${PHASE_MS / 1_000} s meanwhile; without answers for ${CUT_OFF_MS / 1_000} s one run; the bar is the p99 before, and 10 % or ${LATER_MS_MAX} ms`,
  minute.curves,
);
