/**
 * Health of a database: facts in, verdict out. `sluice status`, `/status`, `/metrics` and the exit codes
 * all use this one function.
 *
 * The facts are ages. "Confirmed 3 s ago" means that every commit older than 3 s is at the
 * destination. An age that keeps growing shows that some step between commit and confirmation is
 * stuck, without having to monitor each step. Ages do not depend on a clock shared by two processes.
 */

import type { Absence } from '../../database/events.ts';

/** Measurements at one destination. Ages and durations are in milliseconds. */
export interface DestinationFacts {
  readonly name: string;
  /** Every commit older than this is confirmed at the destination. */
  readonly confirmedAgeMs: number;
  /** Whether it has every known commit. */
  readonly isCurrent: boolean;
  /**
   * False until something was confirmed since the process began: it may lack commits from before that, so the age says
   * too little. Missing in state files of older versions.
   */
  readonly isConfirmed?: boolean | undefined;
  /** How long the current request has made no progress; 0 if there is none. */
  readonly stalledMs: number;
  /** How long every try has failed; 0 if the last one succeeded. */
  readonly failingMs: number;
  /** The same two for periodic snapshots, which are sent in parallel with commits. */
  readonly snapshotStalledMs: number;
  readonly snapshotFailingMs: number;
  /** Message of the last error, while it is failing. */
  readonly error: string | undefined;
  /** Files there that a scrub found damaged, and that are not mended. */
  readonly damage?: string | undefined;
}

/** Measurements from which the health of a database is derived. Ages and durations are in milliseconds. */
export interface DatabaseFacts {
  /** Set if there is no database to follow: why, and for how long. */
  readonly absence: { readonly kind: Absence; readonly ms: number } | undefined;
  /** Why following the database fails. */
  readonly failure: string | undefined;
  /** How long its thread has not responded. */
  readonly threadSilentMs: number;
  /** Time since the WAL was last read completely. */
  readonly lookAgeMs: number;
  /** Every commit older than this is staged. */
  readonly stagedAgeMs: number;
  /** How long making an image has made no progress; 0 if none is being made. */
  readonly imageStalledMs: number;
  /** How long sent files could not be recorded, and so not freed; 0 if they can. */
  readonly recordStalledMs: number;
  /** How long the state file could not be written. */
  readonly stateFileAgeMs: number;
  /** A WAL reading younger than this counts as current: an idle database is polled at intervals. */
  readonly freshMs: number;
  readonly destinations: readonly DestinationFacts[];
}

/** The step that is stuck. */
export type Stage =
  | 'database'
  | 'thread'
  | 'look'
  | 'staging'
  | 'image'
  | 'send'
  | 'snapshot'
  | 'files'
  | 'record'
  | 'state file'
  /** Not derived from the facts here: the command line tool adds failed drills. */
  | 'drill';

/** One reason why a database is not healthy. */
export interface Problem {
  readonly stage: Stage;
  readonly destination?: string | undefined;
  /** Human-readable. */
  readonly message: string;
}

/** Result of `evaluateHealth`. */
export interface Verdict {
  readonly healthy: boolean;
  /** Problems, in the order from commit to destination. Consequences of another problem are omitted. */
  readonly problems: readonly Problem[];
  /** Names of the destinations that lack commits older than `commitMs`. */
  readonly behind: readonly string[];
}

/** Maximum ages. */
export interface Limits {
  /** Commits older than this must be at every destination. */
  readonly commitMs: number;
  /** Maximum time without progress of a thread or a request, and maximum time of failing tries. */
  readonly stuckMs: number;
  /** Maximum time that a database may be missing. */
  readonly absentMs: number;
}

/** Limits while Sluice runs: `max-lag` for all. */
export function runningLimits(maxLagMs: number): Limits {
  return { commitMs: maxLagMs, stuckMs: maxLagMs, absentMs: maxLagMs };
}

/** Decides from the facts whether a database is healthy, and why not. Pure. Never throws. */
export function evaluateHealth(facts: DatabaseFacts, limits: Limits): Verdict {
  const pipeline = findInPipeline(facts, limits);
  const problems = [
    ...(pipeline === undefined ? [] : [pipeline]),
    ...facts.destinations.flatMap((destination) =>
      findAtDestination(destination, limits, pipeline === undefined ? 'working' : 'stuck'),
    ),
    ...findOutsidePipeline(facts, limits),
  ];
  const behind = facts.destinations
    .filter(({ confirmedAgeMs }) => confirmedAgeMs > limits.commitMs)
    .map(({ name }) => name);
  return { healthy: problems.length === 0, problems, behind };
}

/** The first stuck stage between a commit and its staged file. */
function findInPipeline(facts: DatabaseFacts, limits: Limits): Problem | undefined {
  const { absence, failure } = facts;
  if (absence?.kind === 'no folder') {
    return { stage: 'database', message: 'it does not exist, and its folder does not exist' };
  }
  if (absence !== undefined && absence.ms > limits.absentMs) {
    const state = absence.kind === 'empty' ? 'it has been empty' : 'it has not existed';
    return { stage: 'database', message: `${state} for ${seconds(absence.ms)}` };
  }
  if (failure !== undefined) return { stage: 'database', message: failure };
  if (facts.threadSilentMs > limits.stuckMs) {
    const message = `the thread of this database has not responded for ${seconds(facts.threadSilentMs)}`;
    return { stage: 'thread', message };
  }
  if (absence !== undefined) return undefined; // there is no WAL to read
  if (facts.lookAgeMs > limits.commitMs) {
    const message = `its WAL was last read completely ${seconds(facts.lookAgeMs)} ago`;
    return { stage: 'look', message };
  }
  if (facts.stagedAgeMs <= limits.commitMs) return undefined;
  return {
    stage: 'staging',
    message: `commits of the last ${seconds(facts.stagedAgeMs)} are not staged`,
  };
}

function findAtDestination(
  facts: DestinationFacts,
  { commitMs, stuckMs }: Limits,
  pipeline: 'working' | 'stuck',
): Problem[] {
  const { name: destination, error } = facts;
  const why = error === undefined ? '' : `: ${error}`;
  const problem = (stage: Stage, message: string): Problem => ({
    stage,
    destination,
    message: `${destination} ${message}`,
  });
  const found: Problem[] = [];
  if (facts.failingMs > stuckMs) {
    found.push(problem('send', `has failed for ${seconds(facts.failingMs)}${why}`));
  } else if (facts.stalledMs > stuckMs) {
    found.push(problem('send', `has not responded for ${seconds(facts.stalledMs)}`));
  } else if (pipeline === 'working' && facts.confirmedAgeMs > commitMs) {
    const hint = error === undefined ? '; see its log lines, and test it with sluice check' : why;
    const message = `lacks commits of the last ${seconds(facts.confirmedAgeMs)}${hint}`;
    found.push(problem('send', message));
  }
  if (facts.snapshotFailingMs > stuckMs) {
    const message = `has failed to take a full snapshot for ${seconds(facts.snapshotFailingMs)}${why}`;
    found.push(problem('snapshot', message));
  } else if (facts.snapshotStalledMs > stuckMs) {
    const message = `has accepted no bytes of a full snapshot for ${seconds(facts.snapshotStalledMs)}`;
    found.push(problem('snapshot', message));
  }
  if (facts.damage !== undefined) found.push(problem('files', facts.damage));
  return found;
}

/** Problems outside the path of a commit. */
function findOutsidePipeline(facts: DatabaseFacts, { stuckMs }: Limits): Problem[] {
  const found: Problem[] = [];
  if (facts.imageStalledMs > stuckMs) {
    const message = `a full snapshot in progress has been stuck for ${seconds(facts.imageStalledMs)}`;
    found.push({ stage: 'image', message });
  }
  if (facts.recordStalledMs > stuckMs) {
    const message = `for ${seconds(facts.recordStalledMs)} sent files could not be recorded or removed from staging`;
    found.push({ stage: 'record', message });
  }
  if (facts.stateFileAgeMs > stuckMs) {
    const message = `for ${seconds(facts.stateFileAgeMs)} the state file in the staging folder could not be written`;
    found.push({ stage: 'state file', message });
  }
  return found;
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1_000)} s`;
}

/**
 * Lag of a destination, for display: 0 if it has every known commit and the WAL was read less than
 * `freshMs` ago.
 */
export function lagMs(facts: DestinationFacts, freshMs: number): number {
  return facts.isCurrent && facts.confirmedAgeMs < freshMs ? 0 : facts.confirmedAgeMs;
}

/** The facts `passedMs` later, if nothing has been reported since. */
export function ageFacts(facts: DatabaseFacts, passedMs: number): DatabaseFacts {
  const { absence } = facts;
  const grown = (ms: number): number => (ms === 0 ? 0 : ms + passedMs);
  return {
    absence: absence === undefined ? undefined : { ...absence, ms: absence.ms + passedMs },
    failure: facts.failure,
    threadSilentMs: facts.threadSilentMs + passedMs,
    lookAgeMs: facts.lookAgeMs + passedMs,
    stagedAgeMs: facts.stagedAgeMs + passedMs,
    imageStalledMs: grown(facts.imageStalledMs),
    recordStalledMs: grown(facts.recordStalledMs),
    stateFileAgeMs: facts.stateFileAgeMs + passedMs,
    freshMs: facts.freshMs,
    destinations: facts.destinations.map((destination) => ({
      ...destination,
      confirmedAgeMs: destination.confirmedAgeMs + passedMs,
      stalledMs: grown(destination.stalledMs),
      failingMs: grown(destination.failingMs),
      snapshotStalledMs: grown(destination.snapshotStalledMs),
      snapshotFailingMs: grown(destination.snapshotFailingMs),
    })),
  };
}
