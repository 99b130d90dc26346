/** Names in a replica's folders that are reserved for Sluice. No LTX file or named object has one. */

import { randomUUID } from 'node:crypto';

/** Litestream ignores it, because it only reads `ltx/`. */
export const MARKER_NAME = '.sluice-root';
/** Suffix of temporary files. */
export const TEMP_SUFFIX = '.sluice-tmp';
/** Suffix of an old file that was renamed while a new file takes its name. */
export const REPLACED_SUFFIX = '.sluice-aside';

/** Longer than any upload, and longer than the clocks of a network file system differ. */
export const LEFTOVER_AGE_MS: number = 24 * 60 * 60 * 1000;

/** A unique name in the folder of `path`. */
export function temporaryPath(path: string): string {
  return `${path}.${randomUUID()}${TEMP_SUFFIX}`;
}

/** Whether the last part of a path is a reserved name. */
export function isReservedName(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name === MARKER_NAME || name.endsWith(TEMP_SUFFIX) || name.endsWith(REPLACED_SUFFIX);
}

/** Whether this is an abandoned temporary file: its last write is at least LEFTOVER_AGE_MS ago. */
export function isLeftover(name: string, writtenAtMs: number, nowMs: number): boolean {
  return name.endsWith(TEMP_SUFFIX) && nowMs - writtenAtMs >= LEFTOVER_AGE_MS;
}
