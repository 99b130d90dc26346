/**
 * The output file of a restore. Until it is complete, verified and durable it is named
 * `<name>.sluice-tmp`. A crash leaves at most that file, and the next restore replaces it.
 *
 * SQLite would apply the `-wal` or `-journal` of a replaced database to the restored one, so these
 * are removed first. `old-database.ts` makes the old database complete without them.
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolders, systemFiles } from '../file-system.ts';
import { ReplicationError } from '../error.ts';
import { keepFile } from './kept-file.ts';
import { findHolders, type Holder } from './open-elsewhere.ts';
import { JOURNAL_FILES, checkpointOldDatabase, type CheckpointOptions } from './old-database.ts';
import {
  findTarget,
  requireFree,
  withOutputErrors,
  statOf,
  type Overwrite,
} from './output-target.ts';

const SIDE_FILES = [...JOURNAL_FILES, '-shm'];
const TEMPORARY = '.sluice-tmp';
/** A copy of the old file that is not complete yet. */
const COPY = '-kept';

/** What happened to the old file, and to whom the new one belongs. */
export interface Published {
  /** The new name of the file that was replaced; undefined if there was none, or it was not kept. */
  readonly kept: string | undefined;
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
  readonly #overwrite: Overwrite;
  readonly #handle: fs.FileHandle;
  readonly #identity: Stats;
  #kept: string | undefined;
  #isPublished = false;

  /** Creates parent folders and the temporary file. RESTORE_TARGET_EXISTS, RESTORE_OUTPUT. */
  static async open(output: string, overwrite: Overwrite): Promise<Output> {
    const target = await findTarget(output);
    await requireFree(target, overwrite);
    return await withOutputErrors(`create a file beside ${output}`, async () => {
      await makeFolders(systemFiles, path.dirname(target));
      await removeTemporary(target);
      const handle = await fs.open(target + TEMPORARY, 'wx+', 0o644);
      return new Output(target, overwrite, handle, await handle.stat());
    });
  }

  private constructor(
    target: string,
    overwrite: Overwrite,
    handle: fs.FileHandle,
    identity: Stats,
  ) {
    this.#path = target;
    this.#overwrite = overwrite;
    this.#handle = handle;
    this.#identity = identity;
  }

  get descriptor(): number {
    return this.#handle.fd;
  }

  get temporary(): string {
    return this.#path + TEMPORARY;
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

  /** Makes the bytes durable. */
  async sync(): Promise<void> {
    await withOutputErrors(`fsync ${this.temporary}`, async () => await this.#handle.sync());
  }

  /**
   * Renames the file into place, durably. RESTORE_TARGET_EXISTS if the name was taken meanwhile,
   * DATABASE_BUSY if the database that it would replace is in use.
   */
  async publish(waiting: Pick<CheckpointOptions, 'signal' | 'clock'>): Promise<Published> {
    await requireFree(this.#path, this.#overwrite);
    return await withOutputErrors(`rename ${this.temporary}`, async () => {
      await checkpointOldDatabase(this.#path, waiting);
      if (!(await this.#ownsTemporaryFile())) throw this.#supersededError();
      const old = await statOf(this.#path);
      const stillOpenIn = old === undefined ? [] : await findHolders(this.#path);
      const owner = await this.#copyOwnership(old);
      await this.#handle.close();
      if (this.#overwrite === 'keep' && old !== undefined && old.size > 0) {
        const at = new Date(waiting.clock.now());
        this.#kept = await keepFile(this.#path, at, this.temporary + COPY);
      }
      await this.#removeSideFiles('');
      // Sync before the rename: after a power loss, no old log may lie beside the new file.
      await systemFiles.syncFolder(path.dirname(this.#path));
      await this.#moveIntoPlace();
      await systemFiles.syncFolder(path.dirname(this.#path));
      await this.#removeSideFiles(TEMPORARY);
      this.#isPublished = true;
      return { kept: this.#kept, stillOpenIn, owner };
    });
  }

  /** Removes the temporary file unless it was published. */
  async discard(): Promise<void> {
    if (this.#isPublished) return;
    await this.#handle.close().catch(() => undefined); // it may be closed already
    if (this.#kept !== undefined) await fs.rm(this.#kept, { force: true }); // the old file has its first name
    if (await this.#ownsTemporaryFile()) await removeTemporary(this.#path);
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
  async #ownsTemporaryFile(): Promise<boolean> {
    const there = await statOf(this.temporary);
    return there?.ino === this.#identity.ino && there.dev === this.#identity.dev;
  }

  #supersededError(): ReplicationError {
    const what = 'another restore to the same path has started';
    return new ReplicationError('RESTORE_TARGET_EXISTS', `restore to ${this.#path}: ${what}`);
  }

  async #removeSideFiles(suffix: '' | typeof TEMPORARY): Promise<void> {
    for (const side of SIDE_FILES) await fs.rm(this.#path + suffix + side, { force: true });
  }

  /** A link, unlike a rename, never replaces a file, even one that was created just now. */
  async #moveIntoPlace(): Promise<void> {
    if (this.#overwrite === 'refuse') {
      try {
        await fs.link(this.temporary, this.#path);
        await fs.unlink(this.temporary);
        return;
      } catch {
        await requireFree(this.#path, 'refuse'); // an empty file, or no hard links here: rename
      }
    }
    await fs.rename(this.temporary, this.#path);
  }
}

async function removeTemporary(target: string): Promise<void> {
  for (const side of ['', COPY, ...SIDE_FILES]) {
    await fs.rm(target + TEMPORARY + side, { force: true });
  }
}
