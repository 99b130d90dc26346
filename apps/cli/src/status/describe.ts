/** Builds the output of `sluice status`, with the keys of its JSON. Pure. */

import {
  ageFacts,
  currentFailure,
  isError,
  evaluateHealth,
  lagMs,
  messageOf,
  runningLimits,
  type DatabaseFacts,
  type DatabaseStatus,
  type DestinationStatus,
  type DrillRecord,
  type ErrorCode,
  type Problem,
  type ScrubRecord,
  type Verdict,
} from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import { drillProblem } from './drill-health.ts';
import { toDrillRow, type DrillRow } from './drills.ts';
import type { RepairRow } from './repairs.ts';
import { toScrubRow, type ScrubRow } from './scrubs.ts';
import type { Listed } from './listing.ts';
import { isFresh, type Local } from './local.ts';

/** Normal delay of a commit: two sync intervals and an upload. */
const LAG_SECONDS_FINE = 5;

export interface DestinationRow {
  readonly name: string;
  readonly type: string;
  readonly target: string;
  /**
   * `ok`, `behind`, `failing`, `empty`, `damaged` (files are missing), or an error code: why we
   * could not list it, why it refuses snapshots, or that it belongs to another replicator.
   */
  readonly state: string;
  /** 16 hex digits: the highest TXID listed. */
  readonly txid: string | undefined;
  /** Age of the oldest commit that it may lack. */
  readonly lag_seconds: number | undefined;
  readonly size: number | undefined;
  /** Files there, as the replicator knows them. */
  readonly files: number | undefined;
  /** How long every state is kept there; undefined if nothing is deleted, or no replicator has run. */
  readonly retention_seconds: number | undefined;
  /** Files deleted since the replicator began. */
  readonly deleted_files: number | undefined;
  /** Why it refuses to delete files. */
  readonly delete_error: string | undefined;
  /** Whether it would refuse a second replicator for the same path, if known. */
  readonly fencing: string | undefined;
  readonly last_success_at: string | undefined;
  readonly last_error: string | undefined;
  readonly last_error_at: string | undefined;
  /** The last drill, if there was one. */
  readonly drill: DrillRow | undefined;
  /** The scrub, if one has begun. */
  readonly scrub: ScrubRow | undefined;
}

/** The first four are Litestream's. */
export interface DatabaseRow {
  readonly database: string;
  readonly status: 'ok' | 'not initialized' | 'no database' | 'error';
  readonly local_txid: string | undefined;
  readonly wal_size: number;
  readonly error: string | undefined;
  /** Since when the replicator has failed in this way. */
  readonly error_since: string | undefined;
  readonly replicator: string;
  readonly commits_seen: number | undefined;
  /** Whether there is no problem, here or at any destination. The exit code says the same. */
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly destinations: readonly DestinationRow[];
  /** The last repair, if there was one. */
  readonly repair?: RepairRow | undefined;
}

/**
 * Health of a database, derived from the state file or the answer of its replicator, and from whether that
 * replicator still runs.
 */
export interface LocalHealth {
  readonly local: Local;
  readonly facts: DatabaseFacts | undefined;
  readonly verdict: Verdict;
}

export function healthOf(local: Local): LocalHealth {
  const { state, writer, ageMs, maxLagMs } = local;
  if (state === undefined || writer === undefined) {
    const verdict = { healthy: false, problems: [notFollowed(local)], behind: [] };
    return { local, facts: undefined, verdict };
  }
  if (writer === 'ended') {
    const problems = [...missingProblem(local, state.problems), ...state.problems];
    const isUnseen = local.sinceEnd === 'changed' && ageMs > LAG_SECONDS_FINE * 1_000;
    const behind = isUnseen ? state.destinations.map(({ name }) => name) : [];
    const verdict = { healthy: problems.length === 0, problems, behind };
    return { local, facts: state.facts, verdict };
  }
  const facts = isFresh(local) ? state.facts : ageFacts(state.facts, ageMs);
  const { problems: own, behind } = evaluateHealth(facts, runningLimits(maxLagMs));
  const problems = [...deadReplicatorProblem(local, state), ...missingProblem(local, own), ...own];
  return { local, facts, verdict: { healthy: problems.length === 0, problems, behind } };
}

const NOT_FOLLOWED: Readonly<Record<Local['database'], string>> = {
  exists: 'no replicator has opened it yet',
  'is missing': 'it does not exist',
  'has no folder': 'it does not exist, and its folder does not exist: check the path',
};

function notFollowed({ database }: Local): Problem {
  return { stage: 'database', message: NOT_FOLLOWED[database] };
}

/** The database was removed after the replicator wrote its state. */
function missingProblem(local: Local, known: readonly Problem[]): Problem[] {
  const isKnown = known.some(({ stage }) => stage === 'database');
  return local.database === 'exists' || isKnown ? [] : [notFollowed(local)];
}

/** The same health with failed drills, by the name of their destination. */
export function withDrillProblems(
  health: LocalHealth,
  drills: ReadonlyMap<string, DrillRecord>,
): LocalHealth {
  const failed = [...drills].flatMap(([name, record]) => drillProblem(name, record) ?? []);
  if (failed.length === 0) return health;
  const problems = [...health.verdict.problems, ...failed];
  return { ...health, verdict: { ...health.verdict, healthy: false, problems } };
}

function deadReplicatorProblem(
  { writer, ageMs, asked }: Local,
  { pid }: DatabaseStatus,
): Problem[] {
  if (writer === 'runs') return [];
  const seconds = Math.floor(ageMs / 1_000);
  const why =
    asked === 'silent'
      ? 'it hangs, and does not answer'
      : 'it hangs, or cannot write its state file';
  const message =
    writer === 'died'
      ? `replicator ${pid} died; its last report is ${seconds} s old`
      : `replicator ${pid} last reported ${seconds} s ago: ${why}`;
  return [{ stage: 'thread', message }];
}

export function describeDatabase(
  { local, verdict }: LocalHealth,
  destinations: readonly DestinationRow[],
): DatabaseRow {
  const { state } = local;
  const own = verdict.problems.filter(({ destination }) => destination === undefined);
  return {
    database: local.path,
    status: statusOf(local, own),
    local_txid: state?.txid,
    wal_size: local.walBytes,
    error: state?.error?.message ?? own[0]?.message,
    error_since: state?.error?.since,
    replicator: describeReplicator(local),
    commits_seen: state?.commitsSeen,
    healthy:
      verdict.healthy && destinations.every(({ state }) => state === 'ok' || state === DISABLED),
    problems: verdict.problems.map(({ message }) => message),
    destinations,
  };
}

function statusOf({ database, state }: Local, own: readonly Problem[]): DatabaseRow['status'] {
  if (database !== 'exists') return 'no database';
  if (state === undefined) return 'not initialized';
  if (state.error !== undefined || own.length > 0) return 'error';
  return state.txid === undefined ? 'not initialized' : 'ok';
}

export const NO_REPLICATOR = 'no replicator is running';

function describeReplicator({ state, writer, asked }: Local): string {
  if (state === undefined || writer === 'ended' || writer === 'died') return NO_REPLICATOR;
  const unwritten = asked === 'answered' ? ', but cannot write its state file' : '';
  return `replicator ${state.pid} ${writer === 'runs' ? 'is running' : 'does not respond'}${unwritten}`;
}

export interface DestinationInput {
  readonly health: LocalHealth;
  /** The state file as read before the destination was listed. */
  readonly before: DatabaseStatus | undefined;
  readonly now: Date;
  readonly drill: DrillRecord | undefined;
  readonly scrub?: ScrubRecord | undefined;
  /** Interval of its schedule, if it has one. */
  readonly drillEveryMs: number | undefined;
}

/** With `enabled: false` a destination is not expected to have anything. */
const DISABLED = 'disabled';

export function describeDestination(
  { name, type, target, enabled }: DestinationConfig,
  listed: Listed,
  { health, before, now, drill, drillEveryMs, scrub }: DestinationInput,
): DestinationRow {
  const { local, verdict } = health;
  // A replicator may have used the same name for another place.
  const isThis = (each: DestinationStatus): boolean => each.name === name && each.target === target;
  const known = local.state?.destinations.find(isThis);
  const row = {
    name,
    type,
    target,
    files: known?.files,
    retention_seconds: known?.retention?.seconds,
    deleted_files: known?.retention?.deletedFiles,
    delete_error: known?.retention?.refusal,
    fencing: known?.fencing,
    last_success_at: known?.lastSuccessAt,
    last_error: known?.lastError?.message,
    last_error_at: known?.lastError?.at,
    drill: drill && toDrillRow(drill, now, drillEveryMs),
    scrub: scrub && toScrubRow(scrub),
  };
  if (listed.kind === 'failed') {
    if (enabled === false) {
      return { ...row, state: DISABLED, txid: undefined, lag_seconds: undefined, size: undefined };
    }
    return {
      ...row,
      state: isError(listed.error) ? listed.error.code : 'failed',
      txid: undefined,
      lag_seconds: lagOf(name, undefined, health),
      size: undefined,
      last_error: messageOf(listed.error),
      last_error_at: now.toISOString(),
    };
  }
  const txid = listed.txid === 0n ? undefined : formatTXID(listed.txid);
  const lag = lagOf(name, txid, health);
  const found = { ...row, txid, lag_seconds: lag, size: listed.sizeBytes };
  if (enabled === false) return { ...found, lag_seconds: undefined, state: DISABLED };
  if (listed.damage !== undefined) {
    return {
      ...found,
      state: 'damaged',
      last_error: `${listed.damage}: the newest state cannot be restored from here`,
      last_error_at: now.toISOString(),
    };
  }
  if (known !== undefined && isOfOther(known)) return { ...found, state: IN_USE };
  if (txid === undefined) return { ...found, state: 'empty' };
  const confirmed = before?.destinations.find(isThis);
  if (confirmed?.txid !== undefined && txid < confirmed.txid) {
    return {
      ...found,
      state: 'damaged',
      last_error:
        `it ends with TXID ${txid}, but TXID ${confirmed.txid} was confirmed there: files were deleted, or an older ` +
        'copy was put back. The replicator sends a full snapshot when it starts, or lists it again within the hour',
      last_error_at: now.toISOString(),
    };
  }
  const isCaughtUp = lag !== undefined && lag <= LAG_SECONDS_FINE && !verdict.behind.includes(name);
  if (!isCaughtUp) return { ...found, state: 'behind' };
  const refused = known?.snapshotError;
  if (refused !== undefined) {
    const { code: state, message, at } = refused;
    return { ...found, state, last_error: `it refuses snapshots: ${message}`, last_error_at: at };
  }
  const problem = verdict.problems.find(({ destination }) => destination === name);
  if (problem?.stage === 'drill') {
    const at = drill && currentFailure(drill)?.at;
    return { ...found, state: 'failing', last_error: problem.message, last_error_at: at };
  }
  return { ...found, state: problem === undefined ? 'ok' : 'failing' };
}

const IN_USE = 'REPLICA_IN_USE' satisfies ErrorCode;

/** Whether the replicator was refused there, because the replica or its lease belongs to another one. */
function isOfOther({ state, lastError, lastSuccessAt = '' }: DestinationStatus): boolean {
  if (lastError?.code !== IN_USE) return false;
  return state === 'failing' || (state === 'closed' && lastSuccessAt <= lastError.at);
}

/**
 * The lag that the replicator reported plus the time since its report. If no replicator runs,
 * changes since its end count from that end. undefined if a replicator has just started, and does not know yet.
 */
function lagOf(
  name: string,
  txid: string | undefined,
  { local, facts }: LocalHealth,
): number | undefined {
  const { state, writer, sinceEnd, ageMs } = local;
  if (state?.txid === undefined) return undefined;
  const own = facts?.destinations.find((destination) => destination.name === name);
  if (own?.isConfirmed === false && writer !== 'ended') return undefined; // commits from before its start may be missing
  const known = own === undefined ? 0 : lagMs(own, facts?.freshMs ?? 0);
  const isListed = txid !== undefined && txid >= state.txid;
  if (writer === 'ended') {
    if (isListed) return sinceEnd === 'changed' ? toSeconds(ageMs) : 0;
    return toSeconds(known + ageMs);
  }
  // TXIDs that it reports as sent but the listing lacks count from the time of its report.
  return toSeconds(Math.max(known, isListed ? 0 : ageMs));
}

/** Rounded to the millisecond. */
function toSeconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
