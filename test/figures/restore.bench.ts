/**
 * Restores, beside `cp` and fsync of the result, a plain download with the vendor's SDK and, where
 * LITESTREAM_BIN names a binary, Litestream's restore of the same bucket.
 *
 *   node test/figures/restore.bench.ts [--mib 1024] [--large-mib 20480] [--runs 3] [--folder PATH (kept)]
 *
 * Each is a whole process. Sluice is the built command line tool. All need about 25 GiB of disk;
 * with --large-mib 0, 5 GiB.
 */

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { inFolder, print, round, type Row } from './bench.ts';
import { makeBucket } from './restore/bucket.ts';
import { contest, restorers } from './restore/contest.ts';
import { sha256, type Cost } from './restore/cost.ts';
import { measureOverS3, requestsForMoment } from './restore/over-s3.ts';
import { makeSparseBucket } from './restore/sparse.ts';

const MIB = 1024 * 1024;
const FILES = 100;
/** Size of all files, as a part of the database. Pages compress to about half. */
const BUCKETS = [
  { what: 'snapshot, small increments', share: 0.75 },
  { what: 'each page four times', share: 2 },
] as const;
const MEMORY_MIB_MAX = 300;
/** Bytes a second. */
const GIGABIT = 125_000_000;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    'large-mib': { type: 'string', default: '20480' },
    runs: { type: 'string', default: '3' },
    folder: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [mib, largeMiB, runs] = [values.mib, values['large-mib'], values.runs].map(Number) as [
  number,
  number,
  number,
];

type Costs = Readonly<Record<string, Cost>>;

await (values.folder === undefined ? inFolder(main) : main(values.folder));

async function main(folder: string): Promise<void> {
  const rows: Row[] = [];
  for (const [index, { what, share }] of BUCKETS.entries()) {
    const place = path.join(folder, String(index));
    const size = { databaseBytes: mib * MIB, bucketBytes: share * mib * MIB, files: FILES };
    if (!fs.existsSync(path.join(place, 'expected.db'))) makeBucket(place, size);
    rows.push(...(await localRows(place, what)));
    if (index === 0) rows.push(...(await remoteRows(place)));
  }
  const counts = await requestsForMoment(folder);
  rows.push(rowOf('plan of a moment 48 h ago in 7,000 files', 'requests', 40, counts));
  if (largeMiB > 0) rows.push(await largeRow(folder));
  const shape = `A database of ${mib} MiB in ${FILES} files: a snapshot, and increments, together 0.75 or 2 times its size`;
  print('restore', rows, `${shape}, from a local folder or S3. Medians of ${runs} runs.`);
}

async function localRows(folder: string, what: string): Promise<Row[]> {
  const expected = path.join(folder, 'expected.db');
  const output = path.join(folder, 'restored');
  const copy = ['sh', '-c', 'cp "$1" "$2" && sync "$2"', 'sh', expected, output];
  const costs = await contest(
    [
      { name: 'cp', command: copy, isRestore: true },
      ...restorers(output, `file://${path.join(folder, 'bucket')}`),
    ],
    { runs, output, wanted: sha256(expected) },
  );
  const base = costs['cp']?.wallMs ?? Number.NaN;
  return [
    rowOf(
      `${what}: wall, of cp + fsync`,
      'x',
      1.3,
      pick(costs, (cost) => cost.wallMs / base),
    ),
    rowOf(
      `${what}: processor`,
      's',
      undefined,
      pick(costs, (cost) => cost.cpuMs / 1000),
    ),
    rowOf(
      `${what}: peak memory`,
      'MiB',
      MEMORY_MIB_MAX,
      pick(costs, (cost) => cost.peakMiB),
    ),
  ];
}

async function remoteRows(folder: string): Promise<Row[]> {
  const { costs, rounds } = await measureOverS3(folder, { runs });
  const base = costs['sdk']?.wallMs ?? Number.NaN;
  const slow = (await measureOverS3(folder, { runs, bytesPerSecond: GIGABIT })).costs;
  const slowBase = slow['sdk']?.wallMs ?? Number.NaN;
  const what = `${BUCKETS[0].what}, over S3 at 30 ms`;
  return [
    rowOf(`${what}: up to the first page`, 'round trips', 3, rounds),
    rowOf(
      `${what}: wall, of a plain download`,
      'x',
      1.3,
      pick(costs, (cost) => cost.wallMs / base),
    ),
    rowOf(
      `${what} and 1 Gbit/s: wall, of a plain download`,
      'x',
      1.3,
      pick(slow, (cost) => cost.wallMs / slowBase),
    ),
    rowOf(
      `${what}: peak memory`,
      'MiB',
      MEMORY_MIB_MAX,
      pick(costs, (cost) => cost.peakMiB),
    ),
  ];
}

/** Once each: it writes the whole database. */
async function largeRow(folder: string): Promise<Row> {
  const bucket = path.join(folder, 'large');
  if (!fs.existsSync(bucket)) makeSparseBucket(bucket, largeMiB * MIB);
  const output = path.join(folder, 'restored');
  const costs = await contest(restorers(output, `file://${bucket}`), { runs: 1, output });
  const what = `${largeMiB} MiB, past the lock page: peak memory`;
  return rowOf(
    what,
    'MiB',
    MEMORY_MIB_MAX,
    pick(costs, (cost) => cost.peakMiB),
  );
}

function pick(costs: Costs, figure: (cost: Cost) => number): Record<string, number> {
  const each = Object.entries(costs).map(([name, cost]) => [name, figure(cost)] as const);
  return Object.fromEntries(each);
}

function rowOf(
  what: string,
  unit: string,
  bar: number | undefined,
  figures: Readonly<Record<string, number>>,
): Row {
  const { sluice, litestream } = figures;
  if (sluice === undefined) throw new Error(`no figure of Sluice: ${what}`);
  return {
    what,
    unit,
    ours: round(sluice, 2),
    ...(litestream !== undefined && { beside: { litestream: round(litestream, 2) } }),
    ...(bar !== undefined && { bar }),
    lowerIsBetter: true,
  };
}
