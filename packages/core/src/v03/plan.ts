/**
 * Decides which objects of Litestream 0.3 a restore reads. Pure.
 *
 * As in Litestream 0.3: the generation with the latest upload, of those that had begun at the requested
 * time; its last snapshot at or before the target; all WALs from the index of that snapshot to the
 * target. A generation with neither snapshots nor WALs is left out: a crash of Litestream 0.3 leaves
 * one, and other programs may write there. Unlike there, the time may be after the last upload, and a missing object is never skipped: the plan fails with an error that names it.
 */

import { isError, ReplicationError } from '../error.ts';
import { hasBackup, type Generation, type V03Segment, type V03Snapshot } from './generations.ts';
import { comparePositions, describeV03, formatIndex } from './layout.ts';

/** The state to restore: by default the newest one. */
export interface V03Target {
  /** Everything uploaded at or before this time. */
  readonly at?: Date | undefined;
  readonly generation?: string | undefined;
  /** The last WAL to apply. */
  readonly index?: number | undefined;
}

/** The objects to read for one state of a database. */
export interface V03Plan {
  readonly generation: Generation;
  readonly snapshot: V03Snapshot;
  /** By index and offset; the first one of each index has offset 0. */
  readonly segments: readonly V03Segment[];
  /** Time of the last upload that the state includes. */
  readonly at: Date;
  /** For a time: that of the next upload after it. */
  readonly next: Date | undefined;
  readonly sizeBytes: number;
}

/**
 * RESTORE_NO_SNAPSHOT without generations, RESTORE_OUT_OF_RANGE for a target that is not stored,
 * RESTORE_GAP if objects are missing. `isAvoided`: a snapshot that turned out to be damaged.
 */
export function planV03(
  generations: readonly Generation[],
  target: V03Target,
  isAvoided: (snapshot: V03Snapshot) => boolean = () => false,
): V03Plan {
  const generation = chooseGeneration(generations, target);
  const snapshot = chooseSnapshot(generation, target, isAvoided);
  requireIndex(generation, snapshot, target);
  if (mayBeTooNew(generation, snapshot, target)) {
    const isTooNew = (each: V03Snapshot): boolean =>
      each.index >= snapshot.index || isAvoided(each);
    const exact = planIfStored(() =>
      planFrom(generation, chooseSnapshot(generation, target, isTooNew), target),
    );
    if (exact !== undefined) return exact;
  }
  return planFrom(generation, snapshot, target);
}

/**
 * A snapshot may already contain pages from its own WAL, up to the time at which it was taken. That is
 * harmless if all of that WAL is applied, but not if the target is within it. Then an earlier snapshot
 * and the WALs between give the exact state.
 */
function mayBeTooNew({ segments }: Generation, { index }: V03Snapshot, { at }: V03Target): boolean {
  return at !== undefined && segments.some((each) => each.index === index && each.modifiedAt > at);
}

/** undefined if there is no such plan: snapshots or WALs are missing. */
export function planIfStored(plan: () => V03Plan): V03Plan | undefined {
  try {
    return plan();
  } catch (error) {
    if (isError(error)) return undefined;
    throw error;
  }
}

function planFrom(generation: Generation, snapshot: V03Snapshot, target: V03Target): V03Plan {
  const segments = segmentsFor(generation, snapshot, target);
  requireContiguous(snapshot, segments);
  const objects = [snapshot, ...segments];
  return {
    generation,
    snapshot,
    segments,
    at: objects.at(-1)?.modifiedAt ?? snapshot.modifiedAt,
    next: nextUpload(generation, target),
    sizeBytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

function nextUpload({ segments }: Generation, { at }: V03Target): Date | undefined {
  return at && segments.find(({ modifiedAt }) => modifiedAt > at)?.modifiedAt;
}

/** How to restore the newest state before `object`, which is missing or damaged; empty if there is none. */
export function adviceBefore(
  object: V03Snapshot | V03Segment,
  segments: readonly V03Segment[],
): string {
  if (object.kind === 'snapshot') return '';
  const before = segments.filter((segment) => comparePositions(segment, object) < 0);
  // Some destinations have times in seconds: an equal time would include the object.
  const earlier = before.findLast(({ modifiedAt }) => modifiedAt < object.modifiedAt);
  const when = earlier?.modifiedAt.toISOString();
  const whole = before.findLast(({ index }) => index < object.index);
  const flag =
    when === undefined ? whole && `-index ${formatIndex(whole.index)}` : `-timestamp ${when}`;
  if (flag === undefined) return '';
  const upload = when === undefined ? '' : `, uploaded at ${when}`;
  return `; to restore an earlier state${upload}, use -generation ${object.generation} ${flag}`;
}

function chooseGeneration(generations: readonly Generation[], target: V03Target): Generation {
  const { at, generation: id } = target;
  if (generations.length === 0) {
    const message = 'there is no backup of Litestream 0.3 here';
    throw new ReplicationError('RESTORE_NO_SNAPSHOT', message);
  }
  const [first] = generations;
  const stored = generations.filter(hasBackup);
  if (id === undefined && stored.length === 0 && first !== undefined) throw noSnapshotError(first);
  const wanted = id === undefined ? stored : generations.filter((each) => each.id === id);
  if (wanted.length === 0) {
    const known = generations.map(describeGeneration).join('; ');
    throw outOfRange(`generation ${id} is not stored; the stored generations are ${known}`);
  }
  // The last state at or before the time, even if that generation had ended by then.
  const begun = wanted.filter(({ createdAt }) => at === undefined || createdAt <= at);
  const last = begun.reduce<Generation | undefined>(
    (a, b) => (a === undefined || b.updatedAt >= a.updatedAt ? b : a),
    undefined,
  );
  if (last !== undefined) return last;
  const known = wanted.map(describeGeneration).join('; ');
  throw outOfRange(
    `the state as of ${at?.toISOString()} is not stored: the backup of Litestream 0.3 covers ${known}; ` +
      'choose a later time, or restore the latest state',
  );
}

/** "0123456789abcdef (2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z)" */
function describeGeneration({ id, createdAt, updatedAt }: Generation): string {
  return `${id} (${createdAt.toISOString()} to ${updatedAt.toISOString()})`;
}

function chooseSnapshot(
  generation: Generation,
  { at, index }: V03Target,
  isAvoided: (snapshot: V03Snapshot) => boolean,
): V03Snapshot {
  const { id, snapshots } = generation;
  const usable = snapshots.filter((each) => !isAvoided(each));
  const [first] = usable;
  if (first === undefined) throw noSnapshotError(generation);
  const last = usable.findLast(
    (each) =>
      (at === undefined || each.modifiedAt <= at) && (index === undefined || each.index <= index),
  );
  if (last !== undefined) return last;
  const when = first.modifiedAt.toISOString();
  throw outOfRange(
    `generation ${id} of Litestream 0.3 has no snapshot at or before the requested state; its first ` +
      `snapshot has index ${formatIndex(first.index)} and was uploaded at ${when}`,
  );
}

function noSnapshotError({ id, unknown }: Generation): ReplicationError {
  const [strange] = unknown;
  const found = strange === undefined ? '' : `; it has objects of unknown form: ${strange}`;
  return gap(`generation ${id} of Litestream 0.3 has no snapshot to start from${found}`);
}

/** An index is the end of that WAL: the end of an earlier one is another state. */
function requireIndex(
  { id, snapshots, segments }: Generation,
  snapshot: V03Snapshot,
  { index }: V03Target,
): void {
  const isStored = (each: { readonly index: number }): boolean => each.index === index;
  if (index === undefined || isStored(snapshot) || segments.some(isStored)) return;
  const highest = Math.max(...[...snapshots, ...segments].map((each) => each.index));
  const wanted = formatIndex(index);
  if (index > highest) {
    throw outOfRange(
      `generation ${id} of Litestream 0.3 has no WAL with index ${wanted}: the highest index is ${formatIndex(highest)}`,
    );
  }
  const before = segments.findLast((each) => each.index < index) ?? snapshot;
  throw gap(
    `generation ${id} of Litestream 0.3 has no WAL with index ${wanted}, although it has later ones; ` +
      `the last index before it is ${formatIndex(Math.max(before.index, snapshot.index))}`,
  );
}

/** Up to the first segment after the target: what follows was written later. */
function segmentsFor(
  { segments }: Generation,
  snapshot: V03Snapshot,
  { at, index }: V03Target,
): V03Segment[] {
  const from = segments.filter((each) => each.index >= snapshot.index);
  const end = from.findIndex(
    (each) =>
      (at !== undefined && each.modifiedAt > at) || (index !== undefined && each.index > index),
  );
  return end < 0 ? from : from.slice(0, end);
}

/** Checks what names can show. Lengths are checked while reading. */
function requireContiguous(snapshot: V03Snapshot, segments: readonly V03Segment[]): void {
  let index = snapshot.index;
  for (const [place, segment] of segments.entries()) {
    const before = segments[place - 1];
    if (before !== undefined && segment.index !== before.index) index += 1;
    const isFirst = before?.index !== segment.index;
    if (segment.index === index && (!isFirst || segment.offset === 0)) continue;
    const { generation } = snapshot;
    const offset = 0;
    const missing = describeV03({ kind: 'segment', generation, index, offset });
    throw gap(
      `${missing} is missing before ${describeV03(segment)}` +
        adviceBefore(segment, segments.slice(0, place)),
    );
  }
}

function outOfRange(message: string): ReplicationError {
  return new ReplicationError('RESTORE_OUT_OF_RANGE', message);
}

function gap(message: string): ReplicationError {
  return new ReplicationError('RESTORE_GAP', message);
}
