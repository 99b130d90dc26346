/**
 * Which TXID was the state at a moment.
 *
 * **The state as of T is everything committed at or before T, and nothing that was committed
 * later**: a transaction whose time is exactly T is in (Litestream leaves it out).
 *
 * A file's own time is its header's, not the listing's: a bucket that was copied has new times in
 * the listing. A file of level 0 to 8 bears the time of its last transaction (a merge keeps that of
 * its newest input), a snapshot of level 9 the time at which it was taken: that is only an upper
 * bound of the commit's, and only asked where no other file ends with the same TXID.
 *
 * Header times rise with TXIDs as long as the writer's clock does, so a few probes find the place.
 * Where that clock was wrong for a while, times.ts says which of the times that were read are to be
 * believed. The state as of T is then the last one with a believed time at or before T. A file behind
 * it without such a time is left out. That there is a doubt is told.
 */

import { ReplicationError } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { compare, reachableTXIDs } from '../history/chain.ts';
import { believedTimes } from './times.ts';

/** Headers asked for at once. 17-fold narrowing: 6,000 files take three or four rounds. */
const PROBES_PER_ROUND = 16;
const LEVEL_SNAPSHOT = 9;

/** A TXID that a restore can end with, and the file that tells its time. */
interface Point {
  readonly txid: TXID;
  readonly file: LTXFileInfo;
}

/** The state as of a moment. */
export interface Moment {
  readonly txid: TXID;
  /** Why another state may have been meant, where times of files contradict each other. */
  readonly doubt: string | undefined;
}

/** Asks for the times of some files; is given them in the same order. */
export type TimeQuestions = Generator<readonly LTXFileInfo[], Moment, readonly Date[]>;

/**
 * Finds the TXID of `at` among the states that `files` lead to. Beyond the last of them it may be
 * one that is only listed: planning for it then names the gap. RESTORE_OUT_OF_RANGE with the known
 * bounds where `at` lies outside them.
 */
export function* locateMoment(files: readonly LTXFileInfo[], at: Date): TimeQuestions {
  const reached = reachableTXIDs(files);
  const last = reached.at(-1);
  if (last === undefined) throw new TypeError('a moment is sought where nothing is restorable');
  const wanted = new Set<TXID>(reached);
  for (const file of files) if (file.maxTXID > last) wanted.add(file.maxTXID);

  const points = pointsOf(files, wanted, (level) => level !== LEVEL_SNAPSHOT);
  const known = new Set(points.map((point) => point.txid));
  const images = pointsOf(files, wanted, (level) => level === LEVEL_SNAPSHOT);
  const search = yield* lastAtOrBefore(points, at);
  const found = search.index;

  // Snapshots whose TXID no other file ends with lie between the points: the newest that counts.
  const after = points[found + 1]?.txid;
  const between = images.filter(
    (image) =>
      !known.has(image.txid) &&
      image.txid > (points[found]?.txid ?? 0n) &&
      (after === undefined || image.txid < after),
  );
  const image = yield* lastAtOrBefore(between, at);
  const answer = between[image.index] ?? points[found];
  const newest = [...points, ...images].sort((a, b) => compare(a.txid, b.txid));
  if (answer === undefined || answer.txid === newest.at(-1)?.txid) {
    yield* requireWithin({ points: newest, images, at, answer });
  }
  if (answer === undefined) throw new TypeError('a moment before all others has no TXID');
  return { txid: answer.txid, doubt: search.doubt ?? image.doubt };
}

/** Drives a search with times that are at hand. */
export function answerFrom(questions: TimeQuestions, timeOf: (file: LTXFileInfo) => Date): Moment {
  let step = questions.next();
  while (step.done !== true) step = questions.next(step.value.map(timeOf));
  return step.value;
}

/** One point for each wanted TXID that files of these levels end with, ascending. */
function pointsOf(
  files: readonly LTXFileInfo[],
  wanted: ReadonlySet<TXID>,
  level: (level: number) => boolean,
): Point[] {
  const byTXID = new Map<TXID, LTXFileInfo>();
  for (const file of files) {
    if (!level(file.level) || !wanted.has(file.maxTXID)) continue;
    // All of them bear the same time; the lowest level is written first and so the surest.
    const other = byTXID.get(file.maxTXID);
    if (other === undefined || file.level < other.level) byTXID.set(file.maxTXID, file);
  }
  return [...byTXID]
    .map(([txid, file]) => ({ txid, file }))
    .sort((a, b) => compare(a.txid, b.txid));
}

/** What was found among points: the index, -1 where all are later, and whether it is sure. */
interface Search {
  readonly index: number;
  readonly doubt: string | undefined;
}

/** The last point whose time is believed and not later than `at`. */
function* lastAtOrBefore(
  points: readonly Point[],
  at: Date,
): Generator<readonly LTXFileInfo[], Search, readonly Date[]> {
  const known = new Map<number, Date>();
  for (;;) {
    const { low, high, doubt } = bracket(points, known, at);
    const unknown: number[] = [];
    for (let index = low + 1; index < high; index++) if (!known.has(index)) unknown.push(index);
    if (unknown.length === 0) return { index: low, doubt };
    const probes = spread(unknown);
    const times = yield probes.map((index) => (points[index] as Point).file);
    for (const [place, index] of probes.entries()) known.set(index, times[place] as Date);
  }
}

interface Bracket {
  /** At or before `at`, or before all points. */
  readonly low: number;
  /** Later than `at`, or behind all points. */
  readonly high: number;
  readonly doubt: string | undefined;
}

function bracket(points: readonly Point[], known: ReadonlyMap<number, Date>, at: Date): Bracket {
  const read = [...known].sort(([a], [b]) => a - b);
  const times = believedTimes(
    read.map(([index, time]) => ({
      timeMs: time.getTime(),
      uploadedMs: (points[index] as Point).file.modifiedAt.getTime(),
    })),
  );
  let low = -1;
  let high = points.length;
  let doubt: string | undefined;
  for (const [place, [index, time]] of read.entries()) {
    const believed = times[place];
    if (believed !== time.getTime()) doubt ??= doubtOf(points[index] as Point, time);
    if (believed === undefined) continue;
    if (believed <= at.getTime()) low = index;
    else high = Math.min(high, index);
  }
  return { low, high, doubt };
}

function doubtOf({ txid }: Point, time: Date): string {
  return (
    `times are in doubt: TXID ${formatTXID(txid)} bears ${time.toISOString()}, which does not fit the ` +
    'files around it; the clock of the writer was wrong for a while; -txid chooses a state by its number'
  );
}

/** Up to PROBES_PER_ROUND of the indexes, evenly spread. */
function spread(indexes: readonly number[]): readonly number[] {
  if (indexes.length <= PROBES_PER_ROUND) return indexes;
  const step = (indexes.length + 1) / (PROBES_PER_ROUND + 1);
  return Array.from(
    { length: PROBES_PER_ROUND },
    (_, i) => indexes[Math.round(step * (i + 1)) - 1] as number,
  );
}

interface Bounds {
  /** All of them, oldest first. */
  readonly points: readonly Point[];
  readonly images: readonly Point[];
  readonly at: Date;
  /** undefined where all are later than `at`. */
  readonly answer: Point | undefined;
}

/** Throws RESTORE_OUT_OF_RANGE unless something is at or before `at`, and `at` is not after the last known time. */
function* requireWithin({
  points,
  images,
  at,
  answer,
}: Bounds): Generator<readonly LTXFileInfo[], void, readonly Date[]> {
  const first = points[0] as Point;
  const last = points.at(-1) as Point;
  // An image of the newest TXID, taken later than its commit, shows that nothing came between.
  const witness = images.find((image) => image.txid === last.txid) ?? last;
  const [earliest, committed, seen] = yield [first.file, last.file, witness.file];
  if (earliest === undefined || committed === undefined || seen === undefined) {
    throw new TypeError('a time was asked for and not given');
  }
  const latest = seen > committed ? seen : committed;
  if (answer !== undefined && at <= latest) return;
  throw new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `the state as of ${at.toISOString()} is not known: what is stored goes from ` +
      `${earliest.toISOString()} (TXID ${formatTXID(first.txid)}) to ${latest.toISOString()} ` +
      `(TXID ${formatTXID(last.txid)}); choose a moment between them, or restore the latest state`,
  );
}
