/**
 * Checks a deletion before it happens. Pure, and it shares no rule with the decision that it checks
 * (retention.ts): it compares what can be restored before and after.
 *
 *  1. every file to delete is known, and none is the newest of its level;
 *  2. the newest state can still be restored, by the same TXID;
 *  3. every state that was current within the retention, or within DELETE_GRACE_MS before it, can still be
 *     restored. A state that only level 0 has may be given up inside a file of level 1, if it is older than the
 *     retention of level 0 and that file was written DELETE_GRACE_MS ago, can be used and stays;
 *  4. no gap appears between these states.
 */

import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { formatTXID, toTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { compare, floorOf, reachableTXIDs } from './chain.ts';
import { LEVEL_SNAPSHOT } from './levels.ts';
import { DELETE_GRACE_MS, type RetentionInput } from './retention-policy.ts';

/** Why `deletes` must not be deleted; undefined if they may be. */
export function objectionTo(
  input: RetentionInput,
  deletes: readonly LTXFileInfo[],
): string | undefined {
  if (deletes.length === 0) return undefined;
  const gone = new Set(deletes);
  const known = new Set(input.files);
  const unknown = deletes.find((file) => !known.has(file));
  if (unknown !== undefined) return `${describe(unknown)} is not known`;
  const kept = input.files.filter((file) => !gone.has(file));
  return topObjection(input.files, kept) ?? new Comparison(input, kept).objection();
}

function topObjection(
  before: readonly LTXFileInfo[],
  after: readonly LTXFileInfo[],
): string | undefined {
  const tops = topsOf(after);
  for (const [level, top] of topsOf(before)) {
    if (tops.get(level) !== top)
      return `it is the newest of level ${level}: ${level}/…-${name(top)}`;
  }
  return undefined;
}

function topsOf(files: readonly LTXFileInfo[]): Map<number, bigint> {
  const tops = new Map<number, bigint>();
  for (const { level, maxTXID } of files) {
    if (maxTXID > (tops.get(level) ?? 0n)) tops.set(level, maxTXID);
  }
  return tops;
}

/** The states before and after a deletion. */
class Comparison {
  readonly #input: RetentionInput;
  readonly #before: readonly LTXFileInfo[];
  readonly #after: readonly LTXFileInfo[];
  /** Reachable states, ascending. */
  readonly #states: readonly TXID[];
  readonly #left: readonly TXID[];
  /** For each state the earliest time at which it can have been written, in the order of `#states`. */
  readonly #writtenMs: readonly number[];
  /** States that a file above level 0 ends with. */
  readonly #merged: ReadonlySet<bigint>;

  constructor(input: RetentionInput, kept: readonly LTXFileInfo[]) {
    const isUsable = ({ sizeBytes }: LTXFileInfo): boolean => sizeBytes >= HEADER_SIZE_BYTES;
    this.#input = input;
    this.#before = input.files.filter(isUsable);
    this.#after = kept.filter(isUsable);
    this.#states = reachableTXIDs(this.#before);
    this.#left = reachableTXIDs(this.#after);
    this.#merged = new Set(
      this.#before.filter(({ level }) => level > 0).map(({ maxTXID }) => maxTXID),
    );
    this.#writtenMs = latestUpTo(input.files, this.#states);
  }

  objection(): string | undefined {
    const newest = this.#states.at(-1);
    if (newest !== this.#left.at(-1))
      return `the newest state ${name(newest)} could not be restored`;
    const first = this.#firstPromised();
    const lost = this.#lostSince(first);
    if (lost !== undefined) return `the state ${name(lost)} could not be restored`;
    const gap = this.#newGapAfter(this.#states[first] ?? 0n);
    return gap === undefined ? undefined : `a gap would appear after ${name(gap)}`;
  }

  /**
   * Index of the state that was current when the window began; if it goes, of the one before it that a merged
   * file ends with.
   */
  #firstPromised(): number {
    const { nowMs, policy } = this.#input;
    const beginMs = nowMs - policy.retentionMs - DELETE_GRACE_MS;
    // A state is current until the next one is written.
    const next = this.#writtenMs.findIndex((timeMs, index) => index > 0 && timeMs > beginMs);
    const current = next < 0 ? this.#states.length - 1 : next - 1;
    const left = new Set(this.#left);
    const promised = this.#states.findLastIndex(
      (txid, index) => index <= current && (left.has(txid) || this.#merged.has(txid)),
    );
    return Math.max(0, promised);
  }

  #lostSince(first: number): TXID | undefined {
    const left = new Set(this.#left);
    const { nowMs, policy } = this.#input;
    const covers = this.#covers();
    let next = 0;
    let furthest = 0n;
    for (let index = first; index < this.#states.length; index += 1) {
      const txid = this.#states[index] as TXID;
      if (left.has(txid)) continue;
      for (; next < covers.length && (covers[next] as LTXFileInfo).minTXID <= txid; next += 1) {
        const { maxTXID } = covers[next] as LTXFileInfo;
        if (maxTXID > furthest) furthest = maxTXID;
      }
      const isOld = (this.#writtenMs[index] ?? Infinity) + policy.l0RetentionMs <= nowMs;
      if (this.#merged.has(txid) || furthest < txid || !isOld) return txid;
    }
    return undefined;
  }

  /** Files of level 1 that stay, were written long ago, and can be used; by minTXID. */
  #covers(): LTXFileInfo[] {
    const { nowMs, files } = this.#input;
    const isJump = jumpsOf(this.#input.files);
    const merges = this.#after.filter((file) => file.level === 1 && !isJump(file));
    const ends = [...new Set(merges.map(({ maxTXID }) => maxTXID))].sort((a, b) =>
      a < b ? -1 : 1,
    );
    const times = latestUpTo(files, ends);
    const timeOf = new Map(ends.map((end, index) => [end, times[index] ?? Infinity]));
    return merges
      .filter(({ minTXID, maxTXID }) => {
        const before = floorOf(this.#left, maxTXID - 1n) ?? 0n;
        const isUsed = before >= minTXID - 1n;
        return isUsed && (timeOf.get(maxTXID) ?? Infinity) + DELETE_GRACE_MS <= nowMs;
      })
      .sort((a, b) => compare(a.minTXID, b.minTXID));
  }

  /** The state before a gap that the files had covered. */
  #newGapAfter(first: bigint): TXID | undefined {
    const covered = coverage(this.#before);
    const stillCovered = coverage(this.#after);
    return this.#left.find((txid, index) => {
      const next = this.#left[index + 1];
      if (txid < first || next === undefined || next === txid + 1n) return false;
      return covered(txid) && !stillCovered(txid);
    });
  }
}

/**
 * Whether a file of a merged level is a full snapshot that leads the level over everything that was not merged
 * before it. It has the bytes of the snapshot at level 9, under other TXIDs; that one may have been cut short. The states inside it were given up
 * by nobody, so it does not replace them.
 */
export function jumpsOf(files: readonly LTXFileInfo[]): (file: LTXFileInfo) => boolean {
  const sizes = new Map<bigint, number>();
  for (const { level, maxTXID, sizeBytes } of files) {
    if (level === LEVEL_SNAPSHOT) sizes.set(maxTXID, sizeBytes);
  }
  return ({ level, minTXID, maxTXID, sizeBytes }) =>
    level > 0 &&
    level < LEVEL_SNAPSHOT &&
    minTXID < maxTXID &&
    (sizes.get(maxTXID) ?? Infinity) <= sizeBytes;
}

/** For each of the ascending `txids` the latest time of a file that ends there or before. */
function latestUpTo(files: readonly LTXFileInfo[], txids: readonly bigint[]): number[] {
  const sorted = files.toSorted((a, b) => compare(a.maxTXID, b.maxTXID));
  let next = 0;
  let latestMs = -Infinity;
  return txids.map((txid) => {
    for (; next < sorted.length && (sorted[next] as LTXFileInfo).maxTXID <= txid; next += 1) {
      latestMs = Math.max(latestMs, (sorted[next] as LTXFileInfo).modifiedAt.getTime());
    }
    return latestMs;
  });
}

/** Returns a function that tells whether a file below level 9 continues a state. Call it with ascending states. */
function coverage(files: readonly LTXFileInfo[]): (txid: bigint) => boolean {
  const steps = files
    .filter(({ level }) => level !== LEVEL_SNAPSHOT)
    .toSorted((a, b) => compare(a.minTXID, b.minTXID));
  let next = 0;
  let furthest = 0n;
  return (txid) => {
    for (; next < steps.length && (steps[next] as LTXFileInfo).minTXID <= txid + 1n; next += 1) {
      const { maxTXID } = steps[next] as LTXFileInfo;
      if (maxTXID > furthest) furthest = maxTXID;
    }
    return furthest > txid;
  };
}

function describe({ level, minTXID, maxTXID }: LTXFileInfo): string {
  return `${level}/${formatTXID(minTXID)}-${formatTXID(maxTXID)}`;
}

function name(txid: bigint | undefined): string {
  return txid === undefined ? 'none' : formatTXID(toTXID(txid));
}
