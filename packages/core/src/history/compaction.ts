/**
 * Decides what to merge next, and when. Pure.
 *
 * Each level has windows of its interval, aligned to multiples of it, by the timestamps in the files.
 * The files of one window are merged when the window is over: when a file of another window follows,
 * or when the clock has left it. A clock that jumps only makes windows shorter: a file is merged once
 * into each level, whatever its timestamp is.
 *
 * A merge has at most INPUTS_MAX inputs, and it does not wait for the end of its window if its inputs
 * are larger than `earlyBytes`. So the files that wait for a merge need little room. It does not wait either
 * if the windows of its level end early: a destination that was down gets one file in place of many.
 *
 * An image (a full snapshot at level 0) starts a new lineage and is never an input. A merge ends before
 * it, and the next merge begins after it.
 */

import type { MergeLevel } from './levels.ts';

/** A file that can be an input. */
export interface MergeableFile {
  readonly minTXID: bigint;
  readonly maxTXID: bigint;
  readonly timestampMs: number;
  readonly sizeBytes: number;
  /** The image and the increments that the file belongs to. */
  readonly lineage: bigint;
  readonly pageSize: number;
}

/** A level, with what there is to merge. */
export interface LevelState<File extends MergeableFile = MergeableFile> {
  readonly level: MergeLevel;
  /** Files of the level below that are not merged into this level yet, without images, in the order of TXIDs. */
  readonly inputs: readonly File[];
}

export interface CompactionInput<File extends MergeableFile = MergeableFile> {
  /** From level 1 on. */
  readonly levels: readonly LevelState<File>[];
  /** The wall clock. */
  readonly nowMs: number;
  /** Inputs of at least this size are merged early. */
  readonly earlyBytes: number;
  /** Levels whose current windows end now. */
  readonly endEarly?: ReadonlySet<number> | undefined;
}

export type NextMerge<File extends MergeableFile = MergeableFile> =
  /** The inputs are contiguous and of one lineage. */
  | { readonly kind: 'merge'; readonly level: number; readonly inputs: readonly File[] }
  /** Ask again after `waitMs`, or when a file is added. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** There is nothing to merge. */
  | { readonly kind: 'idle' };

/** Each input of a merge is an open file with a buffer. */
const INPUTS_MAX = 256;
/**
 * A file may be staged a little after the time in its header. A window waits for it this long, or for a
 * tenth of its interval. A later file gets a merged file of its own.
 */
const GRACE_MS = 500;

/** Lower levels first, because a merge of one level is an input of the next. */
export function nextMerge<File extends MergeableFile>(
  input: CompactionInput<File>,
): NextMerge<File> {
  let waitMs = Infinity;
  for (const { level, inputs } of input.levels) {
    const group = firstGroup(inputs, level.intervalMs, input.earlyBytes);
    if (group.length === 0) continue;
    const isOver = inputs.length > group.length || input.endEarly?.has(level.level) === true;
    const dueInMs = isOver ? 0 : remainingMs(group, level.intervalMs, input);
    if (dueInMs === 0) return { kind: 'merge', level: level.level, inputs: group };
    waitMs = Math.min(waitMs, dueInMs);
  }
  return waitMs === Infinity ? { kind: 'idle' } : { kind: 'wait', waitMs };
}

/** The first inputs that belong into one file. */
function firstGroup<File extends MergeableFile>(
  inputs: readonly File[],
  intervalMs: number,
  earlyBytes: number,
): readonly File[] {
  let sizeBytes = 0;
  let previous: File | undefined;
  const end = inputs.findIndex((file, index) => {
    const before = previous;
    previous = file;
    const isFull = index >= INPUTS_MAX || sizeBytes >= earlyBytes;
    sizeBytes += file.sizeBytes;
    return before !== undefined && (isFull || !mayFollow(before, file, intervalMs));
  });
  return end < 0 ? inputs : inputs.slice(0, end);
}

function mayFollow(before: MergeableFile, file: MergeableFile, intervalMs: number): boolean {
  return (
    file.minTXID <= before.maxTXID + 1n &&
    file.lineage === before.lineage &&
    file.pageSize === before.pageSize &&
    windowOf(file, intervalMs) === windowOf(before, intervalMs)
  );
}

/** Time until the window of the last group is over; 0 if it is. */
function remainingMs(
  group: readonly MergeableFile[],
  intervalMs: number,
  { nowMs, earlyBytes }: Omit<CompactionInput, 'levels'>,
): number {
  const [first] = group;
  const sizeBytes = group.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (first === undefined || sizeBytes >= earlyBytes || group.length >= INPUTS_MAX) return 0;
  const window = windowOf(first, intervalMs);
  // The clock was set back: the window in the future may never be reached again.
  if (window > Math.floor(nowMs / intervalMs)) return 0;
  const endMs = (window + 1) * intervalMs + Math.min(GRACE_MS, intervalMs / 10);
  return Math.max(0, endMs - nowMs);
}

/** The number of the window that contains the time of `file`. */
function windowOf({ timestampMs }: MergeableFile, intervalMs: number): number {
  return Math.floor(timestampMs / intervalMs);
}
