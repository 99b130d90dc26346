/**
 * Finds the TXID of the state at a moment.
 *
 * **The state as of T is everything committed at or before T, and nothing later**: a transaction
 * whose time is exactly T is included (Litestream leaves it out). If T is after all stored times, it
 * is the newest state.
 *
 * The time of a file is the one in its header, not the one in the listing: a copied bucket has new
 * times in its listing. A file at level 0 to 8 has the time of its last transaction (a merged file
 * keeps that of its newest input). A snapshot at level 9 has the time at which it was taken. That
 * is only an upper bound, and is used only if no other file ends with the same TXID.
 *
 * Header times rise with TXIDs as long as the writer's clock does, so a few headers are enough
 * (probes.ts). If
 * that clock was wrong for a while, times.ts decides which of the times to trust. The state as of T
 * is then the last one with a trusted time at or before T. A later file without a trusted time is
 * left out, and `doubt` says so.
 */

import { ReplicationError } from '../../error.ts';
import { reachableTXIDs } from '../../history/chain.ts';
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { isGap, timedStates, type TimedState } from '../../history/moments.ts';
import { formatTXID, type TXID } from '../../ltx/txid.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { firstProbes, laterProbes } from './probes.ts';
import { trustedTimes } from './times.ts';

/** A state and its time. */
export interface DatedState {
  readonly txid: TXID;
  readonly at: Date;
}

/** RESTORE_OUT_OF_RANGE in a gap: files are missing between two states. */
export class InGapError extends ReplicationError {
  /** The last state before the gap, and its file. */
  readonly before: DatedState & { readonly file: LTXFileInfo };

  constructor(at: Date, before: InGapError['before'], after: DatedState) {
    super(
      'RESTORE_OUT_OF_RANGE',
      `there is a backup, but not of ${at.toISOString()}: TXID ${formatTXID(before.txid + 1n)} to ` +
        `${formatTXID(after.txid - 1n)} cannot be restored. The nearest moments are ` +
        `${describeState(before)} before it, and ${describeState(after)} after it; choose one of them (-txid)`,
    );
    this.before = before;
  }
}

/** The state as of a moment. */
export interface Moment extends DatedState {
  /** The moment that was asked for. */
  readonly requested: Date;
  /** The next state that can be restored; undefined if this is the newest one. */
  readonly next: DatedState | undefined;
  /** Why another state may have been meant, if file times contradict each other. */
  readonly doubt: string | undefined;
}

/** Yields files and expects their times, in the same order. */
export type TimeSearch<File extends LTXFileInfo, Result = Moment> = Generator<
  readonly File[],
  Result,
  readonly Date[]
>;

/**
 * Finds the TXID of `at` among the states that `files` lead to. RESTORE_OUT_OF_RANGE with the nearest
 * moments if `at` is before all states, or in a gap between two.
 */
export function* locateMoment<File extends LTXFileInfo>(
  files: readonly File[],
  at: Date,
): TimeSearch<File> {
  const times = new KnownTimes<File>();
  const states = timedStates(files, new Set(reachableTXIDs(files)));
  const { state: answer, doubt } = yield* locateState(states, at, times);
  const [first] = states;
  if (first === undefined) throw new TypeError('searched a timestamp, but nothing can be restored');
  if (answer === undefined) {
    const [firstAt] = yield* times.of([first.file]);
    throw beforeAllError(at, { txid: first.txid, at: firstAt as Date });
  }
  const following = states.find(({ txid }) => txid > answer.txid);
  yield* times.of(following === undefined ? [answer.file] : [answer.file, following.file]);
  const chosen = { txid: answer.txid, at: times.get(answer.file) };
  const next = following && { txid: following.txid, at: times.get(following.file) };
  if (next !== undefined && at > chosen.at && isGap(files, chosen.txid, next.txid)) {
    throw new InGapError(at, { ...chosen, file: answer.file }, next);
  }
  return { requested: at, ...chosen, next, doubt };
}

/** A state, or undefined if all are later than the time. */
export interface FoundState<File extends LTXFileInfo> {
  readonly state: TimedState<File> | undefined;
  readonly doubt: string | undefined;
}

/** Finds the last of the ascending `states` at or before `at`. */
export function* locateState<File extends LTXFileInfo>(
  states: readonly TimedState<File>[],
  at: Date,
  times: KnownTimes<File>,
): TimeSearch<File, FoundState<File>> {
  const points = states.filter(({ file }) => file.level !== LEVEL_SNAPSHOT);
  const search = yield* lastAtOrBefore(points, at, times);
  const found = points[search.index];

  // Between the points lie snapshots whose TXID no other file ends with: find the newest that counts.
  const after = points[search.index + 1]?.txid;
  const between = states.filter(
    ({ txid, file }) =>
      file.level === LEVEL_SNAPSHOT &&
      txid > (found?.txid ?? 0n) &&
      (after === undefined || txid < after),
  );
  const image = yield* lastAtOrBefore(between, at, times);
  return { state: between[image.index] ?? found, doubt: search.doubt ?? image.doubt };
}

/** Times that were read, so that each header is read once. */
export class KnownTimes<File extends LTXFileInfo> {
  readonly #known = new Map<File, Date>();

  *of(files: readonly File[]): TimeSearch<File, readonly Date[]> {
    const unknown = files.filter((file) => !this.#known.has(file));
    if (unknown.length > 0) {
      const times = yield unknown;
      for (const [index, file] of unknown.entries()) {
        const time = times[index];
        if (time === undefined) throw new TypeError('the caller did not supply a requested time');
        this.#known.set(file, time);
      }
    }
    return files.map((file) => this.get(file));
  }

  has(file: File): boolean {
    return this.#known.has(file);
  }

  /** A time that `of` has asked for. */
  get(file: File): Date {
    const time = this.#known.get(file);
    if (time === undefined) throw new TypeError('a time was used before it was requested');
    return time;
  }
}

/** Result of a search: the index of the point, -1 if all are later, and any doubt. */
interface Search {
  readonly index: number;
  readonly doubt: string | undefined;
}

/** The last point whose trusted time is not later than `at`. */
function* lastAtOrBefore<File extends LTXFileInfo>(
  points: readonly TimedState<File>[],
  at: Date,
  times: KnownTimes<File>,
): TimeSearch<File, Search> {
  const known = new Map<number, Date>();
  const files = points.map(({ file }) => file);
  for (;;) {
    const { low, high, doubt } = bracket(points, known, at);
    const unknown: number[] = [];
    for (let index = low + 1; index < high; index++) if (!known.has(index)) unknown.push(index);
    if (unknown.length === 0) return { index: low, doubt };
    const probes = known.size === 0 ? firstProbes(files, unknown, at) : laterProbes(unknown);
    const dates = yield* times.of(probes.map((index) => files[index] as File));
    for (const [place, index] of probes.entries()) known.set(index, dates[place] as Date);
  }
}

interface Bracket {
  /** The last point at or before `at`; -1 if there is none. */
  readonly low: number;
  /** The first point after `at`; the number of points if there is none. */
  readonly high: number;
  readonly doubt: string | undefined;
}

function bracket(
  points: readonly TimedState[],
  known: ReadonlyMap<number, Date>,
  at: Date,
): Bracket {
  const read = [...known].sort(([a], [b]) => a - b);
  const times = trustedTimes(
    read.map(([index, time]) => ({
      timeMs: time.getTime(),
      uploadedMs: (points[index] as TimedState).file.modifiedAt.getTime(),
    })),
  );
  let low = -1;
  let high = points.length;
  let doubt: string | undefined;
  for (const [place, [index, time]] of read.entries()) {
    const trusted = times[place];
    if (trusted !== time.getTime()) doubt ??= doubtOf(points[index] as TimedState, time);
    if (trusted === undefined) continue;
    if (trusted <= at.getTime()) low = index;
    else high = Math.min(high, index);
  }
  return { low, high, doubt };
}

/** Whether the times of these ascending states contradict each other. Those of snapshots are bounds. */
export function doubtAmong<File extends LTXFileInfo>(
  states: readonly TimedState<File>[],
  times: KnownTimes<File>,
): string | undefined {
  const points = states.filter(({ file }) => file.level !== LEVEL_SNAPSHOT);
  const trusted = trustedTimes(
    points.map(({ file }) => ({
      timeMs: times.get(file).getTime(),
      uploadedMs: file.modifiedAt.getTime(),
    })),
  );
  const wrong = points.find(({ file }, place) => trusted[place] !== times.get(file).getTime());
  return wrong && doubtOf(wrong, times.get(wrong.file));
}

function doubtOf({ txid }: Pick<TimedState, 'txid'>, time: Date): string {
  return (
    `file times contradict each other: TXID ${formatTXID(txid)} is dated ${time.toISOString()}, which ` +
    "does not fit the files around it; the writer's clock was wrong for a while; to choose a state by number, use -txid"
  );
}

export function beforeAllError(at: Date, first: DatedState): ReplicationError {
  return new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `there is a backup, but not of ${at.toISOString()}: the first moment that can be restored is ` +
      `${describeState(first)}; choose that time or a later one`,
  );
}

function describeState({ txid, at }: DatedState): string {
  return `${at.toISOString()} (TXID ${formatTXID(txid)})`;
}
