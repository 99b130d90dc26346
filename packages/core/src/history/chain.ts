/**
 * Finds the states that can be restored from a set of files, and the files needed for each. Pure: it
 * reads listings, not files.
 *
 * A file covers minTXID..maxTXID. A *base* has minTXID 1 and contains every page. A file continues a
 * state `cur` if and only if minTXID <= cur + 1 and maxTXID > cur. Overlaps are harmless, because a
 * file contains the newest version of every page that its transactions changed.
 *
 * Therefore, if a chain leads from one state to `target`, it can be joined from every reachable state
 * `r` between the two: the file of the chain that passes `r` begins at `r + 1` or earlier. So if an
 * older base or a shorter step leads to `target`, a newer base or a longer step does too, and always
 * taking the longest step is an exact search, not a heuristic.
 */

import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { SortedFiles } from '../replica/file-set.ts';
import type { LTXFileRef } from '../store/layout.ts';

/** Every TXID that can be restored from these files, ascending. */
export function reachableTXIDs(files: readonly LTXFileInfo[]): TXID[] {
  const byMax = [...files].sort((a, b) => compare(a.maxTXID, b.maxTXID));
  const reached: TXID[] = [];
  for (const file of byMax) {
    // Files are sorted by maxTXID, so the last reached state is the closest one.
    const last = reached.at(-1);
    if (last === file.maxTXID) continue;
    const continues = last !== undefined && file.minTXID <= last + 1n;
    if (file.minTXID === 1n || continues) reached.push(file.maxTXID);
  }
  return reached;
}

/** The files that restore exactly `target`, base first; undefined if there is no such chain. */
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

/** The files that restore the newest state that can be restored, base first. */
export function newestChain(levels: readonly SortedFiles[]): LTXFileRef[] {
  return walk(levels, undefined).steps.map(({ files, index }) => ({
    level: files.level,
    minTXID: files.minTXID(index) as TXID, // of a file that was listed
    maxTXID: files.maxTXID(index) as TXID,
  }));
}

/** The newest state that a listing can restore, and the gap after it. */
export interface Reach {
  /** The newest state that can be restored; 0n if there is none. */
  readonly reached: bigint;
  /** Missing TXIDs after `reached`; undefined if no file has a higher TXID. */
  readonly missing: { readonly from: bigint; readonly to: bigint } | undefined;
}

/** Computes the reach of a listing. Makes no allocations per file. */
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

/** One file of a chain: entry `index` of `files`. */
interface Step {
  readonly files: SortedFiles;
  readonly index: number;
}

/**
 * Starts at a base and takes the longest steps as far as possible without passing `limit`. The base
 * is the first step: only a file with minTXID 1 continues state 0.
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

/** A file too short for a header is not an LTX file. */
function isUsable(files: SortedFiles, index: number): boolean {
  return files.sizeBytes(index) >= HEADER_SIZE_BYTES;
}

/** The step that reaches further; if equal, the smaller file; if equal, the higher level. */
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
