/**
 * Acquires the lock of a staging folder before anything in it is read or written, retrying until it
 * succeeds, and releases it on close.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Clock } from '../clock.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { OwnerLock } from '../database/staging/owner-lock.ts';
import { isError } from '../error.ts';
import { Retry } from './condition.ts';

export interface ClaimContext {
  readonly options: DatabaseOptions;
  readonly clock: Clock;
  /** The lock is held. If this rejects, the whole claim is retried. */
  readonly onOwned: () => Promise<void>;
  /** The folder of the database did not exist at this time, so the staging folder cannot be made. Called at each try. */
  readonly onWaiting: (why: string, at: number) => void;
  readonly onFailure: (error: unknown) => void;
}

const RETRY_MS = { minMs: 1_000, maxMs: 30_000 };

export class StagingClaim {
  readonly #context: ClaimContext;
  readonly #retry: Retry;
  #lock: OwnerLock | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> = Promise.resolve();
  /** Whether the folder of the database was missing at the last try. */
  #isMissing = false;
  #isClosed = false;

  constructor(context: ClaimContext) {
    this.#context = context;
    this.#retry = new Retry(context.clock, RETRY_MS);
  }

  /**
   * Resolves after the first try. Throws STAGING_IN_USE if another process has the folder; nothing
   * was touched then.
   */
  async start(): Promise<void> {
    const trying = this.#try();
    this.#trying = trying.catch(() => undefined); // it is handled below
    try {
      await trying;
    } catch (error) {
      if (isError(error, 'STAGING_IN_USE')) throw error;
      this.#fail(error);
    }
  }

  /** Looks for the folder of the database now, if it was missing. */
  async lookAgain(): Promise<void> {
    if (this.#isMissing && !this.#isClosed) {
      clearTimeout(this.#timer);
      this.#run();
    }
    await this.#trying;
  }

  /** Takes the lock again if its file was deleted or replaced. Throws STAGING_IN_USE or STAGING_FAILED. */
  async renew(): Promise<void> {
    if (this.#lock?.isIntact === true) return;
    this.#lock?.release();
    this.#lock = undefined;
    this.#lock = await this.#acquire();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#trying;
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #try(): Promise<void> {
    const { options, clock, onOwned, onWaiting } = this.#context;
    if (this.#isClosed) return;
    const now = clock.monotonic();
    const missing = missingFolder(options);
    this.#isMissing = missing !== undefined;
    if (missing !== undefined) {
      onWaiting(`${missing}, the folder of ${options.path}, does not exist`, now);
      this.#later(options.monitorIntervalMs);
      return;
    }
    this.#lock ??= await this.#acquire();
    if (!this.#isClosed) await onOwned();
  }

  /** undefined if it was closed meanwhile: nobody would release the lock. */
  async #acquire(): Promise<OwnerLock | undefined> {
    const { options, clock } = this.#context;
    const folder = options.metaPath;
    const lock = await OwnerLock.acquire({ folder, database: options.path, clock });
    if (!this.#isClosed) return lock;
    lock.release();
    return undefined;
  }

  #fail(error: unknown): void {
    this.#context.onFailure(error);
    this.#later(this.#retry.failed());
  }

  #later(waitMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#run(), waitMs);
  }

  #run(): void {
    this.#trying = this.#try().catch((error: unknown) => this.#fail(error));
  }
}

/** Avoids creating folders for a mistyped path. */
function missingFolder({ path: database, metaPath }: DatabaseOptions): string | undefined {
  const folder = path.dirname(database);
  return fs.existsSync(folder) || fs.existsSync(metaPath) ? undefined : folder;
}
