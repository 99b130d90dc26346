/**
 * Splits a restore into windows, in database order. A window is a run of pages; the frames of these
 * pages are adjacent in each file, because a file's pages ascend. Pure.
 */

import type { PageMap } from './page-map.ts';

/** Of one thread: one is decoded while the other one is written. */
export const WINDOWS_AT_ONCE = 2;

/** Frames of one file: bytes `start` to `end` (exclusive), which hold `pages` pages. */
export interface Slice {
  /** Index of the file's map. */
  readonly file: number;
  readonly start: number;
  readonly end: number;
  readonly pages: number;
}

export interface Window {
  readonly firstPgno: number;
  readonly lastPgno: number;
  /** In the order of the maps: newest first. A file with no page in the window has no slice. */
  readonly slices: readonly Slice[];
}

/**
 * Every frame of every file is in exactly one slice. Windows cover all pages up to `commit`; after
 * it (the database has shrunk), only the pages that have frames.
 */
export function* windowsOf(
  maps: readonly PageMap[],
  commit: number,
  windowPages: number,
): Generator<Window, void> {
  const next = maps.map(() => 0);
  for (let firstPgno = 1; ; firstPgno += windowPages) {
    if (firstPgno > commit) {
      const nearest = nearestPgno(maps, next);
      if (nearest === undefined) return;
      firstPgno += Math.floor((nearest - firstPgno) / windowPages) * windowPages;
    }
    const lastPgno = firstPgno + windowPages - 1;
    const slices: Slice[] = [];
    for (const [file, { pgnos, offsets }] of maps.entries()) {
      const from = next[file] ?? 0;
      const to = firstAbove(pgnos, lastPgno, from);
      next[file] = to;
      const [start = 0, end = 0] = [offsets[from], offsets[to]];
      if (to > from) slices.push({ file, start, end, pages: to - from });
    }
    yield { firstPgno, lastPgno, slices };
  }
}

function nearestPgno(maps: readonly PageMap[], next: readonly number[]): number | undefined {
  const left = maps.flatMap(({ pgnos }, file) => pgnos[next[file] ?? 0] ?? []);
  return left.length === 0 ? undefined : Math.min(...left);
}

/** Index of the first number above `limit`, starting at `from`. */
function firstAbove(pgnos: Uint32Array, limit: number, from: number): number {
  let low = from;
  let high = pgnos.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((pgnos[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
