/** Names in a replica's folders that only Sluice gives. No LTX file and no named object has one. */

import { randomUUID } from 'node:crypto';

/** Ignored by Litestream, which looks into `ltx/` only. */
export const MARKER_NAME = '.sluice-root';
/** The ending of our temporary files. */
export const TEMP_SUFFIX = '.sluice-tmp';
/** The ending of a file that was moved aside while another takes its name. */
export const REPLACED_SUFFIX = '.sluice-aside';

/** Longer than any upload takes, and than clocks of a network file system differ. */
export const LEFTOVER_AGE_MS: number = 24 * 60 * 60 * 1000;

/** A name beside `path` that nobody else has. */
export function temporaryPath(path: string): string {
  return `${path}.${randomUUID()}${TEMP_SUFFIX}`;
}

/** Whether the last part of a path is such a name. */
export function isOwnName(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name === MARKER_NAME || name.endsWith(TEMP_SUFFIX) || name.endsWith(REPLACED_SUFFIX);
}

/** Whether a temporary file of ours, last written at that time, was left behind. */
export function isLeftover(name: string, writtenAtMs: number, nowMs: number): boolean {
  return name.endsWith(TEMP_SUFFIX) && nowMs - writtenAtMs >= LEFTOVER_AGE_MS;
}
