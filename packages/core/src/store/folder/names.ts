/** The names of our own in a replica's folders. None is an LTX file's, and no named object may have one. */

import { randomUUID } from 'node:crypto';

import { MARKER_NAME } from './root.ts';

/** What our own temporary files end in. */
export const TEMP_SUFFIX = '.sluice-tmp';
/** What a file ends in that was moved aside while another takes its name. */
export const ASIDE_SUFFIX = '.sluice-aside';

/** Longer than any upload takes, and than clocks of a network file system differ. */
export const LEFTOVER_AGE_MS: number = 24 * 60 * 60 * 1000;

/** A name beside `path` that nobody else has. */
export function temporaryPath(path: string): string {
  return `${path}.${randomUUID()}${TEMP_SUFFIX}`;
}

/** Whether a name below a root is one that only we may give. */
export function isOwnName(name: string): boolean {
  return name === MARKER_NAME || name.endsWith(TEMP_SUFFIX) || name.endsWith(ASIDE_SUFFIX);
}

/** Rule 8: whether a temporary file of ours, last written at that time, was left behind. */
export function isLeftover(name: string, writtenAtMs: number, nowMs: number): boolean {
  return name.endsWith(TEMP_SUFFIX) && nowMs - writtenAtMs >= LEFTOVER_AGE_MS;
}
