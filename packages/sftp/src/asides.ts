/**
 * Where a server cannot replace a file in one step, the old one is moved aside first: `F` becomes
 * `F.sluice-aside`, with the server's time as its atime. Until another has its name, the aside is the
 * file: readers read it under the name it had. What a crash has left is mended by rule 8: moved back
 * when the name has been missing for ten minutes; removed, like all that is ours, when it is a day
 * old and not needed. Pure.
 */

import {
  REPLACED_SUFFIX,
  isLeftover,
  LEFTOVER_AGE_MS,
  TEMP_SUFFIX,
} from '@sluice/core/backend/folder';

import type { Entry } from './channel.ts';

/** A replacement takes seconds; whoever needs longer has died. */
const MISSING_MS_MAX = 10 * 60 * 1000;

export function asideOf(path: string): string {
  return path + REPLACED_SUFFIX;
}

/** The name that an aside had. */
function originalOf(name: string): string | undefined {
  return name.endsWith(REPLACED_SUFFIX) ? name.slice(0, -REPLACED_SUFFIX.length) : undefined;
}

/** What lies in a folder; for a name whose file is missing, the one that was moved aside from it. */
export function withAsides(entries: readonly Entry[]): readonly Entry[] {
  const missing = entries.flatMap((entry) => {
    const name = originalOf(entry.name);
    return name === undefined ? [] : [{ ...entry, name }];
  });
  if (missing.length === 0) return entries;
  const names = new Set(entries.map(({ name }) => name));
  return [...entries, ...missing.filter(({ name }) => !names.has(name))];
}

/** Whether there is anything that may have to be mended: only then is the server's clock asked. */
export function mayNeedMending(entries: readonly Entry[]): boolean {
  return entries.some(({ name }) => name.endsWith(REPLACED_SUFFIX) || name.endsWith(TEMP_SUFFIX));
}

export interface Mending {
  readonly remove: readonly string[];
  readonly moveBack: readonly { readonly from: string; readonly to: string }[];
}

export function planMending(entries: readonly Entry[], nowMs: number): Mending {
  const names = new Set(entries.map(({ name }) => name));
  const missing = (name: string): boolean => !names.has(originalOf(name) ?? name);
  // The mtime of a temporary file may be that of its transaction already; its atime is then the upload's.
  const isOld = ({ name, modifiedMs, accessedMs }: Entry): boolean =>
    originalOf(name) === undefined
      ? isLeftover(name, Math.max(modifiedMs, accessedMs), nowMs)
      : !missing(name) && nowMs - accessedMs >= LEFTOVER_AGE_MS;
  return {
    remove: entries.filter(isOld).map(({ name }) => name),
    moveBack: entries.flatMap(({ name, accessedMs }) => {
      const to = originalOf(name);
      const isDue = to !== undefined && missing(name) && nowMs - accessedMs >= MISSING_MS_MAX;
      return isDue ? [{ from: name, to }] : [];
    }),
  };
}
