/**
 * `drill.json` in the staging folder: the last drill of each destination, and its failure that still counts, for
 * `sluice status`, `/status` and `/metrics`. It is replaced atomically and durably: a failure is not forgotten by a power
 * loss. If it is lost, only these results are. Of two drills that end in the same instant, one result may be lost.
 */

import { RecordList } from '../database/staging/record-list.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';
import type { Random } from '../random.ts';
import type { DrillReport } from './drill.ts';
import { withoutAssertions, type DrillResult } from './verdict.ts';

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
export interface DrillFailure extends Pick<DrillRecord, 'at' | 'kind' | 'startedBy' | 'problems'> {
  /** Those that did not hold, and have not held since. */
  readonly assertions?: readonly string[] | undefined;
}

const LIST = new RecordList('drill.json', isRecord);
/** Kept for each destination, besides the last one. */
const EARLIER_MAX = 20;

/** The records in a staging folder. STAGING_FAILED if the file exists and cannot be read. */
export async function readDrills(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<readonly DrillRecord[]> {
  return await LIST.read(folder, files);
}

export interface RecordPorts {
  readonly files?: FileSystem | undefined;
  readonly random?: Random | undefined;
}

/** Where a drill is recorded, and what is not. */
export interface RecordedDrill extends Pick<DrillRecord, 'name' | 'target' | 'startedBy'> {
  /**
   * The assertions of the configuration: results of others are not recorded, because nobody would clear them. undefined:
   * all count.
   */
  readonly configured?: readonly string[] | undefined;
  /** Whether SQLite's own check was weaker than that of the configuration. Default: it was not. */
  readonly check?: 'as configured' | 'weaker' | undefined;
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if there is no staging folder: it belongs to the replicator, who creates it. */
export async function recordDrill(
  folder: string,
  drill: RecordedDrill,
  whole: DrillReport,
  { files = systemFiles, random }: RecordPorts = {},
): Promise<'recorded' | 'no folder'> {
  const { name, target, startedBy, configured } = drill;
  const report = withoutAssertions(whole, (sql) => configured?.includes(sql) === false);
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
  const before = last && currentFailure(last);
  const isOpen = before !== undefined && result === 'ok' && !covers(before, report, drill);
  const failure = isOpen ? before : failureAfter(record, report, before);
  const earlier = last && [toEarlier(last), ...(last.earlier ?? [])].slice(0, EARLIER_MAX);
  const records = [...known.filter((each) => !isThis(each)), { ...record, failure, earlier }];
  return await LIST.write(folder, records, files, { random, durability: 'durable' });
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
  { assertions }: DrillReport,
  before: DrillFailure | undefined,
): DrillFailure | undefined {
  const isWarmAfterFull = record.kind === 'warm' && before !== undefined && before.kind !== 'warm';
  if (record.result === 'inconclusive' || isWarmAfterFull) return before;
  if (record.result === 'ok') return undefined;
  const broken = assertions.flatMap(({ sql, failure }) => (failure === undefined ? [] : [sql]));
  const unseen = (before?.assertions ?? []).filter(
    (sql) => !assertions.some((each) => each.sql === sql),
  );
  const all = [...broken, ...unseen];
  return { ...toFailure(record), ...(all.length > 0 && { assertions: all }) };
}

/**
 * Whether a drill that is ok has seen everything that failed before. One that somebody starts may restore an older state,
 * or check less than the configuration says.
 */
function covers(
  { assertions = [] }: DrillFailure,
  report: DrillReport,
  { startedBy, configured, check }: RecordedDrill,
): boolean {
  if (startedBy !== 'command') return true;
  if (check === 'weaker') return false;
  const holds = (sql: string): boolean =>
    report.assertions.some((each) => each.sql === sql && each.failure === undefined);
  const isAsked = (sql: string): boolean => configured?.includes(sql) !== false;
  return report.txid === report.newestTXID && assertions.filter(isAsked).every(holds);
}

function toEarlier({ at, result, kind, startedBy }: DrillRecord): EarlierDrill {
  return { at, result, kind, startedBy };
}

function toFailure({ at, kind, startedBy, problems }: DrillRecord): DrillFailure {
  return { at, kind, startedBy, problems };
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
