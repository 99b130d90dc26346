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
 * Where the clock ran backwards no answer is right for every reading; the rule is: of what was
 * looked at, nothing that bears a later time than T is in. The search probes from the oldest on and
 * stops at the first later time, so a doubt ends in the older state.
 */

import { ReplicationError } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/client.ts';
import { compare, reachableTXIDs } from '../history/chain.ts';

/** Headers asked for at once. 17-fold narrowing: 6,000 files take three or four rounds. */
const PROBES_PER_ROUND = 16;
const LEVEL_SNAPSHOT = 9;

/** A TXID that a restore can end with, and the file that tells its time. */
interface Point {
  readonly txid: TXID;
  readonly file: LTXFileInfo;
}

/** Asks for the times of some files; is given them in the same order. */
export type TimeQuestions = Generator<readonly LTXFileInfo[], TXID, readonly Date[]>;

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
  const found = yield* lastAtOrBefore(points, at);

  // Snapshots whose TXID no other file ends with lie between the points: the newest that counts.
  const after = points[found + 1]?.txid;
  const between = images.filter(
    (image) =>
      !known.has(image.txid) &&
      image.txid > (points[found]?.txid ?? 0n) &&
      (after === undefined || image.txid < after),
  );
  const image = yield* lastAtOrBefore(between, at);
  const answer = between[image] ?? points[found];
  const newest = [...points, ...images].sort((a, b) => compare(a.txid, b.txid));
  if (answer === undefined || answer.txid === newest.at(-1)?.txid) {
    yield* requireWithin(newest, images, at);
  }
  if (answer === undefined) throw new TypeError('a moment within the bounds has no TXID');
  return answer.txid;
}

/** Drives a search with times that are at hand. */
export function answerFrom(questions: TimeQuestions, timeOf: (file: LTXFileInfo) => Date): TXID {
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

/** Index of the last point before the first one that is later than `at`; -1 where all are later. */
function* lastAtOrBefore(
  points: readonly Point[],
  at: Date,
): Generator<readonly LTXFileInfo[], number, readonly Date[]> {
  let low = -1; // At or before `at`, or before all points.
  let high = points.length; // Later than `at`, or behind all points.
  while (high - low > 1) {
    const probes = spread(low, high);
    const times = yield probes.map((index) => (points[index] as Point).file);
    const later = times.findIndex((time) => time.getTime() > at.getTime());
    if (later === -1) low = probes.at(-1) as number;
    else {
      high = probes[later] as number;
      low = probes[later - 1] ?? low;
    }
  }
  return low;
}

/** Up to PROBES_PER_ROUND indexes, evenly spread, all strictly between `low` and `high`. */
function spread(low: number, high: number): number[] {
  const between = high - low - 1;
  if (between <= PROBES_PER_ROUND) return Array.from({ length: between }, (_, i) => low + 1 + i);
  const step = (high - low) / (PROBES_PER_ROUND + 1);
  return Array.from({ length: PROBES_PER_ROUND }, (_, i) => low + Math.round(step * (i + 1)));
}

/** Throws RESTORE_OUT_OF_RANGE unless the first known time <= `at` <= the last known time. */
function* requireWithin(
  points: readonly Point[],
  images: readonly Point[],
  at: Date,
): Generator<readonly LTXFileInfo[], void, readonly Date[]> {
  const first = points[0] as Point;
  const last = points.at(-1) as Point;
  // An image of the newest TXID, taken later than its commit, shows that nothing came between.
  const witness = images.find((image) => image.txid === last.txid) ?? last;
  const [earliest, committed, seen] = yield [first.file, last.file, witness.file];
  if (earliest === undefined || committed === undefined || seen === undefined) {
    throw new TypeError('a time was asked for and not given');
  }
  const latest = seen > committed ? seen : committed;
  if (at >= earliest && at <= latest) return;
  throw new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `the state as of ${at.toISOString()} is not known: what is stored goes from ` +
      `${earliest.toISOString()} (TXID ${formatTXID(first.txid)}) to ${latest.toISOString()} ` +
      `(TXID ${formatTXID(last.txid)}); choose a moment between them, or restore the latest state`,
  );
}
