/**
 * Chooses the files whose headers a search for a time reads next. Pure.
 *
 * Upload times come with the listing. They only say where to look first: in a copied bucket they are
 * wrong, and even a right one is a little later than the commit. The first round also reads headers
 * all over the history, because a clock that was wrong for a while shows only there. With 7,000 files
 * a search takes one round and 16 headers if upload times are right, and else five rounds and 32.
 */

import type { LTXFileInfo } from '../../replica/replica.ts';

/** A history with so few files is read at once. */
const ALL_MAX = 24;
/** Headers of the first round, evenly spread. */
const SPREAD_FIRST = 12;
/** Headers of each later round, which narrows the search 5-fold. */
const SPREAD_LATER = 4;
/**
 * Headers around the place that upload times suggest. A commit is uploaded within a second, and
 * some servers leave out fractions of seconds.
 */
const NEAR: readonly number[] = [-1, 0, 1, 2];

/** `unknown`: ascending indexes of `files` that may hold the answer; not empty. */
export function firstProbes(
  files: readonly LTXFileInfo[],
  unknown: readonly number[],
  at: Date,
): readonly number[] {
  if (unknown.length <= ALL_MAX) return unknown;
  const place = unknown.findLastIndex((index) => {
    const file = files[index];
    return file !== undefined && (file.createdAt ?? file.modifiedAt) <= at;
  });
  const near = NEAR.flatMap((step) => unknown[place + step] ?? []);
  return [...new Set([...near, ...spread(unknown, SPREAD_FIRST)])].sort((a, b) => a - b);
}

export function laterProbes(unknown: readonly number[]): readonly number[] {
  return spread(unknown, SPREAD_LATER);
}

/** Up to `count` of the indexes. */
function spread(indexes: readonly number[], count: number): readonly number[] {
  if (indexes.length <= count) return indexes;
  const step = (indexes.length + 1) / (count + 1);
  return Array.from({ length: count }, (_, i) => indexes[Math.round(step * (i + 1)) - 1] as number);
}
