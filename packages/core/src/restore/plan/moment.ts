/**
 * Finds the TXID of the state at a moment.
 *
 * **The state as of T is everything committed at or before T, and nothing later**: a transaction
 * whose time is exactly T is included (Litestream leaves it out).
 *
 * The time of a file is the one in its header, not the one in the listing: a copied bucket has new
 * times in its listing. A file at level 0 to 8 has the time of its last transaction (a merged file
 * keeps that of its newest input). A snapshot at level 9 has the time at which it was taken. That
 * is only an upper bound, and is used only if no other file ends with the same TXID.
 *
 * Header times rise with TXIDs as long as the writer's clock does, so a few probes are enough. If
 * that clock was wrong for a while, times.ts decides which of the times to trust. The state as of T
 * is then the last one with a trusted time at or before T. A later file without a trusted time is
 * left out, and `doubt` says so.
 */

import { ReplicationError } from '../../error.ts';
import { compare, reachableTXIDs } from '../../history/chain.ts';
import { formatTXID, type TXID } from '../../ltx/txid.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { trustedTimes } from './times.ts';

/** Headers read at once. Each round narrows the search 17-fold: 6,000 files take three or four. */
const PROBES_PER_ROUND = 16;
const LEVEL_SNAPSHOT = 9;

/** A TXID that a restore can end with, and the file that has its time. */
interface Point<File extends LTXFileInfo> {
  readonly txid: TXID;
  readonly file: File;
}

/** The state as of a moment. */
export interface Moment {
  readonly txid: TXID;
  /** Why another state may have been meant, if file times contradict each other. */
  readonly doubt: string | undefined;
}

/** Yields files and expects their times, in the same order. */
export type TimeSearch<File extends LTXFileInfo> = Generator<
  readonly File[],
  Moment,
  readonly Date[]
>;

/**
 * Finds the TXID of `at` among the states that `files` lead to. It may also find a later TXID that
 * is only listed; the plan for it then names the gap. RESTORE_OUT_OF_RANGE with the known bounds if
 * `at` is outside them.
 */
export function* locateMoment<File extends LTXFileInfo>(
  files: readonly File[],
  at: Date,
): TimeSearch<File> {
  const reached = reachableTXIDs(files);
  const last = reached.at(-1);
  if (last === undefined) throw new TypeError('searched a timestamp, but nothing can be restored');
  const wanted = new Set<TXID>(reached);
  for (const file of files) if (file.maxTXID > last) wanted.add(file.maxTXID);

  const points = pointsOf(files, wanted, (level) => level !== LEVEL_SNAPSHOT);
  const known = new Set(points.map((point) => point.txid));
  const images = pointsOf(files, wanted, (level) => level === LEVEL_SNAPSHOT);
  const search = yield* lastAtOrBefore(points, at);
  const found = search.index;

  // Between the points lie snapshots whose TXID no other file ends with: find the newest that counts.
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
  if (answer === undefined) throw new TypeError('a timestamp before all others has no TXID');
  return { txid: answer.txid, doubt: search.doubt ?? image.doubt };
}

/** One point per wanted TXID that a file of these levels ends with, ascending. */
function pointsOf<File extends LTXFileInfo>(
  files: readonly File[],
  wanted: ReadonlySet<TXID>,
  level: (level: number) => boolean,
): Point<File>[] {
  const byTXID = new Map<TXID, File>();
  for (const file of files) {
    if (!level(file.level) || !wanted.has(file.maxTXID)) continue;
    // All of them have the same time. The lowest level was written first, so it is the most reliable.
    const other = byTXID.get(file.maxTXID);
    if (other === undefined || file.level < other.level) byTXID.set(file.maxTXID, file);
  }
  return [...byTXID]
    .map(([txid, file]) => ({ txid, file }))
    .sort((a, b) => compare(a.txid, b.txid));
}

/** Result of a search: the index of the point, -1 if all are later, and any doubt. */
interface Search {
  readonly index: number;
  readonly doubt: string | undefined;
}

/** The last point whose trusted time is not later than `at`. */
function* lastAtOrBefore<File extends LTXFileInfo>(
  points: readonly Point<File>[],
  at: Date,
): Generator<readonly File[], Search, readonly Date[]> {
  const known = new Map<number, Date>();
  for (;;) {
    const { low, high, doubt } = bracket(points, known, at);
    const unknown: number[] = [];
    for (let index = low + 1; index < high; index++) if (!known.has(index)) unknown.push(index);
    if (unknown.length === 0) return { index: low, doubt };
    const probes = spread(unknown);
    const times = yield probes.map((index) => (points[index] as Point<File>).file);
    for (const [place, index] of probes.entries()) known.set(index, times[place] as Date);
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
  points: readonly Point<LTXFileInfo>[],
  known: ReadonlyMap<number, Date>,
  at: Date,
): Bracket {
  const read = [...known].sort(([a], [b]) => a - b);
  const times = trustedTimes(
    read.map(([index, time]) => ({
      timeMs: time.getTime(),
      uploadedMs: (points[index] as Point<LTXFileInfo>).file.modifiedAt.getTime(),
    })),
  );
  let low = -1;
  let high = points.length;
  let doubt: string | undefined;
  for (const [place, [index, time]] of read.entries()) {
    const trusted = times[place];
    if (trusted !== time.getTime()) doubt ??= doubtOf(points[index] as Point<LTXFileInfo>, time);
    if (trusted === undefined) continue;
    if (trusted <= at.getTime()) low = index;
    else high = Math.min(high, index);
  }
  return { low, high, doubt };
}

function doubtOf({ txid }: Pick<Point<LTXFileInfo>, 'txid'>, time: Date): string {
  return (
    `file times contradict each other: TXID ${formatTXID(txid)} is dated ${time.toISOString()}, which ` +
    "does not fit the files around it; the writer's clock was wrong for a while; to choose a state by number, use -txid"
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

interface Bounds<File extends LTXFileInfo> {
  /** Oldest first. */
  readonly points: readonly Point<File>[];
  readonly images: readonly Point<File>[];
  readonly at: Date;
  /** undefined if all points are later than `at`. */
  readonly answer: Point<File> | undefined;
}

/**
 * RESTORE_OUT_OF_RANGE unless a point is at or before `at`, and `at` is not after the last known
 * time.
 */
function* requireWithin<File extends LTXFileInfo>({
  points,
  images,
  at,
  answer,
}: Bounds<File>): Generator<readonly File[], void, readonly Date[]> {
  const first = points[0] as Point<File>;
  const last = points.at(-1) as Point<File>;
  // A snapshot of the newest TXID, taken after its commit, shows that nothing came between.
  const witness = images.find((image) => image.txid === last.txid) ?? last;
  const [earliest, committed, seen] = yield [first.file, last.file, witness.file];
  if (earliest === undefined || committed === undefined || seen === undefined) {
    throw new TypeError('the caller did not supply a requested time');
  }
  const latest = seen > committed ? seen : committed;
  if (answer !== undefined && at <= latest) return;
  throw new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `the state as of ${at.toISOString()} is unknown: the stored files cover ` +
      `${earliest.toISOString()} (TXID ${formatTXID(first.txid)}) to ${latest.toISOString()} ` +
      `(TXID ${formatTXID(last.txid)}); choose a time between them, or restore the latest state`,
  );
}
