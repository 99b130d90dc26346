/** What each feature is put to. A probe that throws has found an error; check.ts names it. */

import { isError, type ErrorCode } from '../error.ts';
import type { Capabilities } from '../store/client.ts';
import type { Destination } from '../replica/destination.ts';
import type { Logger } from '../store/backend.ts';
import { judgeAbort, judgeConditions, type ConditionOutcome } from './judge.ts';
import { namedObjects, OTHER_BYTES, versions, type ProbeObjects } from './objects.ts';
import {
  doesNot,
  notJudged,
  works,
  type CheckFeature,
  type CheckFigures,
  type FeatureReport,
} from './report.ts';
import { nameOf, probeFile, type CheckSite, type Probe } from './site.ts';

/** As large as a commit of one page, compressed. */
const SMALL_BYTES = 1_024;
/** An odd number, for a median. */
const SMALL_COUNT = 5;
/** Enough above one part that two are sent. */
const OVER_A_PART_BYTES = 65_536;
/** Sizes that no backend claims by itself: the standard of S3 destinations. */
export const PART_BYTES_DEFAULT: number = 8 * 1024 * 1024;

export interface ProbeContext {
  readonly site: CheckSite;
  /** A file above this goes up in parts, where the destination has parts. */
  readonly partBytes: number;
  readonly capabilities: Capabilities;
  /** Opens the place once more: see CheckOptions. */
  readonly connect: ((logger: Logger) => Promise<Destination>) | undefined;
  readonly objects: ProbeObjects;
  /** Filled in by the probes that measure. */
  readonly figures: { -readonly [Name in keyof CheckFigures]: CheckFigures[Name] };
}

export interface ProbePlan {
  readonly feature: CheckFeature;
  /** Of the largest file that it writes. */
  readonly sizeBytes: (partBytes: number) => number;
  /** Bytes that it moves, both ways; 0 where they are next to nothing. */
  readonly movesBytes?: ((partBytes: number) => number) | undefined;
  readonly run: (context: ProbeContext) => Promise<FeatureReport>;
}

/** Two whole parts and a smaller one: parts of unequal size would be found out. */
const largeBytes = (partBytes: number): number => 2 * partBytes + Math.ceil(partBytes / 8);
/** The least that goes in parts: it is written twice. */
const overAPart = (partBytes: number): number => partBytes + OVER_A_PART_BYTES;
const upAndDown = (partBytes: number): number => 2 * largeBytes(partBytes);
const twice = (partBytes: number): number => 2 * overAPart(partBytes);
const onePart = (partBytes: number): number => partBytes;
const small = (): number => SMALL_BYTES;
const none = (): number => 0;

/** After `reach`, and before `delete`; in this order. */
export const PROBES: readonly ProbePlan[] = [
  { feature: 'write', sizeBytes: small, run: write },
  { feature: 'list', sizeBytes: none, run: list },
  { feature: 'read', sizeBytes: none, run: read },
  { feature: 'ranges', sizeBytes: none, run: ranges },
  { feature: 'large', sizeBytes: largeBytes, movesBytes: upAndDown, run: large },
  { feature: 'abort', sizeBytes: largeBytes, movesBytes: onePart, run: abort },
  { feature: 'if-absent', sizeBytes: small, run: ifAbsentSmall },
  { feature: 'if-absent-large', sizeBytes: overAPart, movesBytes: twice, run: ifAbsentLarge },
  { feature: 'objects', sizeBytes: small, run: ({ objects }) => namedObjects(objects) },
  { feature: 'if-version', sizeBytes: small, run: ({ objects }) => versions(objects) },
];

const SMALL: readonly Probe[] = Array.from({ length: SMALL_COUNT }, (_, index) =>
  probeFile(0, index + 1, { seed: index + 1, sizeBytes: SMALL_BYTES }),
);
const [ONE] = SMALL as [Probe];
const LARGE_SEED = 11;

async function write({ site, figures }: ProbeContext): Promise<FeatureReport> {
  const times: number[] = [];
  for (const probe of SMALL) times.push(await site.time(() => site.write(probe)));
  figures.writeMs = median(times);
  return works('write', `${SMALL_COUNT} files of ${SMALL_BYTES} bytes`);
}

/** All levels, one level, and one from a TXID on: whatever was written must be there at once. */
async function list({ site }: ProbeContext): Promise<FeatureReport> {
  const third = SMALL[2]?.ref;
  const asked = [
    { what: 'all levels', found: await site.list('all'), wanted: SMALL },
    { what: 'level 0', found: await site.list(0), wanted: SMALL },
    {
      what: 'level 0 from the third',
      found: await site.list(0, { from: third }),
      wanted: SMALL.slice(2),
    },
  ];
  for (const { what, found, wanted } of asked) {
    const had = found.map((file) => `${nameOf(file)}, ${file.sizeBytes} bytes`);
    const should = wanted.map(({ ref, sizeBytes }) => `${nameOf(ref)}, ${sizeBytes} bytes`);
    if (had.join() === should.join()) continue;
    const seen = `${what}: ${should.join('; ')} is there; listed is ${had.join('; ') || 'nothing'}`;
    return doesNot('list', seen, 'report it: a backup must see at once what was written');
  }
  return works('list', 'what was written is listed at once, by level and from a TXID on');
}

async function read({ site, figures }: ProbeContext): Promise<FeatureReport> {
  const times: number[] = [];
  const faults: string[] = [];
  for (const probe of SMALL) {
    times.push(
      await site.time(async () => {
        const fault = await site.fault(probe);
        if (fault !== undefined) faults.push(`${nameOf(probe.ref)}: ${fault}`);
      }),
    );
  }
  const [fault] = faults;
  if (fault !== undefined) return doesNot('read', fault, OTHER_BYTES);
  figures.readMs = median(times);
  return works('read', 'the bytes that were written');
}

/** The beginning, the middle, the last 16 bytes: what a restore asks for. */
async function ranges({ site }: ProbeContext): Promise<FeatureReport> {
  const { sizeBytes } = ONE;
  for (const range of [
    { start: 0, end: 100 },
    { start: 333, end: 777 },
    { start: sizeBytes - 16, end: sizeBytes },
  ]) {
    const fault = await site.fault(ONE, range);
    if (fault !== undefined) return doesNot('ranges', fault, OTHER_BYTES);
  }
  return works('ranges', 'parts of a file come as they were asked for');
}

async function large({ site, partBytes, figures }: ProbeContext): Promise<FeatureReport> {
  const sizeBytes = largeBytes(partBytes);
  const probe = probeFile(9, 7, { seed: LARGE_SEED, sizeBytes });
  const upMs = await site.time(() => site.write(probe));
  let fault: string | undefined;
  const downMs = await site.time(async () => {
    fault = await site.fault(probe);
  });
  if (fault !== undefined) return doesNot('large', fault, OTHER_BYTES);
  figures.upBytesPerSecond = speed(sizeBytes, upMs);
  figures.downBytesPerSecond = speed(sizeBytes, downMs);
  return works('large', `a file of ${sizeBytes} bytes, up and down`);
}

/**
 * What an upload leaves that is not completed is removed in the background, and told in the log where
 * it cannot be. So it has a connection of its own: when that has closed, there is no more to be told.
 */
async function abort({ site, partBytes, connect }: ProbeContext): Promise<FeatureReport> {
  if (connect === undefined) return notJudged('abort', 'it needs a connection of its own');
  const warnings: { message: string; code?: ErrorCode | undefined }[] = [];
  let isListening = false;
  const destination = await connect({
    ...SILENT,
    warn(message, { code } = {}) {
      if (isListening) warnings.push({ message, code: code as ErrorCode | undefined });
    },
  });
  const probe = probeFile(9, 8, { seed: LARGE_SEED + 1, sizeBytes: largeBytes(partBytes) });
  try {
    await site.writeAborted(destination, probe, partBytes);
    isListening = true; // those before were of parts that were sent again
  } finally {
    await destination.close();
  }
  const isThere = await site.isThere(probe.ref);
  if (!isThere) site.forget(probe.ref);
  return judgeAbort({ isThere, warnings });
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

async function ifAbsentSmall(context: ProbeContext): Promise<FeatureReport> {
  return await conditions(context, 'if-absent', 0, SMALL_BYTES);
}

async function ifAbsentLarge(context: ProbeContext): Promise<FeatureReport> {
  return await conditions(context, 'if-absent-large', 9, overAPart(context.partBytes));
}

/** Twice, with other bytes: a server that does not look at the condition keeps the second. */
async function conditions(
  { site, capabilities }: ProbeContext,
  feature: 'if-absent' | 'if-absent-large',
  level: number,
  sizeBytes: number,
): Promise<FeatureReport> {
  const maxTXID = SMALL_COUNT + 1;
  const mine = probeFile(level, maxTXID, { seed: 20 + level, sizeBytes });
  const other = probeFile(level, maxTXID, { seed: 40 + level, sizeBytes });
  const first = await attempt(() => site.write(mine, 'if-absent'));
  if (first === 'unsupported') {
    return judgeConditions(feature, { first, second: first, holds: 'neither' });
  }
  const second = await attempt(() => site.write(other, 'if-absent'));
  // Its end tells them apart, where that can be had alone.
  const end = { start: sizeBytes - SMALL_BYTES, end: sizeBytes };
  const range = capabilities.ranges === true ? end : undefined;
  const isMine = await site.holds(mine, range);
  const isOther = !isMine && (await site.holds(other, range));
  const holds = isMine ? 'first' : isOther ? 'second' : 'neither';
  return judgeConditions(feature, { first, second, holds });
}

async function attempt(work: () => Promise<void>): Promise<ConditionOutcome> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    if (isError(error, 'REPLICA_CONFLICT')) return 'conflict';
    if (isError(error, 'REPLICA_UNSUPPORTED')) return 'unsupported';
    throw error;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function speed(sizeBytes: number, ms: number): number | undefined {
  return ms > 0 ? Math.round((sizeBytes / ms) * 1_000) : undefined;
}
