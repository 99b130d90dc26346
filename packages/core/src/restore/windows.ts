/**
 * A restore in the order of the database: a window is a run of its pages, and for each file the
 * frames of these pages lie side by side, because a file's pages ascend. Pure.
 */

import type { PageMap } from './page-map.ts';

/** Frames of one file: bytes `start` up to but not `end` of it, which hold `pages` pages. */
export interface Slice {
  /** Which of the maps. */
  readonly file: number;
  readonly start: number;
  readonly end: number;
  readonly pages: number;
}

export interface Window {
  readonly firstPgno: number;
  readonly lastPgno: number;
  /** In the order of the maps: newest first. A file without a page in the window has none. */
  readonly slices: readonly Slice[];
}

/**
 * Every frame of every file is in exactly one slice. Windows cover all pages up to `commit`; beyond
 * it, where a database has shrunk, only what there are frames for.
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

/** Index of the first number above `limit`, from `from` on. */
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
