/** Ensures that one process at a time follows or promotes a copy. */

import { isError, ReplicationError } from '../error.ts';
import type { Clock } from '../clock.ts';
import { OwnerLock } from '../database/staging/owner-lock.ts';
import type { CopyPaths } from './copy-paths.ts';

export class CopyLock {
  readonly #lock: OwnerLock;

  /** DATABASE_BUSY if another process has it. */
  static async acquire({ folder, database }: CopyPaths, clock: Clock): Promise<CopyLock> {
    try {
      return new CopyLock(await OwnerLock.acquire({ folder, database, clock }));
    } catch (error) {
      if (isError(error, 'STAGING_IN_USE')) {
        throw new ReplicationError(
          'DATABASE_BUSY',
          `lock the copy ${database}: another process follows or promotes it, with the lock in ${folder}; ` +
            'stop it first',
          { cause: error },
        );
      }
      if (!isError(error, 'STAGING_FAILED') && !isError(error, 'STAGING_FULL')) throw error;
      throw new ReplicationError('RESTORE_OUTPUT', error.message, { cause: error });
    }
  }

  private constructor(lock: OwnerLock) {
    this.#lock = lock;
  }

  async release(): Promise<void> {
    this.#lock.release();
    await Promise.resolve();
  }
}
