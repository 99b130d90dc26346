/**
 * Chooses the merged files that a destination gets. Pure.
 *
 * A level must have no hole. A hole is harmless only where a higher level covers it: Litestream merges
 * the files of level n that come after the newest file of level n + 1. So a destination takes a file of level
 * n if and only if
 *  - it belongs to the lineage of the destination's newest file, and ends after the full snapshot with which
 *    this lineage began there. Another destination may have got the lineage from an earlier TXID on;
 *  - it ends after the newest file of level n; and
 *  - it begins at most one TXID after the newest file of level n or higher.
 *
 * If level n and those above are empty, it may begin with a file
 *  - that begins at most one TXID after a full snapshot, from which a restore can begin; and
 *  - after which the level below has no hole.
 *
 * A level that lost files can only continue after the next full snapshot (`stuckLevels`).
 */

import { LEVEL_SNAPSHOT, LEVELS_MAX } from '../../history/levels.ts';
import type { FileSet, SortedFiles } from '../../replica/file-set.ts';
import type { StagedMerge } from './merge-files.ts';

/** A destination, as far as its levels are concerned. */
export interface LevelsView {
  readonly files: FileSet;
  /** The highest TXID there. */
  readonly highest: bigint;
  /** Lineage of its newest file. */
  readonly lineage: bigint;
  /** TXID of the full snapshot with which this lineage began there. */
  readonly since: bigint;
}

/** Files to send, in order. */
export interface MergesPlan {
  readonly files: readonly StagedMerge[];
  /** The highest TXID there after all of them are sent. */
  readonly reached: bigint;
}

/**
 * All files that it lacks, lower levels first: it has the level-0 files already, or gets them too. A file that a
 * higher level there covers already is left out: it was down, and has caught up.
 */
export function planAll(view: LevelsView, staged: readonly StagedMerge[]): MergesPlan {
  return plan(view, [...staged].sort(byLevel), isUncoveredOrNewest(staged));
}

/**
 * As few files as possible, higher levels first: a file is left out if a higher level covers it. The newest
 * file of each level is sent in any case, so that Litestream's own merges continue after it.
 */
export function planCatchUp(view: LevelsView, staged: readonly StagedMerge[]): MergesPlan {
  const sorted = [...staged].sort((a, b) => b.level - a.level || byTXID(a, b));
  return plan(view, sorted, isUncoveredOrNewest(staged));
}

function isUncoveredOrNewest(
  staged: readonly StagedMerge[],
): (file: StagedMerge, tops: Tops) => boolean {
  const newest = new Map([...staged].sort(byTXID).map((file) => [file.level, file]));
  return (file, tops) =>
    file.maxTXID > tops.from(file.level + 1) || newest.get(file.level) === file;
}

/**
 * Levels in use there that cannot take the staged files, because files in between are missing. A
 * file from their top to the TXID of a full snapshot repairs them.
 */
export function stuckLevels(view: LevelsView, staged: readonly StagedMerge[]): number[] {
  const wanted = new Set(planAll(view, staged).files.map(({ level }) => level));
  const levels = staged
    .filter(({ level, maxTXID, lineage }) => {
      const top = view.files.topOf(level);
      return top > 0n && maxTXID > top && lineage === view.lineage && !wanted.has(level);
    })
    .map(({ level }) => level);
  return [...new Set(levels)];
}

function plan(
  view: LevelsView,
  sorted: readonly StagedMerge[],
  isWanted: (file: StagedMerge, tops: Tops) => boolean,
): MergesPlan {
  const tops = new Tops(view.files);
  const files: StagedMerge[] = [];
  let reached = view.highest;
  for (const file of sorted) {
    const fits = file.lineage === view.lineage && file.maxTXID > view.since;
    if (!fits || !tops.accepts(file) || !isWanted(file, tops)) continue;
    files.push(file);
    tops.raise(file);
    if (file.maxTXID > reached) reached = file.maxTXID;
  }
  return { files, reached };
}

/** The highest TXIDs of levels 1 to 8 while files are added. */
class Tops {
  readonly #tops = new Map<number, bigint>();
  readonly #base: bigint;
  readonly #files: FileSet;
  /** Where the newest files without a hole begin, of the levels for which that was needed. */
  readonly #begins = new Map<number, bigint>();

  constructor(files: FileSet) {
    this.#files = files;
    for (let level = 1; level <= LEVELS_MAX; level++) this.#tops.set(level, files.topOf(level));
    this.#base = baseOf(files);
  }

  /** The highest TXID of `level` and the levels above; 0n if they are empty. */
  from(level: number): bigint {
    let highest = 0n;
    for (const [each, top] of this.#tops) if (each >= level && top > highest) highest = top;
    return highest;
  }

  accepts({ level, minTXID, maxTXID }: StagedMerge): boolean {
    const covered = this.from(level);
    if (covered === 0n) return this.#mayBegin(level, minTXID, maxTXID);
    return maxTXID > (this.#tops.get(level) ?? 0n) && minTXID <= covered + 1n;
  }

  raise({ level, minTXID, maxTXID }: StagedMerge): void {
    if (this.#tops.get(level) === 0n) this.#begins.set(level, minTXID);
    this.#tops.set(level, maxTXID);
  }

  /** Whether an empty level may begin with a file. */
  #mayBegin(level: number, minTXID: bigint, maxTXID: bigint): boolean {
    if (this.#base === 0n || minTXID > this.#base + 1n) return false;
    const below = this.#beginBelow(level);
    return below === undefined ? maxTXID > this.#base : maxTXID + 1n >= below;
  }

  /** The first TXID of the newest files without a hole of the next level below that has files. */
  #beginBelow(level: number): bigint | undefined {
    for (let each = level - 1; each >= 0; each--) {
      const known = this.#begins.get(each);
      if (known !== undefined) return known;
      const files = this.#files.levels.find((found) => found.level === each);
      if (files === undefined) continue;
      const begin = beginOfNewest(files);
      this.#begins.set(each, begin);
      return begin;
    }
    return undefined;
  }
}

function beginOfNewest(files: SortedFiles): bigint {
  let first = files.length - 1;
  while (first > 0 && files.maxTXID(first - 1) + 1n >= files.minTXID(first)) first -= 1;
  return files.minTXID(first);
}

/** The newest TXID that one file there restores: of a snapshot, or of the first image if there is none. */
function baseOf(files: FileSet): bigint {
  const snapshot = files.topOf(LEVEL_SNAPSHOT);
  if (snapshot > 0n) return snapshot;
  const level0 = files.levels.find(({ level }) => level === 0);
  return level0?.minTXID(0) === 1n ? level0.maxTXID(0) : 0n;
}

function byLevel(a: StagedMerge, b: StagedMerge): number {
  return a.level - b.level || byTXID(a, b);
}

function byTXID(a: StagedMerge, b: StagedMerge): number {
  return a.maxTXID < b.maxTXID ? -1 : a.maxTXID > b.maxTXID ? 1 : 0;
}
