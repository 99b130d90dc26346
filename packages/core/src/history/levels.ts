/**
 * Levels of files. Level 0 has one file for each sync, levels 1 to 8 have merged files, level 9 has full
 * snapshots. A file of level n contains what the files of level n - 1 with the same TXIDs contain, so each
 * level alone leads from one full snapshot to the newest merged state, in larger steps.
 */

/** A level of merged files. */
export interface MergeLevel {
  /** 1 to LEVELS_MAX, without gaps. */
  readonly level: number;
  /** Each file covers at most this much time, aligned to multiples of it. In milliseconds. */
  readonly intervalMs: number;
}

/** The level of full snapshots. The header of a snapshot has the time at which it was taken. */
export const LEVEL_SNAPSHOT = 9;

/** Number of levels between level 0 and the snapshots, as in Litestream. */
export const LEVELS_MAX = 8;

/** Litestream's defaults: 30 s, 5 min and 1 h. */
export const DEFAULT_LEVELS: readonly MergeLevel[] = toLevels([30_000, 300_000, 3_600_000]);

/** Levels 1, 2, 3… with these intervals. */
export function toLevels(intervalsMs: readonly number[]): MergeLevel[] {
  return intervalsMs.map((intervalMs, index) => ({ level: index + 1, intervalMs }));
}
