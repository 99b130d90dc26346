/**
 * Whether a database is backed up as it should be. `status`, `/metrics`, `/healthz` and the exit
 * codes all come from this one function: facts in, verdict out.
 *
 * The facts are ages. "Confirmed 3 s ago" means that every commit older than 3 s is there, whatever
 * stands between a commit and its confirmation; so an age that grows is the sign that something
 * stands still, and nobody has to know what. Ages need no clock that two processes agree on.
 */

import type { Absence } from '../../database/events.ts';

export interface DestinationFacts {
  readonly name: string;
  /** Every commit older than this is confirmed there. */
  readonly confirmedAgeMs: number;
  /** Whether it has everything that is known of. */
  readonly isCurrent: boolean;
  /** How long a request that is under way has moved nothing; 0 where none is. */
  readonly stalledMs: number;
  /** How long every try has failed; 0 where the last one did not. */
  readonly failingMs: number;
  /** The same two for a periodic snapshot, which is sent beside the commits. */
  readonly snapshotStalledMs: number;
  readonly snapshotFailingMs: number;
  /** What it answered last, where it fails. */
  readonly error: string | undefined;
}

export interface DatabaseFacts {
  /** Where there is nothing to follow: why, and for how long. */
  readonly absence: { readonly kind: Absence; readonly ms: number } | undefined;
  /** Why it is not followed, where it was tried. */
  readonly failure: string | undefined;
  /** How long the thread that follows it has not answered. */
  readonly threadSilentMs: number;
  /** How long ago all that is committed was last seen. */
  readonly lookAgeMs: number;
  /** Every commit older than this is staged. */
  readonly stagedAgeMs: number;
  /** How long an image that is being made has not moved; 0 where none is. */
  readonly imageStalledMs: number;
  /** How long what was sent could not be recorded, and so not be freed; 0 where it could. */
  readonly recordStalledMs: number;
  /** How long the state file could not be written. */
  readonly stateFileAgeMs: number;
  /** A look at the log so long ago is as good as one now: an idle database is looked at from time to time. */
  readonly freshMs: number;
  readonly destinations: readonly DestinationFacts[];
}

/** Where it stands still. */
export type Stage =
  | 'database'
  | 'thread'
  | 'look'
  | 'staging'
  | 'image'
  | 'send'
  | 'snapshot'
  | 'record'
  | 'state file';

export interface Problem {
  readonly stage: Stage;
  readonly destination?: string | undefined;
  /** For people. */
  readonly message: string;
}

export interface Verdict {
  readonly healthy: boolean;
  /** What is wrong, nearest to the commit first. What only follows from another problem is left out. */
  readonly problems: readonly Problem[];
  /** Names of the destinations that lack commits older than `commitMs`. */
  readonly behind: readonly string[];
}

/** How old is too old. */
export interface Limits {
  /** A commit that is older than this must be at every destination. */
  readonly commitMs: number;
  /** For so long a thread may be silent, a request move nothing, a try fail. */
  readonly standstillMs: number;
  /** For so long a database may be missing. */
  readonly absentMs: number;
}

/** While it runs: all that `max-lag` says. */
export function runningLimits(maxLagMs: number): Limits {
  return { commitMs: maxLagMs, standstillMs: maxLagMs, absentMs: maxLagMs };
}

export function judge(facts: DatabaseFacts, limits: Limits): Verdict {
  const pipeline = findInPipeline(facts, limits);
  const problems = [
    ...(pipeline === undefined ? [] : [pipeline]),
    ...facts.destinations.flatMap((destination) =>
      findAtDestination(destination, limits, pipeline === undefined ? 'fed' : 'starved'),
    ),
    ...findBeside(facts, limits),
  ];
  const behind = facts.destinations
    .filter(({ confirmedAgeMs }) => confirmedAgeMs > limits.commitMs)
    .map(({ name }) => name);
  return { healthy: problems.length === 0, problems, behind };
}

/** The first stage between a commit and its staged file that stands still. */
function findInPipeline(facts: DatabaseFacts, limits: Limits): Problem | undefined {
  const { absence, failure } = facts;
  if (absence?.kind === 'no folder') {
    return { stage: 'database', message: 'it does not exist, and its folder does not exist' };
  }
  if (absence !== undefined && absence.ms > limits.absentMs) {
    const what = absence.kind === 'empty' ? 'it has been empty' : 'it has not existed';
    return { stage: 'database', message: `${what} for ${seconds(absence.ms)}` };
  }
  if (failure !== undefined) return { stage: 'database', message: failure };
  if (facts.threadSilentMs > limits.standstillMs) {
    const message = `the thread of this database has not responded for ${seconds(facts.threadSilentMs)}`;
    return { stage: 'thread', message };
  }
  if (absence !== undefined) return undefined; // there is nothing to look at
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
  { commitMs, standstillMs }: Limits,
  supply: 'fed' | 'starved',
): Problem[] {
  const { name: destination, error } = facts;
  const why = error === undefined ? '' : `: ${error}`;
  const problem = (stage: Stage, message: string): Problem => ({
    stage,
    destination,
    message: `${destination} ${message}`,
  });
  const found: Problem[] = [];
  if (facts.failingMs > standstillMs) {
    found.push(problem('send', `has failed for ${seconds(facts.failingMs)}${why}`));
  } else if (facts.stalledMs > standstillMs) {
    found.push(problem('send', `has not responded for ${seconds(facts.stalledMs)}`));
  } else if (supply === 'fed' && facts.confirmedAgeMs > commitMs) {
    const known = error === undefined ? '; see its log lines, and test it with sluice check' : why;
    const message = `lacks commits of the last ${seconds(facts.confirmedAgeMs)}${known}`;
    found.push(problem('send', message));
  }
  if (facts.snapshotFailingMs > standstillMs) {
    const message = `has refused full snapshots for ${seconds(facts.snapshotFailingMs)}${why}`;
    found.push(problem('snapshot', message));
  } else if (facts.snapshotStalledMs > standstillMs) {
    const message = `has accepted no bytes of a full snapshot for ${seconds(facts.snapshotStalledMs)}`;
    found.push(problem('snapshot', message));
  }
  return found;
}

/** What stands beside the way of a commit, and must not stand still either. */
function findBeside(facts: DatabaseFacts, { standstillMs }: Limits): Problem[] {
  const found: Problem[] = [];
  if (facts.imageStalledMs > standstillMs) {
    const message = `a full snapshot in progress has been stuck for ${seconds(facts.imageStalledMs)}`;
    found.push({ stage: 'image', message });
  }
  if (facts.recordStalledMs > standstillMs) {
    const message = `for ${seconds(facts.recordStalledMs)} sent files could not be recorded or removed from staging`;
    found.push({ stage: 'record', message });
  }
  if (facts.stateFileAgeMs > standstillMs) {
    const message = `for ${seconds(facts.stateFileAgeMs)} the state file in the staging folder could not be written`;
    found.push({ stage: 'state file', message });
  }
  return found;
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1_000)} s`;
}

/**
 * How far a destination is behind, for people: 0 where it has everything that is known of, and
 * somebody looked less than `freshMs` ago.
 */
export function lagMs(facts: DestinationFacts, freshMs: number): number {
  return facts.isCurrent && facts.confirmedAgeMs < freshMs ? 0 : facts.confirmedAgeMs;
}

/** What was true `passedMs` ago, if nothing has been heard since. */
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
