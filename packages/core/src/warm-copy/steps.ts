/**
 * Decides how a copy gets from its TXID to the newest state of a listing. Pure.
 *
 * It prefers files that continue the copy. Full snapshots (minTXID 1) hold every page, so they are only
 * used by a rebase, if files in between are missing.
 */

import { compare } from '../history/chain.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { LTXFileInfo } from '../replica/replica.ts';

export type Steps<File extends LTXFileInfo> =
  /** Nothing is listed. */
  | { readonly kind: 'empty' }
  /** The newest listed state is older than the copy. */
  | { readonly kind: 'older'; readonly highest: bigint }
  | { readonly kind: 'current' }
  /** In order, up to the newest state. */
  | { readonly kind: 'files'; readonly files: readonly File[]; readonly highest: bigint }
  /** No files lead from the copy to the newest state. */
  | { readonly kind: 'gap'; readonly missing: bigint; readonly highest: bigint };

/** `isAvoided`: whether a file is damaged. The newest state stays the goal, even if its file is. */
export function planSteps<File extends LTXFileInfo>(
  listed: readonly File[],
  txid: bigint,
  isAvoided: (file: File) => boolean = () => false,
): Steps<File> {
  if (listed.length === 0) return { kind: 'empty' };
  const highest = listed.reduce((max, { maxTXID }) => (maxTXID > max ? maxTXID : max), 0n);
  if (highest < txid) return { kind: 'older', highest };
  if (highest === txid) return { kind: 'current' };
  const sorted = listed
    .filter(({ minTXID, maxTXID }) => minTXID > 1n && maxTXID > txid)
    .filter((file) => file.sizeBytes >= HEADER_SIZE_BYTES && !isAvoided(file))
    .sort((a, b) => compare(a.minTXID, b.minTXID));
  const files: File[] = [];
  let reached = txid;
  let next = 0;
  while (reached < highest) {
    let best: File | undefined;
    for (let file = sorted[next]; file && file.minTXID <= reached + 1n; file = sorted[++next]) {
      best = longer(best, file);
    }
    if (best === undefined || best.maxTXID <= reached) {
      return { kind: 'gap', missing: reached + 1n, highest };
    }
    files.push(best);
    reached = best.maxTXID;
    // A file that was passed over reaches less far than `best`.
  }
  return { kind: 'files', files, highest };
}

/** The file that reaches further; if equal, the smaller one. */
function longer<File extends LTXFileInfo>(best: File | undefined, file: File): File {
  if (best === undefined || file.maxTXID > best.maxTXID) return file;
  return file.maxTXID === best.maxTXID && file.sizeBytes < best.sizeBytes ? file : best;
}
