/**
 * Processor time, memory and sent bytes for 1, 2, 3 and 5 destinations, folders and S3, with 100 transactions a second.
 * The writer and the S3 server run in the process of the benchmark, so only the replicator counts.
 */

import fs from 'node:fs';
import path from 'node:path';
import { start, type RunningS3 } from '../servers/s3/index.ts';
import {
  inFolder,
  LITESTREAM_03,
  print,
  quantile,
  ReplicatorProcess,
  round,
  type Curves,
  type AnyKind,
  type Point,
  type Row,
} from './bench.ts';
import { SteadyWriter } from './steady-writer.ts';

/** A whole number of merges of level 1, which are made every 30 s. */
const SECONDS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 30);
const REPEATS = Number(process.env['SLUICE_BENCH_REPEATS'] ?? 3);
const WARM_UP_MS = 2_000;
const PER_SECOND = 100;
const COUNTS = [1, 2, 3, 5];
/** Those that the target compares. */
const REPEATED_COUNTS = [1, 3];
const PLACES = ['folders', 'S3'] as const;
/** Of three destinations, as a multiple of one. */
const TIMES_MAX = 1.2;
const RIVAL: AnyKind = 'litestream 0.3.13';
const MIB = 1024 * 1024;

type Place = (typeof PLACES)[number];

interface Use {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly sentMiB: number;
}

async function use(kind: AnyKind, place: Place, count: number): Promise<Use> {
  return await inFolder(async (folder) => {
    const server = await start();
    const writer = new SteadyWriter(folder, PER_SECOND);
    const names = Array.from({ length: count }, (_, n) => `to-${n}`);
    const folders = place === 'folders' ? names.map((name) => path.join(folder, name)) : [];
    const replicator = new ReplicatorProcess({
      ...{ kind, database: writer.file, folders },
      s3: place === 'S3' ? names.map((name) => ({ ...server, path: name })) : [],
    });
    const sentBytes = (): number =>
      bytesPut(server) + folders.reduce((sum, each) => sum + bytesIn(each), 0);
    const isComplete = (name: string): boolean =>
      place === 'S3'
        ? server.raw.keys().some((key) => key.startsWith(`${name}/`) && isSnapshot(key))
        : filesIn(path.join(folder, name)).some(isSnapshot);
    try {
      // Litestream 0.3 makes its first snapshot after the first commit.
      await writer.writeFor(100);
      await replicator.hasReached(() => names.every(isComplete));
      await writer.writeFor(WARM_UP_MS);
      const before = { cpuMs: replicator.cpuMs(), sentBytes: sentBytes() };
      await writer.writeFor(SECONDS * 1_000);
      return {
        cpuSeconds: (replicator.cpuMs() - before.cpuMs) / 1_000,
        peakMiB: replicator.peakRssMiB(),
        sentMiB: (sentBytes() - before.sentBytes) / MIB,
      };
    } finally {
      await replicator.stop();
      writer.close();
      await server.stop();
    }
  });
}

/** Litestream 0.3 lists in a way that the S3 server does not know. */
function kindsOf(place: Place): readonly AnyKind[] {
  return place === 'folders' && LITESTREAM_03 !== undefined ? ['sluice', RIVAL] : ['sluice'];
}

/** Whether this is the name of a full snapshot, of Sluice or of Litestream 0.3. */
function isSnapshot(name: string): boolean {
  return /(?:ltx\/|000)9\/.*\.ltx$|snapshots\/.*\.snapshot\.lz4$/.test(name);
}

function filesIn(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
}

/** Nothing is deleted within the time of a run, so this is what was sent. */
function bytesIn(folder: string): number {
  const sizes = filesIn(folder).map((name) => {
    const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    return stat?.isFile() === true ? stat.size : 0;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

function bytesPut(server: RunningS3): number {
  return server.requests.all().reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
}

const MEASURES: readonly {
  readonly of: keyof Use;
  readonly what: string;
  readonly unit: string;
}[] = [
  { of: 'cpuSeconds', what: 'processor', unit: 's' },
  { of: 'peakMiB', what: 'peak resident memory', unit: 'MiB' },
  { of: 'sentMiB', what: 'sent', unit: 'MiB' },
];

const uses = new Map<string, Use[]>();
const keyFor = (kind: AnyKind, place: Place, count: number): string =>
  `${kind}, ${place}, ${count}`;
for (let repeat = 0; repeat < REPEATS; repeat++) {
  for (const place of PLACES) {
    for (const count of repeat === 0 ? COUNTS : REPEATED_COUNTS) {
      for (const kind of repeat === 0 ? kindsOf(place) : (['sluice'] as const)) {
        const key = keyFor(kind, place, count);
        const measured = await use(kind, place, count);
        process.stderr.write(`${key}: ${JSON.stringify(measured)}\n`);
        uses.set(key, [...(uses.get(key) ?? []), measured]);
      }
    }
  }
}

function median(kind: AnyKind, place: Place, count: number, of: keyof Use): number {
  const measured = uses.get(keyFor(kind, place, count)) ?? [];
  return quantile(
    measured.map((each) => each[of]),
    0.5,
  );
}

function rowOf(place: Place, what: string, unit: string, value: (kind: AnyKind) => number): Row {
  return {
    ...{ what: `${place}: ${what}`, unit, ours: round(value('sluice'), 2), lowerIsBetter: true },
    ...(kindsOf(place).includes(RIVAL) && { beside: { [RIVAL]: round(value(RIVAL), 2) } }),
  };
}

function rowsOf(place: Place): Row[] {
  const multiple = (count: number, kind: AnyKind): number =>
    median(kind, place, count, 'cpuSeconds') / median(kind, place, 1, 'cpuSeconds');
  return [
    {
      ...rowOf(place, 'processor of 3, as a multiple of 1', 'x', (kind) => multiple(3, kind)),
      bar: TIMES_MAX,
    },
    rowOf(place, 'processor of 5, as a multiple of 1', 'x', (kind) => multiple(5, kind)),
    ...MEASURES.flatMap(({ of, what, unit }) =>
      COUNTS.map((count) =>
        rowOf(place, `${what}, ${count}`, unit, (kind) => median(kind, place, count, of)),
      ),
    ),
  ];
}

function curvesOf({ of, what, unit }: (typeof MEASURES)[number]): Curves {
  const lines = PLACES.flatMap((place) =>
    kindsOf(place).map((kind): [string, Point[]] => [
      `${kind === 'sluice' ? 'Sluice' : kind}, ${place}`,
      COUNTS.map((count) => [count, median(kind, place, count, of)]),
    ]),
  );
  return {
    title: `${what}, ${PER_SECOND} transactions a second for ${SECONDS} s`,
    ...{ x: 'destinations', y: unit, lines: Object.fromEntries(lines) },
  };
}

print(
  'fan-out',
  PLACES.flatMap(rowsOf),
  `${PER_SECOND} transactions a second for ${SECONDS} s, each inserts a row of 500 bytes; the processor time of the replicator alone; ` +
    `the default sync interval, 1 s; all S3 destinations are on one server, without a round trip; 1 and 3 are the median of ${REPEATS} runs, the others and Litestream one run`,
  MEASURES.map(curvesOf),
);
