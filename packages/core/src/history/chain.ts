/**
 * Which states a set of files can lead to, and by which files. Pure: it reads listings, not files.
 *
 * A file covers minTXID..maxTXID. A *base* has minTXID 1 and holds every page. A file continues a
 * state `cur` if and only if minTXID <= cur + 1 and maxTXID > cur: overlaps are harmless, because a
 * file holds the newest version of every page that its transactions changed.
 *
 * Therefore, if a chain leads from one state to `target`, it can be entered from every reachable
 * state between the two: its file that passes such a state begins before it. So neither a newer
 * base nor a longer step can ever be a dead end where an older or shorter one is none, and walking
 * forward by the longest step is an exact search, not a guess.
 */

import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { SortedFiles } from '../replica/file-set.ts';

/** Every TXID whose state these files can give, ascending. */
export function reachableTXIDs(files: readonly LTXFileInfo[]): TXID[] {
  const byMax = [...files].sort((a, b) => compare(a.maxTXID, b.maxTXID));
  const reached: TXID[] = [];
  for (const file of byMax) {
    // All that came before end at or before this one, so the last state reached is the nearest.
    const last = reached.at(-1);
    if (last === file.maxTXID) continue;
    const continues = last !== undefined && file.minTXID <= last + 1n;
    if (file.minTXID === 1n || continues) reached.push(file.maxTXID);
  }
  return reached;
}

/** The files that lead to exactly `target`, base first; undefined where none do. */
export function chainTo<File extends LTXFileInfo>(
  files: readonly File[],
  target: TXID,
): File[] | undefined {
  const levels = new Map<number, File[]>();
  for (const file of files) {
    const level = levels.get(file.level);
    if (level === undefined) levels.set(file.level, [file]);
    else level.push(file);
  }
  const { reached, steps } = walk(
    [...levels].map(([level, unsorted]) => {
      const sorted = unsorted.sort((a, b) => compare(a.minTXID, b.minTXID));
      return {
        level,
        length: sorted.length,
        minTXID: (index) => (sorted[index] as File).minTXID,
        maxTXID: (index) => (sorted[index] as File).maxTXID,
        sizeBytes: (index) => (sorted[index] as File).sizeBytes,
      };
    }),
    target,
  );
  if (reached !== target) return undefined;
  return steps.map(({ files: { level }, index }) => levels.get(level)?.[index] as File);
}

/** How far the files of a listing lead, and what is missing beyond that. */
export interface Reach {
  /** The newest state that can be restored; 0n where there is none. */
  readonly reached: bigint;
  /** Where nothing leads beyond `reached` although files lie there: the TXIDs that are missing. */
  readonly missing: { readonly from: bigint; readonly to: bigint } | undefined;
}

/** Whether the newest state that is listed can be restored. Allocates nothing for each file. */
export function reachOf(levels: readonly SortedFiles[]): Reach {
  const { reached } = walk(levels, undefined);
  let highest = 0n;
  let next: bigint | undefined;
  for (const files of levels) {
    for (let index = 0; index < files.length; index++) {
      const [min, max] = [files.minTXID(index), files.maxTXID(index)];
      if (max > highest) highest = max;
      if (!isUsable(files, index)) continue;
      if (min > reached + 1n && (next === undefined || min < next)) next = min;
    }
  }
  if (highest === reached) return { reached, missing: undefined };
  return { reached, missing: { from: reached + 1n, to: (next ?? highest + 1n) - 1n } };
}

/** A file of a walk: entry `index` of `files`. */
interface Step {
  readonly files: SortedFiles;
  readonly index: number;
}

/**
 * Walks from a base by the longest steps, as far as it goes without passing `limit`. The first step
 * is the one from nothing to a base: only a file with minTXID 1 continues the state 0.
 */
function walk(
  levels: readonly SortedFiles[],
  limit: bigint | undefined,
): { reached: bigint; steps: readonly Step[] } {
  const steps: Step[] = [];
  const cursors = levels.map((files) => ({ files, next: 0 }));
  let reached = 0n;
  let best: Step | undefined;
  for (;;) {
    for (const cursor of cursors) {
      const { files } = cursor;
      for (; cursor.next < files.length; cursor.next++) {
        const index = cursor.next;
        if (files.minTXID(index) > reached + 1n) break;
        if (limit !== undefined && files.maxTXID(index) > limit) continue;
        if (isUsable(files, index)) best = better(best, { files, index });
      }
    }
    const end = best?.files.maxTXID(best.index) ?? 0n;
    if (best === undefined || end <= reached) return { reached, steps };
    steps.push(best);
    reached = end;
  }
}

/** A file without a whole header is no LTX file, whatever its name. */
function isUsable(files: SortedFiles, index: number): boolean {
  return files.sizeBytes(index) >= HEADER_SIZE_BYTES;
}

/** The one that reaches further; of two that reach as far the smaller, then the higher level. */
function better(best: Step | undefined, step: Step): Step {
  if (best === undefined) return step;
  const order = compare(step.files.maxTXID(step.index), best.files.maxTXID(best.index));
  if (order !== 0) return order > 0 ? step : best;
  const sizeBytes = step.files.sizeBytes(step.index);
  const bestBytes = best.files.sizeBytes(best.index);
  if (sizeBytes !== bestBytes) return sizeBytes < bestBytes ? step : best;
  return step.files.level > best.files.level ? step : best;
}

export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The greatest of the ascending `values` that is at most `limit`. */
export function floorOf(values: readonly TXID[], limit: bigint): TXID | undefined {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as TXID) <= limit) low = middle + 1;
    else high = middle;
  }
  return values[low - 1];
}

/** The least of the ascending `values` that is greater than `limit`. */
export function nextAfter(values: readonly TXID[], limit: bigint): TXID | undefined {
  return values.find((value) => value > limit);
}
