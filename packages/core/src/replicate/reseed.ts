/**
 * Lets a folder that has lost its files and its marker be seeded again. Without that it may be a disk that is not
 * mounted, so nothing is written there.
 */

import { systemClock } from '../clock.ts';
import { OwnerLock } from '../database/staging/owner-lock.ts';
import { systemFiles } from '../file-system.ts';
import type { Uploader } from './destination/uploader.ts';
import { SentRecords } from './record.ts';

/** 'not needed': the destination has been listed, or fails for another reason. */
export type Reseed = 'accepted' | 'not needed';

/** At a running replicator. */
export async function reseed(
  records: SentRecords,
  uploader: Pick<Uploader, 'state' | 'health' | 'target' | 'retryNow'>,
): Promise<Reseed> {
  const { state, health, target } = uploader;
  const isMissing = health.lastError?.code === 'REPLICA_DESTINATION_NOT_FOUND';
  if (state !== 'failing' || !isMissing) return 'not needed';
  await records.allowReseed(target);
  uploader.retryNow();
  return 'accepted';
}

/** A destination of a database that no replicator follows now. */
export interface StoppedReseed {
  /** The staging folder. */
  readonly folder: string;
  /** Path of the database. */
  readonly database: string;
  readonly target: string;
}

/** For the next start of the replicator. STAGING_IN_USE if one runs. 'not needed': nothing was sent there yet. */
export async function reseedAtStart({ folder, database, target }: StoppedReseed): Promise<Reseed> {
  if ((await systemFiles.stat(folder)) === undefined) return 'not needed';
  const lock = await OwnerLock.acquire({ folder, database, clock: systemClock });
  try {
    const records = new SentRecords(folder, systemFiles);
    await records.load();
    if (records.get(target) === undefined) return 'not needed';
    await records.allowReseed(target);
    return 'accepted';
  } finally {
    lock.release();
  }
}
