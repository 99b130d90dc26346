/** The last drills of configured destinations, for `sluice status` and `/metrics`. */

import {
  currentFailure,
  defaultMetaPath,
  readDrills,
  type DrillFailure,
  type DrillRecord,
  type DrillStart,
} from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';

/** The last drill of a destination, as in the JSON of `sluice status`. */
export interface DrillRow {
  readonly result: DrillRecord['result'];
  /** 'warm': only newer files were read, and applied to the copy of an earlier drill. */
  readonly kind: 'full' | 'warm';
  readonly at: string;
  readonly age_seconds: number;
  readonly txid: string | undefined;
  /** Instead of a TXID, for a backup of Litestream 0.3. */
  readonly generation: string | undefined;
  readonly position: string | undefined;
  readonly restore_ms: number | undefined;
  readonly loss_window_ms: number | undefined;
  readonly problems: readonly string[];
  readonly last_success_at: string | undefined;
  /** Undefined for a drill of an older version. */
  readonly started_by: DrillStart | undefined;
  /** The failed drill that no success as strong has followed: it may be an earlier one. */
  readonly failure: DrillFailureRow | undefined;
  /** Undefined if the configuration has no schedule for it. */
  readonly every_seconds: number | undefined;
  /** The schedule was not kept: no replicator runs, or drills have stopped. */
  readonly overdue: boolean;
}

export interface DrillFailureRow {
  readonly at: string;
  readonly kind: 'full' | 'warm';
  readonly started_by: DrillStart | undefined;
  readonly problems: readonly string[];
}

/** An overdue drill is at least this many intervals old: one may be late because others run. */
const INTERVALS_MAX = 2;

/** By the name of the destination. STAGING_FAILED if they cannot be read. */
export async function readLastDrills({
  options,
  destinations,
}: Pick<DatabaseConfig, 'options' | 'destinations'>): Promise<ReadonlyMap<string, DrillRecord>> {
  const records = await readDrills(options.metaPath ?? defaultMetaPath(options.path));
  // A name may have been used for another place before.
  const isOf = ({ name, target }: DestinationConfig, record: DrillRecord): boolean =>
    record.name === name && record.target === target;
  return new Map(
    destinations.flatMap((destination) => {
      const record = records.find((each) => isOf(destination, each));
      return record === undefined ? [] : [[destination.name, record]];
    }),
  );
}

export function toDrillRow(record: DrillRecord, now: Date, everyMs: number | undefined): DrillRow {
  const {
    result,
    kind = 'full',
    at,
    txid,
    generation,
    position,
    restoreMs,
    lossWindowMs,
    problems,
    lastSuccessAt,
    startedBy,
  } = record;
  const failure = currentFailure(record);
  const elapsedMs = now.getTime() - Date.parse(at);
  const ageMs = Math.max(0, elapsedMs);
  // A record from the future says nothing about the time since: the clock was set back.
  const oldMs = Math.abs(elapsedMs);
  return {
    result,
    kind,
    at,
    age_seconds: Math.floor(ageMs / 1_000),
    txid,
    generation,
    position,
    restore_ms: restoreMs,
    loss_window_ms: lossWindowMs,
    problems,
    last_success_at: lastSuccessAt,
    started_by: startedBy,
    failure: failure && toFailureRow(failure),
    every_seconds: everyMs === undefined ? undefined : everyMs / 1_000,
    overdue: everyMs !== undefined && oldMs > INTERVALS_MAX * everyMs,
  };
}

function toFailureRow({ at, kind = 'full', startedBy, problems }: DrillFailure): DrillFailureRow {
  return { at, kind, started_by: startedBy, problems };
}

/** One line for people. */
export function describeLastDrill(name: string, row: DrillRow): string {
  const { result, age_seconds: seconds, restore_ms: ms, problems } = row;
  const age = formatDuration((seconds < 60 ? seconds : seconds - (seconds % 60)) * 1_000);
  const state = row.txid === undefined ? row.generation : `TXID ${row.txid}`;
  const isFull = row.kind === 'full';
  const inTime = isFull && ms !== undefined ? `restored in ${toSeconds(ms)}` : undefined;
  const reached = isFull ? inTime : 'reached by newer files and the copy of an earlier drill';
  const restored = state === undefined || reached === undefined ? '' : `, ${state} ${reached}`;
  const loss =
    row.loss_window_ms === undefined
      ? ''
      : `, window of loss ${row.loss_window_ms === 0 ? '' : 'at most '}${toSeconds(row.loss_window_ms)}`;
  const why = problems.length === 0 ? '' : `: ${problems.join('; ')}`;
  const before =
    result === 'ok' || row.last_success_at === undefined ? '' : `; last ok ${row.last_success_at}`;
  const overdue = row.overdue ? `; overdue: drill.every is ${toDuration(row.every_seconds)}` : '';
  const notes = [...(isFull ? [] : ['warm']), ...(row.started_by === 'command' ? ['by hand'] : [])];
  const how = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
  return `last drill of ${name}: ${result}${how} ${age} ago${restored}${loss}${why}${before}${overdue}`;
}

/** Of a destination that has a schedule, and was not drilled. */
export function describeNoDrill(name: string, everyMs: number): string {
  return `no drill of ${name} yet: drill.every is ${formatDuration(everyMs)}`;
}

function toSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function toDuration(seconds = 0): string {
  return formatDuration(seconds * 1_000);
}
