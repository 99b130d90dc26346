/**
 * The output file of a restore. Until it is complete, verified and durable it is named
 * `<name>.sluice-tmp-<random>`. A crash leaves at most that file, and the next restore to the same path
 * removes it. The random part is for two restores to one path at once: neither can publish the
 * incomplete file of the other.
 *
 * SQLite would apply the `-wal` or `-journal` of a replaced database to the restored one, so these
 * are removed first. `old-database.ts` makes the old database complete without them.
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { isMissing, makeFolders, systemFiles } from '../file-system.ts';
import { messageOf, ReplicationError } from '../error.ts';
import { systemRandom } from '../random.ts';
import { keepFile, removeSecondNames, type KeptDatabase } from './kept-file.ts';
import { findHolders, type Holder } from './open-elsewhere.ts';
import { JOURNAL_FILES, checkpointOldDatabase, type CheckpointOptions } from './old-database.ts';
import {
  findTarget,
  isSameFile,
  requireFree,
  withOutputErrors,
  statOf,
  type Overwrite,
} from './output-target.ts';

const SIDE_FILES = [...JOURNAL_FILES, '-shm'];
/** The names of temporary files begin so. */
const TEMPORARY = '.sluice-tmp';
/** A copy of the old file that is not complete yet. */
const COPY = '-kept';

/** What happened to the old file, and to whom the new one belongs. */
export interface Published {
  /** The new name of the file that was replaced; undefined if there was none, or it was not kept. */
  readonly kept: string | undefined;
  /** The new name of its WAL, if a process had it open. */
  readonly keptWAL: string | undefined;
  /** Processes that had the replaced database open: they do not see the new one. */
  readonly stillOpenIn: readonly Holder[];
  /** Set if the new file does not belong to the user of this process. */
  readonly owner: OutputOwner | undefined;
}

/** The owner of a restored file, and the file or folder that it was taken from. */
export interface OutputOwner {
  readonly uid: number;
  readonly gid: number;
  readonly like: 'replaced file' | 'folder';
}

export class Output {
  readonly #path: string;
  readonly temporary: string;
  readonly #overwrite: Overwrite;
  readonly #handle: fs.FileHandle;
  readonly #identity: Stats;
  #isPublished = false;

  /** Creates parent folders and the temporary file. RESTORE_TARGET_EXISTS, RESTORE_OUTPUT. */
  static async open(output: string, overwrite: Overwrite): Promise<Output> {
    const target = await findTarget(output);
    await requireFree(target, overwrite);
    return await withOutputErrors(`create a file beside ${output}`, async () => {
      await makeFolders(systemFiles, path.dirname(target));
      await removeTemporaries(target);
      const random = systemRandom.bits64().toString(16);
      const temporary = `${target}${TEMPORARY}-${random}`;
      const handle = await fs.open(temporary, 'wx+', modeBeside(await statOf(target)));
      return new Output({ target, temporary }, overwrite, handle, await handle.stat());
    });
  }

  private constructor(
    { target, temporary }: { readonly target: string; readonly temporary: string },
    overwrite: Overwrite,
    handle: fs.FileHandle,
    identity: Stats,
  ) {
    this.#path = target;
    this.temporary = temporary;
    this.#overwrite = overwrite;
    this.#handle = handle;
    this.#identity = identity;
  }

  get descriptor(): number {
    return this.#handle.fd;
  }

  /** Empties the file and gives it this size; RESTORE_OUTPUT if the volume has not enough room. */
  async begin(sizeBytes: number): Promise<void> {
    const what = `allocate ${this.temporary}, ${sizeBytes} bytes`;
    await withOutputErrors(what, async () => await this.#handle.truncate(0));
    const { blocks, bavail, bsize } = await fs.statfs(path.dirname(this.#path));
    const isReported = blocks > 0; // some network file systems report zeros
    if (isReported && bavail * bsize < sizeBytes) {
      throw new ReplicationError(
        'RESTORE_OUTPUT',
        `${what}: only ${bavail * bsize} bytes are free there; free some space, or choose another path (-o)`,
      );
    }
    await withOutputErrors(what, async () => await this.#handle.truncate(sizeBytes));
  }

  /** Makes the bytes durable. RESTORE_TARGET_EXISTS if another restore to the same path has started. */
  async sync(): Promise<void> {
    await withOutputErrors(`fsync ${this.temporary}`, async () => {
      await this.#handle.sync();
      await this.#requireTemporaryFile();
    });
  }

  /**
   * Renames the file into place, durably. RESTORE_TARGET_EXISTS if the name was taken meanwhile,
   * DATABASE_BUSY if the database that it would replace is in use.
   */
  async publish(waiting: Pick<CheckpointOptions, 'signal' | 'clock'>): Promise<Published> {
    await requireFree(this.#path, this.#overwrite);
    return await withOutputErrors(`rename ${this.temporary}`, async () => {
      await checkpointOldDatabase(this.#path, waiting);
      await this.#requireTemporaryFile();
      const old = await statOf(this.#path);
      const stillOpenIn = old === undefined ? [] : await findHolders(this.#path);
      const owner = await this.#copyOwnership(old);
      await this.#handle.close();
      const isKept = this.#overwrite === 'keep' && old !== undefined && old.size > 0;
      const kept = isKept ? await this.#keepOld(new Date(waiting.clock.now())) : undefined;
      await this.#replaceOld(kept);
      this.#isPublished = true;
      return { kept: kept?.file, keptWAL: kept?.wal, stillOpenIn, owner };
    });
  }

  /** Removes the temporary file unless it was published. */
  async discard(): Promise<void> {
    if (this.#isPublished) return;
    await this.#handle.close().catch(() => undefined); // it may be closed already
    for (const side of ['', COPY, ...SIDE_FILES]) {
      await fs.rm(this.temporary + side, { force: true });
    }
  }

  async #keepOld(at: Date): Promise<KeptDatabase> {
    await removeSecondNames(this.#path);
    return await keepFile(this.#path, at, this.temporary + COPY);
  }

  /**
   * From here on the kept file stays, whatever fails. Its WAL may be the only one, and an error does
   * not show that nothing was renamed: the name may only not be durable, or the answer of a network
   * file system was lost.
   */
  async #replaceOld(kept: KeptDatabase | undefined): Promise<void> {
    try {
      await removeSideFiles(this.#path);
      // Sync before the rename: after a power loss, no old log may lie beside the new file.
      await systemFiles.syncFolder(path.dirname(this.#path));
      await this.#moveIntoPlace();
      await systemFiles.syncFolder(path.dirname(this.#path));
      await removeSideFiles(this.temporary);
    } catch (error) {
      if (error instanceof ReplicationError) throw error;
      throw await this.#unfinishedError(error, kept);
    }
  }

  async #unfinishedError(
    cause: unknown,
    kept: KeptDatabase | undefined,
  ): Promise<ReplicationError> {
    const old = kept === undefined ? '' : `; the old database is also ${kept.file}`;
    const target = await statOf(this.#path).catch(() => undefined);
    if (isMissing(cause) && !isSameFile(target, this.#identity)) return this.#supersededError(old);
    const message =
      `replace ${this.#path}: ${messageOf(cause)}. It may have been replaced already${old}; ` +
      'check which database it is before you restore again';
    return new ReplicationError('RESTORE_OUTPUT', message, { cause });
  }

  /**
   * The new file gets the mode and, if permitted, the owner of the file it replaces. Without one, it
   * gets the owner of its folder if root restores: the application is usually another user.
   */
  async #copyOwnership(old: Stats | undefined): Promise<OutputOwner | undefined> {
    if (old !== undefined) await this.#handle.chmod(old.mode & 0o777);
    const isRoot = process.geteuid?.() === 0;
    if (old === undefined && !isRoot) return undefined;
    const { uid, gid } = old ?? (await fs.stat(path.dirname(this.#path)));
    const own = await this.#handle.stat();
    if (own.uid === uid && own.gid === gid) return undefined;
    try {
      await this.#handle.chown(uid, gid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error; // only root may change owners
      return undefined;
    }
    return { uid, gid, like: old === undefined ? 'folder' : 'replaced file' };
  }

  /** A later restore to the same path removes the temporary file of an earlier one. */
  async #requireTemporaryFile(): Promise<void> {
    const there = await statOf(this.temporary);
    if (!isSameFile(there, this.#identity)) throw this.#supersededError('');
  }

  #supersededError(old: string): ReplicationError {
    const message =
      `restore to ${this.#path}: another restore to the same path has started${old}; ` +
      'wait until that one has ended';
    return new ReplicationError('RESTORE_TARGET_EXISTS', message);
  }

  /** A link, unlike a rename, never replaces a file, even one that was created just now. */
  async #moveIntoPlace(): Promise<void> {
    if (this.#overwrite === 'refuse' && (await this.#isLinked())) {
      await fs.rm(this.temporary, { force: true }); // a later restore may have removed it
    } else await fs.rename(this.temporary, this.#path);
  }

  /** False if it is impossible: the name has an empty file, or the volume has no hard links. */
  async #isLinked(): Promise<boolean> {
    try {
      await fs.link(this.temporary, this.#path);
    } catch {
      // The answer of a network file system may have been lost.
      if (isSameFile(await statOf(this.#path), this.#identity)) return true;
      await requireFree(this.#path, 'refuse');
      return false;
    }
    return true;
  }
}

/** Who may not read the file that is replaced may not read the new one either, also while it is written. */
function modeBeside(old: Stats | undefined): number {
  return old === undefined ? 0o644 : 0o600 | (old.mode & 0o044);
}

async function removeSideFiles(file: string): Promise<void> {
  for (const side of SIDE_FILES) await fs.rm(file + side, { force: true });
}

/** Those of killed restores, and of a restore that still runs: it fails when it publishes. */
async function removeTemporaries(target: string): Promise<void> {
  const folder = path.dirname(target);
  const start = path.basename(target) + TEMPORARY;
  for (const name of await fs.readdir(folder)) {
    if (name.startsWith(start)) await fs.rm(path.join(folder, name), { force: true });
  }
}
