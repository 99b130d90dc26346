/** The rows of the page: the part of a status that the overview needs. Pure. */

import type { DatabaseStatus, DestinationStatus } from '@sluice/core';
import type { DrillSummary } from './source.ts';

export interface DatabaseRow {
  readonly path: string;
  readonly state: string;
  /** Time of the status, if it is too old to count. */
  readonly staleSince?: string | undefined;
  readonly healthy: boolean;
  readonly problems: readonly ProblemRow[];
  readonly txid?: string | undefined;
  readonly destinations: readonly DestinationRow[];
  /** Whether its drills were read. */
  readonly drillsKnown: boolean;
  /** Code of the error of the database itself. */
  readonly code?: string | undefined;
  /** Since when it has failed in this way. */
  readonly since?: string | undefined;
  readonly maxLagSeconds?: number | undefined;
}

export interface ProblemRow {
  readonly stage: string;
  readonly destination?: string | undefined;
  readonly message: string;
}

export interface DestinationRow {
  readonly name: string;
  readonly type: string;
  readonly target: string;
  readonly state: string;
  readonly txid?: string | undefined;
  readonly lagSeconds: number;
  readonly lastSuccessAt?: string | undefined;
  /** Code of the last error, while it is failing. */
  readonly code?: string | undefined;
  /** Since when it fails; undefined if it does not, or if that is not known. */
  readonly since?: string | undefined;
  readonly drill?: DrillSummary | undefined;
}

/** A drill is overdue at this many of its intervals: one may be late because others run. */
const DRILL_INTERVALS_MAX = 2;

/** Writes of a state file that may be missed before it counts as old. */
const HEARTBEATS_MAX = 3;

export interface RowInput {
  readonly drills: readonly DrillSummary[] | undefined;
  readonly maxLagSeconds: number | undefined;
  readonly nowMs: number;
}

export function toRow(
  status: DatabaseStatus,
  { drills, maxLagSeconds, nowMs }: RowInput,
): DatabaseRow {
  const { path, state, at, problems, txid, error, destinations, facts, writer } = status;
  const ageMs = nowMs - Date.parse(at);
  const isFresh = ageMs <= HEARTBEATS_MAX * writer.heartbeatMs; // false for an invalid time
  const failed = (drills ?? []).flatMap((drill) => drillProblem(drill, problems));
  return {
    path,
    state,
    staleSince: isFresh ? undefined : at,
    healthy: status.healthy && failed.length === 0,
    problems: [...problems.map(toProblem), ...failed],
    txid,
    destinations: destinations.map((each) =>
      toDestination(each, {
        failingMs: facts.destinations.find(({ name }) => name === each.name)?.failingMs ?? 0,
        at,
        drill: lastOnly(drills?.find(({ destination }) => destination === each.name)),
      }),
    ),
    drillsKnown: drills !== undefined,
    code: error?.code,
    since: error?.since ?? error?.at,
    maxLagSeconds,
  };
}

/** A row is sent again and again. */
function lastOnly(drill: DrillSummary | undefined): DrillSummary | undefined {
  if (drill === undefined) return undefined;
  const { earlier: _, ...rest } = drill;
  return rest;
}

/** A failed drill, unless the status names it already. */
function drillProblem(
  { destination, failure }: DrillSummary,
  known: DatabaseStatus['problems'],
): ProblemRow[] {
  const isKnown = known.some((each) => each.stage === 'drill' && each.destination === destination);
  if (failure === undefined || isKnown) return [];
  const message = `${destination} failed its drill of ${failure.at}: ${failure.problem}`;
  return [{ stage: 'drill', destination, message }];
}

function toProblem({
  stage,
  destination,
  message,
}: DatabaseStatus['problems'][number]): ProblemRow {
  return { stage, destination, message };
}

interface DestinationInput {
  readonly failingMs: number;
  /** Time of the status. */
  readonly at: string;
  readonly drill: DrillSummary | undefined;
}

function toDestination(
  status: DestinationStatus,
  { failingMs, at, drill }: DestinationInput,
): DestinationRow {
  const { name, type, target, state, txid, lagSeconds, lastSuccessAt, lastError } = status;
  const isFailing = failingMs > 0 && lastError !== undefined;
  return {
    name,
    type,
    target,
    state,
    txid,
    // Whole seconds above ten: a row is sent only if it has changed.
    lagSeconds: lagSeconds < 10 ? Math.round(lagSeconds * 10) / 10 : Math.round(lagSeconds),
    lastSuccessAt,
    code: isFailing ? lastError.code : undefined,
    since: isFailing ? toSeconds(Date.parse(at) - failingMs) : undefined,
    drill,
  };
}

/** Whole seconds, so that the row does not change between two statuses. */
function toSeconds(ms: number): string {
  return new Date(Math.round(ms / 1_000) * 1_000).toISOString();
}

/** Whether the schedule of its drills was not kept. */
export function isDrillOverdue({ drill }: DestinationRow, nowMs: number): boolean {
  if (drill?.everySeconds === undefined) return false;
  if (drill.last === undefined) return false;
  return nowMs - Date.parse(drill.last.at) > DRILL_INTERVALS_MAX * drill.everySeconds * 1_000;
}
