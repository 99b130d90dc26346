/**
 * `drill.json` in the staging folder: the last drill of each destination, and its failure that still counts, for
 * `sluice status`, `/status` and `/metrics`. It is replaced atomically and durably: a failure is not forgotten by a power
 * loss. If it is lost, only these results are. Of two drills that end in the same instant, one result may be lost.
 */

import path from 'node:path';
import { toStagingError } from '../database/staging/staging-error.ts';
import { readText, systemFiles, writeDurably, type FileSystem } from '../file-system.ts';
import { systemRandom, type Random } from '../random.ts';
import type { DrillReport } from './drill.ts';
import type { DrillResult } from './verdict.ts';

/** The last drill of a destination. Times are ISO 8601, UTC. */
export interface DrillRecord {
  readonly name: string;
  readonly target: string;
  readonly at: string;
  readonly result: DrillResult;
  /** Missing in records of older versions: full. */
  readonly kind?: 'full' | 'warm' | undefined;
  /** The restored state: 16 hex digits, or a generation and a position of Litestream 0.3. */
  readonly txid?: string | undefined;
  readonly generation?: string | undefined;
  readonly position?: string | undefined;
  readonly timestamp?: string | undefined;
  /** Of the last full drill. */
  readonly restoreMs?: number | undefined;
  readonly lossWindowMs?: number | undefined;
  readonly problems: readonly string[];
  /** When a drill of this destination was last ok. */
  readonly lastSuccessAt?: string | undefined;
  /** Missing in records of older versions. */
  readonly startedBy?: DrillStart | undefined;
  /** The failure that still counts; see `currentFailure`. */
  readonly failure?: DrillFailure | undefined;
  /** Newest first; missing in records of older versions. */
  readonly earlier?: readonly EarlierDrill[] | undefined;
}

/** Who started a drill: the schedule of the replicator, or somebody who typed `sluice drill`. */
export type DrillStart = 'schedule' | 'command';

/** A drill before the last one, for a timeline. */
export type EarlierDrill = Pick<DrillRecord, 'at' | 'result' | 'kind' | 'startedBy'>;

/** A failed drill that no success as strong has followed. */
export type DrillFailure = Pick<DrillRecord, 'at' | 'kind' | 'startedBy' | 'problems'>;

const NAME = 'drill.json';
/** Kept for each destination, besides the last one. */
const EARLIER_MAX = 20;

/** The records in a staging folder. STAGING_FAILED if the file exists and cannot be read. */
export async function readDrills(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<readonly DrillRecord[]> {
  const file = path.join(folder, NAME);
  const text = await withStagingErrors(`read ${file}`, async () => readText(files, file));
  return text === undefined ? [] : parseRecords(text);
}

export interface RecordPorts {
  readonly files?: FileSystem | undefined;
  readonly random?: Random | undefined;
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if there is no staging folder: it belongs to the replicator, who creates it. */
export async function recordDrill(
  folder: string,
  { name, target, startedBy }: Pick<DrillRecord, 'name' | 'target' | 'startedBy'>,
  report: DrillReport,
  { files = systemFiles, random = systemRandom }: RecordPorts = {},
): Promise<'recorded' | 'no folder'> {
  const file = path.join(folder, NAME);
  if ((await files.stat(folder)) === undefined) return 'no folder';
  const isThis = (record: DrillRecord): boolean => record.name === name && record.target === target;
  const known = await readDrills(folder, files);
  const { at, result, kind, txid, generation, position, timestamp } = report;
  const { lossWindowMs, problems } = report;
  const last = known.find(isThis);
  const restoreMs = kind === 'warm' ? last?.restoreMs : report.restoreMs;
  const record: DrillRecord = {
    name,
    target,
    at,
    result,
    kind,
    txid,
    generation,
    position,
    timestamp,
    restoreMs,
    lossWindowMs,
    problems: problems.map(({ message }) => message),
    lastSuccessAt: result === 'ok' ? at : last?.lastSuccessAt,
    startedBy,
  };
  const failure = failureAfter(record, last && currentFailure(last));
  const earlier = last && [toEarlier(last), ...(last.earlier ?? [])].slice(0, EARLIER_MAX);
  const records = [...known.filter((each) => !isThis(each)), { ...record, failure, earlier }];
  const text = `${JSON.stringify(records, undefined, 2)}\n`;
  // The replicator removes `*.tmp` that a killed drill leaves.
  const temporary = `${file}.${random.bits64().toString(16)}.tmp`;
  await withStagingErrors(`write ${file}`, async () =>
    writeDurably(files, file, text, 'shared', temporary),
  );
  return 'recorded';
}

/**
 * The failed drill that makes a destination unhealthy, whatever the last drill said: an inconclusive drill
 * proves nothing, and a warm one does not read again what a full one found damaged. undefined if there is none.
 */
export function currentFailure(record: DrillRecord): DrillFailure | undefined {
  const isOld = record.failure === undefined && record.result === 'failed';
  return isOld ? toFailure(record) : record.failure;
}

function failureAfter(
  record: DrillRecord,
  before: DrillFailure | undefined,
): DrillFailure | undefined {
  const isWarmAfterFull = record.kind === 'warm' && before !== undefined && before.kind !== 'warm';
  if (record.result === 'inconclusive' || isWarmAfterFull) return before;
  return record.result === 'ok' ? undefined : toFailure(record);
}

function toEarlier({ at, result, kind, startedBy }: DrillRecord): EarlierDrill {
  return { at, result, kind, startedBy };
}

function toFailure({ at, kind, startedBy, problems }: DrillRecord): DrillFailure {
  return { at, kind, startedBy, problems };
}

async function withStagingErrors<T>(action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toStagingError(action, error);
  }
}

/** Leaves out everything that is not a record: a newer version may write others. */
function parseRecords(text: string): readonly DrillRecord[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isRecord) : [];
  } catch {
    return []; // torn by a power loss
  }
}

function isRecord(value: unknown): value is DrillRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { name, target, at, result, problems, earlier = [] } = value as Record<string, unknown>;
  const isText = [name, target, at].every((each) => typeof each === 'string');
  return (
    isText &&
    Array.isArray(earlier) &&
    Array.isArray(problems) &&
    RESULTS.includes(result as DrillResult)
  );
}

const RESULTS: readonly DrillResult[] = ['ok', 'failed', 'inconclusive'];
