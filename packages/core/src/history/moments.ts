/**
 * What can be restored from the files of one destination: states, gaps, and which files have their
 * times. Pure: it reads a listing, not files.
 *
 * Between two neighboring states `a` and `b` lies
 *  - nothing, if b = a + 1;
 *  - one merged file, if a file below level 9 covers a + 1: that file then reaches to `b` or beyond
 *    (see chain.ts), and the states inside it are given up on purpose;
 *  - a *gap* in all other cases: files are missing, and only a later snapshot makes `b` a state.
 *
 * The state as of a time inside a gap is unknown. The state as of a time inside a merged file is `a`.
 */

import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { compare } from './chain.ts';

/** The level of snapshots. The header of a snapshot has the time at which it was taken. */
export const LEVEL_SNAPSHOT = 9;

/** A TXID that a file ends with, and the file that has its time. */
export interface TimedState<File extends LTXFileInfo = LTXFileInfo> {
  readonly txid: TXID;
  readonly file: File;
}

/**
 * The wanted TXIDs with the files that have their times, ascending. Files of all levels have the same
 * time for a TXID. The lowest level was written first, so it is the most reliable.
 */
export function timedStates<File extends LTXFileInfo>(
  files: readonly File[],
  wanted: ReadonlySet<TXID>,
): TimedState<File>[] {
  const byTXID = new Map<TXID, File>();
  for (const file of files) {
    if (!wanted.has(file.maxTXID)) continue;
    const other = byTXID.get(file.maxTXID);
    if (other === undefined || file.level < other.level) byTXID.set(file.maxTXID, file);
  }
  return [...byTXID]
    .map(([txid, file]) => ({ txid, file }))
    .sort((a, b) => compare(a.txid, b.txid));
}

/** Whether files are missing between the state `a` and the next known TXID `b`. */
export function isGap(files: readonly LTXFileInfo[], a: TXID, b: TXID): boolean {
  if (b <= a + 1n) return false;
  return !files.some(
    ({ level, minTXID, maxTXID }) => level !== LEVEL_SNAPSHOT && minTXID <= a + 1n && maxTXID > a,
  );
}
