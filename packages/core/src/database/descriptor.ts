/**
 * One descriptor for each database file, for the life of the process: POSIX locks belong to the
 * process, and closing any descriptor of a file drops all that it holds there (hazards E-1).
 */

import fs from 'node:fs';

const descriptors = new Map<string, number>();

/** A descriptor for reading `path` by position. Never close it. */
export function descriptorOf(path: string): number {
  const stat = fs.statSync(path);
  const key = `${stat.dev}:${stat.ino}`;
  const known = descriptors.get(key);
  if (known !== undefined) return known;
  const descriptor = fs.openSync(path, 'r');
  descriptors.set(key, descriptor);
  return descriptor;
}
