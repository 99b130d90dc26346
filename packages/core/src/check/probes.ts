/** The probe of each feature. check.ts converts the error of a probe to a report. */

import { isError, type ErrorCode } from '../error.ts';
import type { Capabilities } from '../store/client.ts';
import type { Destination } from '../replica/destination.ts';
import type { Logger } from '../store/backend.ts';
import { abortReport, conditionsReport, type ConditionOutcome } from './verdicts.ts';
import { namedObjects, OTHER_BYTES, versions, type ProbeObjects } from './objects.ts';
import {
  doesNot,
  notJudged,
  works,
  type CheckFeature,
  type CheckFigures,
  type FeatureReport,
} from './report.ts';
import { nameOf, probeFile, type ProbeReplica, type Probe } from './probe-replica.ts';

/** Size of a commit of one page, compressed. */
const SMALL_BYTES = 1_024;
/** Odd, for a median. */
const SMALL_COUNT = 5;
/** Makes a file larger than one part, so that two parts are sent. */
const OVER_A_PART_BYTES = 65_536;
/** The default part size of S3 destinations. */
export const PART_BYTES_DEFAULT: number = 8 * 1024 * 1024;

export interface ProbeContext {
  readonly replica: ProbeReplica;
  /** Larger files are uploaded in parts, if the destination supports parts. */
  readonly partBytes: number;
  readonly capabilities: Capabilities;
  /** Opens the destination again: see CheckOptions. */
  readonly connect: ((logger: Logger) => Promise<Destination>) | undefined;
  readonly objects: ProbeObjects;
  /** Set by the probes that measure. */
  readonly figures: { -readonly [Name in keyof CheckFigures]: CheckFigures[Name] };
}

export interface ProbePlan {
  readonly feature: CheckFeature;
  /** Size of the largest file that it writes. */
  readonly sizeBytes: (partBytes: number) => number;
  /** Number of bytes that it transfers, in both directions. Absent if it is negligible. */
  readonly movesBytes?: ((partBytes: number) => number) | undefined;
  readonly run: (context: ProbeContext) => Promise<FeatureReport>;
}

/** Two full parts and a smaller one, to detect errors with parts of different sizes. */
const largeBytes = (partBytes: number): number => 2 * partBytes + Math.ceil(partBytes / 8);
/** The smallest file that is sent in parts. It is written twice. */
const overAPart = (partBytes: number): number => partBytes + OVER_A_PART_BYTES;
const upAndDown = (partBytes: number): number => 2 * largeBytes(partBytes);
const twice = (partBytes: number): number => 2 * overAPart(partBytes);
const onePart = (partBytes: number): number => partBytes;
const small = (): number => SMALL_BYTES;
const none = (): number => 0;

/** The probes between `reach` and `delete`, in order. */
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

async function write({ replica, figures }: ProbeContext): Promise<FeatureReport> {
  const times: number[] = [];
  for (const probe of SMALL) times.push(await replica.time(() => replica.write(probe)));
  figures.writeMs = median(times);
  return works('write', `${SMALL_COUNT} files of ${SMALL_BYTES} bytes`);
}

/** Lists all levels, one level, and one level from a TXID: written files must be listed at once. */
async function list({ replica }: ProbeContext): Promise<FeatureReport> {
  const third = SMALL[2]?.ref;
  const asked = [
    { what: 'all levels', found: await replica.list('all'), wanted: SMALL },
    { what: 'level 0', found: await replica.list(0), wanted: SMALL },
    {
      what: 'level 0 from the third file',
      found: await replica.list(0, { from: third }),
      wanted: SMALL.slice(2),
    },
  ];
  for (const { what, found, wanted } of asked) {
    const had = found.map((file) => `${nameOf(file)}, ${file.sizeBytes} bytes`);
    const should = wanted.map(({ ref, sizeBytes }) => `${nameOf(ref)}, ${sizeBytes} bytes`);
    if (had.join() === should.join()) continue;
    const seen = `${what}: expected ${should.join('; ')}; listed ${had.join('; ') || 'nothing'}`;
    return doesNot('list', seen, 'report it: written files must be listed at once');
  }
  return works('list', 'written files are listed at once, by level and from a TXID');
}

async function read({ replica, figures }: ProbeContext): Promise<FeatureReport> {
  const times: number[] = [];
  const faults: string[] = [];
  for (const probe of SMALL) {
    times.push(
      await replica.time(async () => {
        const fault = await replica.fault(probe);
        if (fault !== undefined) faults.push(`${nameOf(probe.ref)}: ${fault}`);
      }),
    );
  }
  const [fault] = faults;
  if (fault !== undefined) return doesNot('read', fault, OTHER_BYTES);
  figures.readMs = median(times);
  return works('read', 'the bytes match those written');
}

/** Reads the beginning, the middle, and the last 16 bytes, like a restore. */
async function ranges({ replica }: ProbeContext): Promise<FeatureReport> {
  const { sizeBytes } = ONE;
  for (const range of [
    { start: 0, end: 100 },
    { start: 333, end: 777 },
    { start: sizeBytes - 16, end: sizeBytes },
  ]) {
    const fault = await replica.fault(ONE, range);
    if (fault !== undefined) return doesNot('ranges', fault, OTHER_BYTES);
  }
  return works('ranges', 'reads return the requested part of a file');
}

async function large({ replica, partBytes, figures }: ProbeContext): Promise<FeatureReport> {
  const sizeBytes = largeBytes(partBytes);
  const probe = probeFile(9, 7, { seed: LARGE_SEED, sizeBytes });
  const upMs = await replica.time(() => replica.write(probe));
  let fault: string | undefined;
  const downMs = await replica.time(async () => {
    fault = await replica.fault(probe);
  });
  if (fault !== undefined) return doesNot('large', fault, OTHER_BYTES);
  figures.upBytesPerSecond = speed(sizeBytes, upMs);
  figures.downBytesPerSecond = speed(sizeBytes, downMs);
  return works('large', `a file of ${sizeBytes} bytes was uploaded and downloaded`);
}

/**
 * Backends remove the parts of an unfinished upload in the background, and log a warning if they cannot.
 * So this probe has a separate connection: after it has closed, there are no more warnings.
 */
async function abort({ replica, partBytes, connect }: ProbeContext): Promise<FeatureReport> {
  if (connect === undefined) return notJudged('abort', 'needs a separate connection');
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
    await replica.writeAborted(destination, probe, partBytes);
    isListening = true; // earlier warnings were about resent parts
  } finally {
    await destination.close();
  }
  const isThere = await replica.isThere(probe.ref);
  if (!isThere) replica.forget(probe.ref);
  return abortReport({ isThere, warnings });
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

/** Writes a file twice, with different bytes: a server that ignores the condition keeps the second. */
async function conditions(
  { replica, capabilities }: ProbeContext,
  feature: 'if-absent' | 'if-absent-large',
  level: number,
  sizeBytes: number,
): Promise<FeatureReport> {
  const maxTXID = SMALL_COUNT + 1;
  const mine = probeFile(level, maxTXID, { seed: 20 + level, sizeBytes });
  const other = probeFile(level, maxTXID, { seed: 40 + level, sizeBytes });
  const first = await attempt(() => replica.write(mine, 'if-absent'));
  if (first === 'unsupported') {
    return conditionsReport(feature, { first, second: first, holds: 'neither' });
  }
  const second = await attempt(() => replica.write(other, 'if-absent'));
  // If ranges are supported, comparing the last bytes is enough.
  const end = { start: sizeBytes - SMALL_BYTES, end: sizeBytes };
  const range = capabilities.ranges === true ? end : undefined;
  const isMine = await replica.holds(mine, range);
  const isOther = !isMine && (await replica.holds(other, range));
  const holds = isMine ? 'first' : isOther ? 'second' : 'neither';
  return conditionsReport(feature, { first, second, holds });
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
