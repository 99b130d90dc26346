/**
 * Limits how much of its volume the staging folder may use. The database is usually on the same volume,
 * so space used for staging is not available to the application.
 */

import type { FileSystem } from '../../file-system.ts';

/** Share of the volume that stays reserved for others. */
export const RESERVE_SHARE = 0.1;

export interface Room {
  /** Free space on the volume for this user. */
  readonly availableBytes: number;
  /** Space on the volume that stays reserved for others. */
  readonly reserveBytes: number;
}

export async function readRoom(files: FileSystem, folder: string): Promise<Room> {
  const { availableBytes, sizeBytes } = await files.volume(folder);
  return { availableBytes, reserveBytes: sizeBytes * RESERVE_SHARE };
}

/** Free space above the reserve. Negative if others have used part of the reserve. */
export function spareBytes({ availableBytes, reserveBytes }: Room): number {
  return availableBytes - reserveBytes;
}

/** Kind of file to write: a cut is urgent, an image can wait. */
export type Purpose = 'cut' | 'image';

/**
 * Minimum free space that must remain after a file for `purpose` is written. A cut may use the reserve,
 * because commits are not safe until they are staged, but at most half of the remaining space.
 */
export function floorBytes(room: Room, purpose: Purpose): number {
  const { availableBytes, reserveBytes } = room;
  return purpose === 'image' ? reserveBytes : Math.min(reserveBytes, availableBytes / 2);
}
