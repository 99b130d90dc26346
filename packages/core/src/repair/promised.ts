/**
 * The states that a destination promises to restore: those that its retention keeps, of everything that is known
 * of its history at any destination. Pure.
 *
 * Times of a copied file or bucket are new. So a state counts as no newer than any later file, at any
 * destination: a file that repair has copied does not become young again, and is not copied back to a
 * destination that has deleted it.
 *
 * A destination whose clock is behind makes nothing old. It shows a file from before its commit, which another
 * destination does not: then no file there is older than its own commit.
 */

import { compare } from '../history/chain.ts';
import type { RetentionPolicy } from '../history/retention-policy.ts';
import { decideRetention } from '../history/retention.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { nameOf } from './histories.ts';

/** A file that at least one destination has whole, with what is known of its lineage. */
export interface HistoryFile extends LTXFileInfo {
  /** undefined or 0n: unknown. */
  readonly lineage: bigint | undefined;
  /** The time of its last commit, by the clock of the writer, if that is known. */
  readonly committedMs?: number | undefined;
  readonly isFullImage: boolean;
}

/** Clocks that differ by less are not told apart. */
const CLOCK_MS = 3_600_000;
/** The latest date there is. A later file, or another destination, may know more. */
const UNKNOWN_MS = 8.64e15;

/** One file of each name, with the earliest time at which it can have been written. */
export function unionOf(listings: readonly (readonly HistoryFile[])[]): HistoryFile[] {
  const byName = new Map<string, HistoryFile>();
  for (const file of withSoundTimes(listings).flat()) {
    const key = nameOf(file);
    const known = byName.get(key);
    if (known === undefined) byName.set(key, file);
    else {
      const isEarlier = file.modifiedAt < known.modifiedAt;
      const lineage = known.lineage ?? file.lineage;
      const isFullImage = known.isFullImage || file.isFullImage;
      byName.set(key, { ...(isEarlier ? file : known), lineage, isFullImage });
    }
  }
  const sorted = [...byName.values()].sort((a, b) => compare(a.maxTXID, b.maxTXID));
  let earliestMs = Infinity;
  for (let index = sorted.length - 1; index >= 0; index -= 1) {
    const file = sorted[index] as HistoryFile;
    earliestMs = Math.min(earliestMs, file.modifiedAt.getTime());
    sorted[index] = { ...file, modifiedAt: new Date(earliestMs) };
  }
  return sorted;
}

function withSoundTimes(listings: readonly (readonly HistoryFile[])[]): (readonly HistoryFile[])[] {
  const latestMs = new Map<string, number>();
  for (const file of listings.flat()) {
    const key = nameOf(file);
    latestMs.set(key, Math.max(latestMs.get(key) ?? 0, file.modifiedAt.getTime()));
  }
  return listings.map((files) => {
    const isBehind = files.some((file) => {
      const leastMs = (file.committedMs ?? -Infinity) - CLOCK_MS;
      return file.modifiedAt.getTime() < leastMs && (latestMs.get(nameOf(file)) ?? 0) >= leastMs;
    });
    if (!isBehind) return files;
    return files.map((file) => {
      const leastMs = file.committedMs ?? UNKNOWN_MS;
      return { ...file, modifiedAt: new Date(Math.max(file.modifiedAt.getTime(), leastMs)) };
    });
  });
}

export interface Promised {
  /** The files that the retention keeps. */
  readonly kept: readonly HistoryFile[];
  /** Whether a state that can be restored from them is promised. */
  isPromised(txid: bigint): boolean;
}

/** `policy`: undefined if the destination keeps everything. `limit`: the last TXID that was sent there, if known. */
export function promisedOf(
  union: readonly HistoryFile[],
  policy: RetentionPolicy | undefined,
  nowMs: number,
  limit: bigint | undefined,
): Promised {
  const sent = union.filter(({ maxTXID }) => limit === undefined || maxTXID <= limit);
  if (policy === undefined) return { kept: sent, isPromised: () => true };
  const gone = new Set(decideRetention({ files: sent, nowMs, policy }).deletes);
  const kept = sent.filter((file) => !gone.has(file));
  const beginMs = nowMs - policy.retentionMs;
  // A state is current until the next one is written.
  const ends = [...new Map(kept.map((file) => [file.maxTXID, file.modifiedAt.getTime()]))];
  const next = ends.findIndex(([, timeMs], index) => index > 0 && timeMs > beginMs);
  const first = ends[(next < 0 ? ends.length : next) - 1]?.[0] ?? 0n;
  return { kept, isPromised: (txid) => txid >= first };
}
