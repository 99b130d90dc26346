/** Whether the scratch folder has room for a restored database. */

import { ReplicationError } from '../error.ts';
import { RESERVE_SHARE } from '../database/staging/room.ts';
import type { FileSystem } from '../file-system.ts';

/** Room for the files that SQLite creates beside the restored database: `-shm` (32 KiB), and the log. */
const SIDE_FILES_SIZE_BYTES: number = 64 * 1024;

/**
 * The free space that a restored copy may take. Nobody watches a drill of the schedule, and the application may
 * use the same disk: then the share that staging leaves free stays free too.
 */
export type UsableSpace = 'all' | 'above the reserve';

export interface Room {
  readonly folder: string;
  /** Limit of the configuration for the restored copy. */
  readonly scratchBytesMax: number | undefined;
  readonly usable: UsableSpace;
  /** Bytes of the copy that are there already. Default 0. */
  readonly presentBytes?: number | undefined;
  readonly files: FileSystem;
}

/** RESTORE_OUTPUT, with both numbers, if a database of this size does not fit. */
export async function requireRoom(
  { folder, scratchBytesMax, usable, presentBytes = 0, files }: Room,
  databaseBytes: number,
): Promise<void> {
  const sizeBytes = databaseBytes + SIDE_FILES_SIZE_BYTES;
  if (scratchBytesMax !== undefined && sizeBytes > scratchBytesMax) {
    throw new ReplicationError(
      'RESTORE_OUTPUT',
      `restore ${sizeBytes} bytes to ${folder}: a drill may use only ${scratchBytesMax} bytes there; ` +
        'raise drill.max-bytes',
    );
  }
  const { availableBytes, sizeBytes: volumeBytes } = await files.volume(folder);
  const isReported = volumeBytes > 0; // some network file systems report zeros
  const reserveBytes = usable === 'all' ? 0 : Math.ceil(volumeBytes * RESERVE_SHARE);
  if (!isReported || availableBytes - reserveBytes >= sizeBytes - presentBytes) return;
  const kept = reserveBytes === 0 ? '' : `, of which ${reserveBytes} stay free for others`;
  throw new ReplicationError(
    'RESTORE_OUTPUT',
    `restore ${sizeBytes} bytes to ${folder}: only ${availableBytes} bytes are free there${kept}; ` +
      'free some space, or choose another folder (-tmp, or drill.scratch)',
  );
}
