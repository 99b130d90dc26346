/**
 * Which states a set of files can lead to, and by which files.
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

import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/client.ts';

function isBase(file: LTXFileInfo): boolean {
  return file.minTXID === 1n;
}

/** Every TXID whose state these files can give, ascending. */
export function reachableTXIDs(files: readonly LTXFileInfo[]): TXID[] {
  const byMax = [...files].sort((a, b) => compare(a.maxTXID, b.maxTXID));
  const reached: TXID[] = [];
  for (const file of byMax) {
    // All that came before end at or before this one, so the last state reached is the nearest.
    const last = reached.at(-1);
    if (last === file.maxTXID) continue;
    const continues = last !== undefined && file.minTXID <= last + 1n;
    if (isBase(file) || continues) reached.push(file.maxTXID);
  }
  return reached;
}

/** The files that lead to exactly `target`, base first; undefined where none do. */
export function chainTo(files: readonly LTXFileInfo[], target: TXID): LTXFileInfo[] | undefined {
  const usable = files.filter((file) => file.maxTXID <= target);
  const base = usable.filter(isBase).reduce(better, undefined);
  if (base === undefined) return undefined;

  const byMin = usable.sort((a, b) => compare(a.minTXID, b.minTXID));
  const chain = [base];
  let current = base.maxTXID;
  let next = 0;
  let candidate: LTXFileInfo | undefined;
  while (current < target) {
    for (let file = byMin[next]; file && file.minTXID <= current + 1n; file = byMin[++next]) {
      candidate = better(candidate, file);
    }
    if (candidate === undefined || candidate.maxTXID <= current) return undefined;
    chain.push(candidate);
    current = candidate.maxTXID;
  }
  return chain;
}

/** The one that reaches further; of two that reach as far the smaller, then the higher level. */
function better(best: LTXFileInfo | undefined, file: LTXFileInfo): LTXFileInfo {
  if (best === undefined || file.maxTXID > best.maxTXID) return file;
  if (file.maxTXID < best.maxTXID) return best;
  if (file.sizeBytes !== best.sizeBytes) return file.sizeBytes < best.sizeBytes ? file : best;
  return file.level > best.level ? file : best;
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
