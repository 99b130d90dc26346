/**
 * Ensures that a staging folder has one owner. Two replicators in one folder would remove each other's
 * files and assign the same TXIDs, so nothing in the folder is read or written without this lock.
 *
 *   <meta>/lock    locked by the operating system, which releases it when the process exits for any reason
 *                  (file-lock.ts)
 *   <meta>/owner   the owner, for messages: process, host, database, start time
 *
 * Two replicators in one process exclude each other, too. No other code may open and close `lock` in this
 * process: that would drop the lock (POSIX). On a network file system, the lock is only as reliable as the
 * locks of that file system.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { ReplicationError } from '../../error.ts';
import { makeFolders, readText, replaceText, systemFiles } from '../../file-system.ts';
import { lockFile, type FileLock } from './file-lock.ts';
import { toStagingError } from './staging-error.ts';

/** A killed process and its replacement may overlap for this long. */
const WAIT_MS = 2_000;
const RETRY_EVERY_MS = 50;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly database: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

export interface OwnerLockInput {
  /** The staging folder. Created if it does not exist. */
  readonly folder: string;
  /** Path of the database that uses the folder. */
  readonly database: string;
  readonly clock: Clock;
}

export class OwnerLock {
  readonly #file: string;
  readonly #inode: number;
  readonly #lock: FileLock;

  private constructor(file: string, inode: number, lock: FileLock) {
    this.#file = file;
    this.#lock = lock;
    this.#inode = inode;
  }

  /** Throws STAGING_IN_USE if another replicator has the folder, and STAGING_FAILED if it cannot be locked. */
  static async acquire(input: OwnerLockInput): Promise<OwnerLock> {
    const { folder, database, clock } = input;
    const file = path.join(folder, 'lock');
    const deadline = clock.monotonic() + WAIT_MS;
    try {
      await makeFolders(systemFiles, folder);
    } catch (error) {
      throw toStagingError(`create the staging folder ${folder}`, error);
    }
    for (;;) {
      const lock = tryLock(file);
      if (lock !== undefined) {
        const owned = new OwnerLock(file, inodeOf(file, lock), lock);
        await writeOwner(folder, database, clock);
        return owned;
      }
      if (clock.monotonic() >= deadline) throw inUse(input, await readOwner(folder));
      await sleep(RETRY_EVERY_MS);
    }
  }

  /** Whether the locked file is still in the folder. If not, another process can lock a new one. */
  get isIntact(): boolean {
    return fs.statSync(this.#file, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  release(): void {
    if (this.isIntact) fs.rmSync(path.join(path.dirname(this.#file), 'owner'), { force: true });
    this.#lock.release();
  }
}

/** undefined if another process holds the lock. */
function tryLock(file: string): FileLock | undefined {
  try {
    return lockFile(file);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'SQLITE_BUSY') return undefined;
    if (code !== 'SQLITE_NOTADB') throw toStagingError(`lock ${file}`, error);
    emptyLockFile(file);
    return undefined;
  }
}

function inodeOf(file: string, lock: FileLock): number {
  try {
    return fs.statSync(file).ino;
  } catch (error) {
    lock.release();
    throw toStagingError(`lock ${file}`, error);
  }
}

/** Empties an invalid lock file. Its contents have no meaning, and no replicator can have locked it. */
function emptyLockFile(file: string): void {
  try {
    fs.truncateSync(file);
  } catch (error) {
    throw toStagingError(`empty ${file}`, error);
  }
}

/** Writes the owner file. An error, such as a full disk, is ignored: only the lock matters. */
async function writeOwner(folder: string, database: string, clock: Clock): Promise<void> {
  const since = new Date(clock.now()).toISOString();
  const owner: Owner = { pid: process.pid, host: os.hostname(), database, since };
  try {
    await replaceText(systemFiles, path.join(folder, 'owner'), `${JSON.stringify(owner)}\n`);
  } catch {
    fs.rmSync(path.join(folder, 'owner'), { recursive: true, force: true }); // the file of an earlier owner
  }
}

async function readOwner(folder: string): Promise<Owner | undefined> {
  try {
    return JSON.parse((await readText(systemFiles, path.join(folder, 'owner'))) ?? '') as Owner;
  } catch {
    return undefined;
  }
}

function inUse({ folder, database }: OwnerLockInput, owner: Owner | undefined): ReplicationError {
  if (owner === undefined) {
    return new ReplicationError(
      'STAGING_IN_USE',
      `another process already replicates ${database}: it holds the lock in ${folder}; stop it first`,
    );
  }
  const { pid, host, database: followed, since } = owner;
  const location = host === os.hostname() ? '' : ` on ${host}`;
  const holder = `replicator ${pid}${location} has been replicating ${followed} since ${since}`;
  const next =
    followed === database
      ? 'stop it first'
      : `with the staging folder ${folder}; give ${database} another meta-path`;
  return new ReplicationError('STAGING_IN_USE', `${holder}; ${next}`);
}
