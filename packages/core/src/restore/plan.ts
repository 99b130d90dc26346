/**
 * Which files to read, and in which order, so that they are the database at a TXID. Pure.
 *
 * A plan begins with a file whose min TXID is 1 (it holds every page) and goes on with files of any
 * level that each reach further: `next.minTXID <= reached + 1` and `next.maxTXID > reached`. What a
 * file can follow only grows with what is reached, so taking the furthest reaching file each time
 * reaches as far as any choice does. Newer bases are tried first: they leave less to read.
 */

import { ReplicationError } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/client.ts';

export type PlanTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'txid'; readonly txid: TXID };

export interface RestorePlan {
  /** Old to new; the first holds every page. */
  readonly files: readonly LTXFileInfo[];
  readonly txid: TXID;
  readonly sizeBytes: number;
}

/**
 * The plan for `target` over one listing of all levels. RESTORE_NO_SNAPSHOT where nothing holds
 * every page, RESTORE_GAP where files are missing in between, RESTORE_OUT_OF_RANGE for a TXID that
 * was never, or is no longer, a state that these files have.
 */
export function planRestore(listed: readonly LTXFileInfo[], target: PlanTarget): RestorePlan {
  const files = listed.filter((file) => file.sizeBytes >= HEADER_SIZE_BYTES); // less is no LTX file
  if (files.length === 0) {
    throw new ReplicationError('RESTORE_NO_SNAPSHOT', 'there is no backup: no LTX file is listed');
  }
  const highest = files.reduce((top, file) => (file.maxTXID > top ? file.maxTXID : top), 0n);
  const goal = target.kind === 'txid' ? target.txid : (highest as TXID);
  if (goal > highest) {
    throw new ReplicationError(
      'RESTORE_OUT_OF_RANGE',
      `TXID ${formatTXID(goal)} is not there: the newest is ${formatTXID(highest)}`,
    );
  }
  const usable = files.filter((file) => file.maxTXID <= goal);
  const bases = usable.filter((file) => file.minTXID === 1n).sort(byReach);
  let furthest: Chain | undefined;
  for (const base of bases) {
    const chain = extend(base, usable, goal);
    if (chain.reached === goal) return toPlan(chain.files, goal);
    if (furthest === undefined || chain.reached > furthest.reached) furthest = chain;
  }
  throw whyNot(files, goal, furthest, target);
}

interface Chain {
  readonly files: readonly LTXFileInfo[];
  readonly reached: bigint;
}

function extend(base: LTXFileInfo, usable: readonly LTXFileInfo[], goal: bigint): Chain {
  const waiting = usable
    .filter((file) => file.maxTXID > base.maxTXID)
    .sort((a, b) => compare(a.minTXID, b.minTXID));
  const files = [base];
  let reached: bigint = base.maxTXID;
  let at = 0;
  let best: LTXFileInfo | undefined;
  while (reached < goal) {
    for (; at < waiting.length; at++) {
      const file = waiting[at];
      if (file === undefined || file.minTXID > reached + 1n) break;
      if (best === undefined || byReach(file, best) < 0) best = file;
    }
    if (best === undefined || best.maxTXID <= reached) break;
    files.push(best);
    reached = best.maxTXID;
  }
  return { files, reached };
}

/** Furthest first; of equal reach the smaller file. */
function byReach(a: LTXFileInfo, b: LTXFileInfo): number {
  return compare(b.maxTXID, a.maxTXID) || a.sizeBytes - b.sizeBytes || b.level - a.level;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function toPlan(files: readonly LTXFileInfo[], txid: TXID): RestorePlan {
  return { files, txid, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
}

function whyNot(
  files: readonly LTXFileInfo[],
  goal: TXID,
  furthest: Chain | undefined,
  target: PlanTarget,
): ReplicationError {
  if (furthest === undefined) {
    const first = files
      .filter((file) => file.minTXID === 1n)
      .sort(byReach)
      .at(-1);
    const hint =
      first === undefined
        ? 'no file there holds every page'
        : `the oldest that holds every page is ${formatTXID(first.maxTXID)}`;
    return new ReplicationError(
      'RESTORE_NO_SNAPSHOT',
      `TXID ${formatTXID(goal)} has no snapshot to begin with: ${hint}`,
    );
  }
  const { reached } = furthest;
  const next = files
    .filter((file) => file.minTXID > reached + 1n)
    .sort((a, b) => compare(a.minTXID, b.minTXID))[0];
  const inside = files.some((file) => file.minTXID <= reached + 1n && file.maxTXID > goal);
  if (target.kind === 'txid' && inside) {
    const above = files
      .filter((file) => file.minTXID <= reached + 1n && file.maxTXID > goal)
      .sort((a, b) => compare(a.maxTXID, b.maxTXID))[0];
    return new ReplicationError(
      'RESTORE_OUT_OF_RANGE',
      `TXID ${formatTXID(goal)} was merged into a larger file; the nearest that can be restored are ` +
        `${formatTXID(reached)} and ${formatTXID(above?.maxTXID ?? goal)}`,
    );
  }
  const missingTo = next === undefined ? goal : next.minTXID - 1n;
  const before = furthest.files.at(-1);
  return new ReplicationError(
    'RESTORE_GAP',
    `TXIDs ${formatTXID(reached + 1n)} to ${formatTXID(missingTo)} are missing, ` +
      `after ${before === undefined ? 'the start' : describe(before)}` +
      `${next === undefined ? '' : ` and before ${describe(next)}`}; ` +
      `restore to TXID ${formatTXID(reached)} instead, or from another destination`,
  );
}

function describe(file: LTXFileInfo): string {
  return `level ${file.level} ${formatFilename(file.minTXID, file.maxTXID)}`;
}
