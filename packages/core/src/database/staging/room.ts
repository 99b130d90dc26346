/**
 * How much of its volume staging may take. The database is mostly on the same volume: what staging
 * takes there, the application lacks.
 */

import type { FileSystem } from '../../file-system.ts';

/** Part of a volume that is left to others. */
const RESERVE_SHARE = 0.1;

export interface Room {
  /** Free on the volume, for this user. */
  readonly availableBytes: number;
  /** Of the volume: what is left to others. */
  readonly reserveBytes: number;
}

export async function readRoom(files: FileSystem, folder: string): Promise<Room> {
  const { availableBytes, sizeBytes } = await files.volume(folder);
  return { availableBytes, reserveBytes: sizeBytes * RESERVE_SHARE };
}

/** What may be taken without touching the reserve. Less than 0 where somebody else has touched it. */
export function spareBytes({ availableBytes, reserveBytes }: Room): number {
  return availableBytes - reserveBytes;
}

/** What is written: a cut must be, a full image may wait. */
export type Purpose = 'cut' | 'image';

/**
 * So much must stay free when a file for `purpose` is written. A cut may go into the reserve, since
 * commits are lost with the disk until they are staged. But it takes half of what is left at most.
 */
export function floorBytes(room: Room, purpose: Purpose): number {
  const { availableBytes, reserveBytes } = room;
  return purpose === 'image' ? reserveBytes : Math.min(reserveBytes, availableBytes / 2);
}
