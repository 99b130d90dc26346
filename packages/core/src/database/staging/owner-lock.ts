/**
 * One owner for a staging folder. Two replicators over one folder would free each other's files and
 * give out the same TXIDs, so nothing in the folder is read or written without this lock.
 *
 *   <meta>/lock    an empty SQLite database. Its exclusive lock is the operating system's: it ends with
 *                  the process, however that ends
 *   <meta>/owner   who has the lock, for people: process, host, database, since when
 *
 * SQLite knows the locks of its own process too, so two replicators in one process exclude each other.
 * Nobody else may open and close `lock` in this process: that would drop the lock (POSIX).
 * On a network file system the lock is as good as that file system's locks are.
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { ReplicationError } from '../../error.ts';
import { makeFolders, readText, replaceText, systemFiles } from '../../file-system.ts';
import { toStagingError } from './staging-error.ts';

/** A process that was killed and one that is started in its place may overlap for so long. */
const WAIT_MS = 2_000;
const TRY_EVERY_MS = 50;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly database: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

export interface OwnerLockInput {
  /** The staging folder. Made where it is not there. */
  readonly folder: string;
  /** Path of the database that is followed with it. */
  readonly database: string;
  readonly clock: Clock;
}

export class OwnerLock {
  readonly #file: string;
  readonly #inode: number;
  /** Held open: the lock is that of its transaction. */
  readonly #connection: Database.Database;

  private constructor(file: string, connection: Database.Database) {
    this.#file = file;
    this.#connection = connection;
    this.#inode = fs.statSync(file).ino;
  }

  /** STAGING_IN_USE where another replicator has the folder; STAGING_FAILED where it cannot be locked. */
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
      const connection = tryLock(file);
      if (connection !== undefined) {
        await writeOwner(folder, database, clock);
        return new OwnerLock(file, connection);
      }
      if (clock.monotonic() >= deadline) throw inUse(input, await readOwner(folder));
      await sleep(TRY_EVERY_MS);
    }
  }

  /** Whether the folder still has the file that is locked. Where it has not, others may lock theirs. */
  get isIntact(): boolean {
    return fs.statSync(this.#file, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  release(): void {
    if (this.isIntact) fs.rmSync(path.join(path.dirname(this.#file), 'owner'), { force: true });
    this.#connection.close();
  }
}

/** The connection that holds the lock, or undefined where another holds it. */
function tryLock(file: string): Database.Database | undefined {
  let connection: Database.Database | undefined;
  try {
    connection = new Database(file, { timeout: 0 });
    connection.pragma('journal_mode=MEMORY'); // nothing is written: a full disk can be locked too
    connection.exec('BEGIN EXCLUSIVE');
    return connection;
  } catch (error) {
    connection?.close();
    const code = (error as { code?: unknown }).code;
    if (code === 'SQLITE_BUSY') return undefined;
    if (code !== 'SQLITE_NOTADB') throw toStagingError(`lock ${file}`, error);
    emptyLockFile(file);
    return undefined;
  }
}

/** Its content says nothing, and nobody can have locked what SQLite does not take for a database. */
function emptyLockFile(file: string): void {
  try {
    fs.truncateSync(file);
  } catch (error) {
    throw toStagingError(`empty ${file}`, error);
  }
}

/** The lock is what counts: that its owner could not be written (a full disk) changes nothing. */
async function writeOwner(folder: string, database: string, clock: Clock): Promise<void> {
  const since = new Date(clock.now()).toISOString();
  const owner: Owner = { pid: process.pid, host: os.hostname(), database, since };
  try {
    await replaceText(systemFiles, path.join(folder, 'owner'), `${JSON.stringify(owner)}\n`);
  } catch {
    fs.rmSync(path.join(folder, 'owner'), { recursive: true, force: true }); // that of one before
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
  const where = host === os.hostname() ? '' : ` on ${host}`;
  const who = `replicator ${pid}${where} has been replicating ${followed} since ${since}`;
  const next =
    followed === database
      ? 'stop it first'
      : `with the staging folder ${folder}; give ${database} another meta-path`;
  return new ReplicationError('STAGING_IN_USE', `${who}; ${next}`);
}
