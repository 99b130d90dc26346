/**
 * Decides which files of one destination are no longer needed. Pure: files and times in, names out.
 *
 * What is kept
 *   horizon H    the newest base that is older than retention + DELETE_GRACE_MS. Every state of the window can
 *                be restored from H or a later base, so files that end at H or before it go, except H.
 *   level 0      every state for `l0RetentionMs`, and for DELETE_GRACE_MS after a merged file covers it
 *   level 1      everything above H: it has the resolution of the whole window
 *   level 2..8   a file goes once level 1 alone has its states, and a larger merged file or a later base makes
 *                it useless for a fast restore of the newest state
 *   level 9      H and everything above it
 *   any level    its newest file, from which a replicator continues
 *
 * A file goes no earlier than DELETE_GRACE_MS after it stopped being needed, so that a restore which was
 * planned before that can end.
 *
 * Times are those of the server. The time of a file counts as at least that of every file that ends at its
 * TXID or before it, because it was not written before them: a clock that was behind cannot make it look old.
 */

import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { compare, floorOf, reachableTXIDs } from './chain.ts';
import { LEVEL_SNAPSHOT } from './levels.ts';
import { jumpsOf, objectionTo } from './retention-guard.ts';
import { DELETE_GRACE_MS, type RetentionInput } from './retention-policy.ts';

export interface RetentionDecision {
  /** In the order of deletion: if it stops anywhere, the history only begins later. */
  readonly deletes: readonly LTXFileInfo[];
  /** Files without which the others must not be deleted. */
  readonly reliesOn: readonly LTXFileInfo[];
  /** Before this time another decision about the same files has the same result; Infinity: at any time. */
  readonly dueAtMs: number;
  /** Why nothing may be deleted although the rules say so: a fault of Sluice. */
  readonly objection: string | undefined;
}

export function decideRetention(given: RetentionInput): RetentionDecision {
  // Sorted once: sorting it again, or a part of it, takes linear time.
  const input = { ...given, files: given.files.toSorted((a, b) => compare(a.maxTXID, b.maxTXID)) };
  const { nowMs, policy } = input;
  const files = new DatedFiles(input.files, nowMs);
  const horizon = horizonOf(files, nowMs - policy.retentionMs - DELETE_GRACE_MS);
  const isBelow = (file: LTXFileInfo): boolean =>
    horizon !== undefined && file.maxTXID <= horizon.maxTXID;
  const above = files.all.filter((file) => !isBelow(file) || file === horizon);
  const below = files.all.filter((file) => isBelow(file) && file !== horizon);
  const deletes = below.filter((file) => !files.isNewestOfLevel(file));
  const reliesOn = new Set<LTXFileInfo>(deletes.length > 0 && horizon ? [horizon] : []);
  for (const found of [
    ...coveredMerges(input, files, above),
    ...coveredLevel0(input, files, above),
  ]) {
    deletes.push(found.file);
    for (const file of found.by) reliesOn.add(file);
  }
  const ordered = deletes.sort(inOrderOfDeletion);
  const dueAtMs = dueAt(input, files, horizon);
  const objection = objectionTo(input, ordered);
  if (objection === undefined)
    return { deletes: ordered, reliesOn: [...reliesOn], dueAtMs, objection };
  return { deletes: [], reliesOn: [], dueAtMs, objection };
}

/** Files with their times. `files` are ascending by maxTXID. */
class DatedFiles {
  readonly all: readonly LTXFileInfo[];
  readonly #timeMs = new Map<LTXFileInfo, number>();
  readonly #newest = new Map<number, LTXFileInfo>();
  readonly #nowMs: number;

  constructor(files: readonly LTXFileInfo[], nowMs: number) {
    this.#nowMs = nowMs;
    this.all = files;
    for (const file of files) {
      const newest = this.#newest.get(file.level);
      if (newest === undefined || file.maxTXID >= newest.maxTXID)
        this.#newest.set(file.level, file);
    }
    let timeMs = -Infinity;
    for (let first = 0; first < this.all.length;) {
      const txid = this.all[first]?.maxTXID;
      let end = first;
      for (; this.all[end]?.maxTXID === txid && end < this.all.length; end += 1) {
        timeMs = Math.max(timeMs, (this.all[end] as LTXFileInfo).modifiedAt.getTime());
      }
      for (; first < end; first += 1) this.#timeMs.set(this.all[first] as LTXFileInfo, timeMs);
    }
  }

  /** When it was written, or later. */
  timeOf(file: LTXFileInfo): number {
    return this.#timeMs.get(file) ?? Infinity;
  }

  /** Whether it was written so long ago that every restore which runs now knows it. */
  isSettled(file: LTXFileInfo): boolean {
    return isUsable(file) && this.timeOf(file) + DELETE_GRACE_MS <= this.#nowMs;
  }

  /** The highest TXID that a merged file above a level ends with; 0n if there is none. */
  topAbove(level: number): bigint {
    let top = 0n;
    for (const file of this.#newest.values()) {
      if (isMerge(file) && file.level > level && file.maxTXID > top) top = file.maxTXID;
    }
    return top;
  }

  isNewestOfLevel(file: LTXFileInfo): boolean {
    return this.#newest.get(file.level)?.maxTXID === file.maxTXID;
  }
}

/** A file that may go, and the files that make it unnecessary. */
interface Covered {
  readonly file: LTXFileInfo;
  readonly by: readonly LTXFileInfo[];
}

/** A file that is too short for a header is not an LTX file. */
function isUsable({ sizeBytes }: LTXFileInfo): boolean {
  return sizeBytes >= HEADER_SIZE_BYTES;
}

function isBase(file: LTXFileInfo): boolean {
  return file.minTXID === 1n && isUsable(file);
}

function isMerge({ level }: LTXFileInfo): boolean {
  return level > 0 && level !== LEVEL_SNAPSHOT;
}

/** The base with the highest TXID that was written at `untilMs` or before, a snapshot if there is one. */
function horizonOf(files: DatedFiles, untilMs: number): LTXFileInfo | undefined {
  let horizon: LTXFileInfo | undefined;
  for (const file of files.all) {
    if (!isBase(file) || files.timeOf(file) > untilMs) continue;
    const isHigher = horizon === undefined || file.maxTXID > horizon.maxTXID;
    if (isHigher || file.level > (horizon?.level ?? 0)) horizon = file;
  }
  return horizon;
}

/** Files of level 2 to 8 that are no longer useful. `kept`: files at and above the horizon. */
function coveredMerges(
  { policy }: RetentionInput,
  files: DatedFiles,
  kept: readonly LTXFileInfo[],
): Covered[] {
  const candidates = kept.filter((file) => isMerge(file) && file.level > 1);
  const settled = kept.filter((file) => files.isSettled(file));
  const level1 = settled.filter(({ level }) => level === 1);
  const bases = settled.filter((file) => file.level === LEVEL_SNAPSHOT);
  const runs = new Coverage(level1);
  const newestBase = bases.at(-1);
  const levels = new Set(settled.filter(isMerge).map(({ level }) => level));
  const merges = [...levels].map((level) => ({
    level,
    files: new Coverage(settled.filter((file) => file.level === level)),
  }));
  return candidates.flatMap((file) => {
    if (files.isNewestOfLevel(file)) return [];
    const isInput = file.level < policy.topLevel && files.topAbove(file.level) < file.maxTXID;
    if (isInput) return []; // of a merge that is not made yet
    const parts = runs.partsOf(file);
    if (parts === undefined) return [];
    const replacing =
      newestBase !== undefined && newestBase.maxTXID >= file.maxTXID
        ? newestBase
        : merges
            .filter(({ level }) => level > file.level)
            .map(({ files: larger }) => larger.smallestAround(file))
            .find((found) => found !== undefined);
    return replacing === undefined ? [] : [{ file, by: [...parts, replacing] }];
  });
}

/** Files of level 0 that merged files have replaced: the oldest ones, up to the first that is needed. */
function coveredLevel0(
  { nowMs, policy }: RetentionInput,
  files: DatedFiles,
  kept: readonly LTXFileInfo[],
): Covered[] {
  const settled = kept.filter((file) => file.level > 0 && files.isSettled(file));
  const states = reachableTXIDs(settled);
  const isJump = jumpsOf(kept);
  const level1 = settled.filter(({ level }) => level === 1);
  const merges = new Coverage(level1.filter((file) => !isJump(file) && continues(file, states)));
  /** Level 1 continues after it. */
  const passed = level1.at(-1)?.maxTXID ?? 0n;
  const bases = new Map(settled.filter(isBase).map((file) => [file.maxTXID, file]));
  const limit = independentUpTo(kept, states);
  const level0 = kept.filter(({ level }) => level === 0);
  const isState = new Set(states);
  const isReached = (file: LTXFileInfo | undefined): boolean =>
    file === undefined || isState.has(file.maxTXID) || continues(file, states);
  const covered: Covered[] = [];
  /** Files since the last one that stays. The first file that stays after them must be reached without them. */
  let run: Covered[] = [];
  const endRunBefore = (file: LTXFileInfo | undefined): void => {
    for (let next = file; run.length > 0 && !isReached(next);) next = run.pop()?.file;
    covered.push(...run);
    run = [];
  };
  for (const file of level0) {
    const isOld = files.timeOf(file) + policy.l0RetentionMs <= nowMs;
    const by = merges.smallestAround(file) ?? replacement(file, bases, merges);
    const isNeeded = !isOld || files.isNewestOfLevel(file) || file.maxTXID > limit;
    if (by !== undefined && !isNeeded) {
      run.push({ file, by: [by] });
      continue;
    }
    endRunBefore(file);
    // Level 1 may still get these states. What it has passed without them is only here.
    if (isNeeded || file.maxTXID > passed) break;
  }
  endRunBefore(undefined);
  return covered;
}

/**
 * The state up to which no other file needs level 0. Some merged file may continue a state that only level 0
 * has; a chain to that file can begin at any of `states` before it.
 */
function independentUpTo(kept: readonly LTXFileInfo[], states: readonly TXID[]): bigint {
  const isState = new Set(states);
  const ends = new Set(kept.filter(({ level }) => level > 0).map(({ maxTXID }) => maxTXID));
  const needy = reachableTXIDs(kept.filter(isUsable)).find(
    (txid) => ends.has(txid) && !isState.has(txid),
  );
  return floorOf(states, needy ?? states.at(-1) ?? 0n) ?? 0n;
}

/** The base that replaces an image of level 0 that no merged file contains, because merges begin after it. */
function replacement(
  file: LTXFileInfo,
  bases: ReadonlyMap<TXID, LTXFileInfo>,
  merges: Coverage,
): LTXFileInfo | undefined {
  return merges.highest > file.maxTXID ? bases.get(file.maxTXID) : undefined;
}

/** Whether a restore of some state uses this file: it begins at one of `states`, or before it. */
function continues(file: LTXFileInfo, states: readonly TXID[]): boolean {
  const before = floorOf(states, file.maxTXID - 1n) ?? 0n;
  return before + 1n >= file.minTXID;
}

/** Files that cover ranges of TXIDs together. */
class Coverage {
  /** Ascending by maxTXID. */
  readonly #files: readonly LTXFileInfo[];

  constructor(files: readonly LTXFileInfo[]) {
    this.#files = [...files].sort((a, b) => compare(a.maxTXID, b.maxTXID));
  }

  get highest(): bigint {
    return this.#files.at(-1)?.maxTXID ?? 0n;
  }

  /** The file with the lowest maxTXID that contains all of `file`. */
  smallestAround(file: LTXFileInfo): LTXFileInfo | undefined {
    for (let index = this.#from(file.maxTXID); index < this.#files.length; index += 1) {
      const other = this.#files[index] as LTXFileInfo;
      if (other.minTXID <= file.minTXID) return other;
    }
    return undefined;
  }

  /** Files that cover all TXIDs of `file` without a gap, the last of which ends where it ends. */
  partsOf({ minTXID, maxTXID }: LTXFileInfo): LTXFileInfo[] | undefined {
    const parts: LTXFileInfo[] = [];
    let begin = maxTXID + 1n;
    for (let index = this.#from(maxTXID + 1n) - 1; index >= 0 && begin > minTXID; index -= 1) {
      const part = this.#files[index] as LTXFileInfo;
      if (part.maxTXID + 1n < begin) return undefined;
      if (part.minTXID >= begin) continue;
      parts.push(part);
      begin = part.minTXID;
    }
    return begin <= minTXID && parts[0]?.maxTXID === maxTXID ? parts : undefined;
  }

  /** Index of the first file that ends at `txid` or later. */
  #from(txid: bigint): number {
    let low = 0;
    let high = this.#files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#files[middle] as LTXFileInfo).maxTXID < txid) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The oldest first; of files that end together, the base first. */
function inOrderOfDeletion(a: LTXFileInfo, b: LTXFileInfo): number {
  return compare(a.maxTXID, b.maxTXID) || compare(a.minTXID, b.minTXID) || b.level - a.level;
}

/** When a file becomes old enough to change the decision. */
function dueAt(
  { nowMs, policy }: RetentionInput,
  files: DatedFiles,
  horizon: LTXFileInfo | undefined,
): number {
  let dueAtMs = Infinity;
  for (const file of files.all) {
    const timeMs = files.timeOf(file);
    const isNext = isBase(file) && file.maxTXID > (horizon?.maxTXID ?? 0n);
    const dues = [
      file.level === 0 ? timeMs + policy.l0RetentionMs : timeMs + DELETE_GRACE_MS,
      isNext ? timeMs + policy.retentionMs + DELETE_GRACE_MS : Infinity,
    ];
    for (const due of dues) if (due > nowMs && due < dueAtMs) dueAtMs = due;
  }
  return dueAtMs;
}
