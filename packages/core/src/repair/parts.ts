/** Which files a run reads whole: all of them, or the n-th of t parts. Pure. */

import type { LTXFileRef } from '../store/layout.ts';
import { nameOf } from './histories.ts';

/** Part `number` of `count`, from 1. */
export interface Part {
  readonly number: number;
  readonly count: number;
}

/** A file is in exactly one part, by its name, whatever else is there. */
export function isInPart(file: LTXFileRef, { number, count }: Part): boolean {
  return hashOf(nameOf(file)) % count === number - 1;
}

/** FNV-1a. Snapshots at regular TXIDs must not all be in one part. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
