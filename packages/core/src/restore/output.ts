/**
 * The file that is restored into. Until it is whole, verified and durable it lies beside its name,
 * as `<name>.sluice-tmp`; a crash leaves at most that, and the next restore replaces it.
 *
 * What SQLite keeps beside a database that is replaced (`-wal`, `-journal`) would be played into
 * the restored one, so it is removed first. `old-database.ts` makes the old database whole without it.
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolders, systemFiles } from '../file-system.ts';
import { ReplicationError } from '../error.ts';
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

export class Output {
  readonly #path: string;
  readonly #overwrite: Overwrite;
  readonly #handle: fs.FileHandle;
  readonly #identity: Stats;
  #isPublished = false;

  /** Creates the folders above and the temporary file. RESTORE_TARGET_EXISTS, RESTORE_OUTPUT. */
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

  /** Empty, and of this size; RESTORE_OUTPUT where the volume has no room for that. */
  async begin(sizeBytes: number): Promise<void> {
    const what = `make ${this.temporary}, ${sizeBytes} bytes`;
    await withOutputErrors(what, async () => await this.#handle.truncate(0));
    const { blocks, bavail, bsize } = await fs.statfs(path.dirname(this.#path));
    const isReported = blocks > 0; // some network file systems answer with zeros
    if (isReported && bavail * bsize < sizeBytes) {
      throw new ReplicationError(
        'RESTORE_OUTPUT',
        `${what}: only ${bavail * bsize} bytes are free there; free some, or choose another place`,
      );
    }
    await withOutputErrors(what, async () => await this.#handle.truncate(sizeBytes));
  }

  /** Makes the bytes durable. */
  async sync(): Promise<void> {
    await withOutputErrors(`fsync ${this.temporary}`, async () => await this.#handle.sync());
  }

  /**
   * Gives the file its name, durably. RESTORE_TARGET_EXISTS where the name was taken meanwhile,
   * DATABASE_BUSY where the database that it would replace is in use.
   */
  async publish(waiting: Pick<CheckpointOptions, 'signal' | 'clock'>): Promise<void> {
    await requireFree(this.#path, this.#overwrite);
    await withOutputErrors(`give ${this.temporary} its name`, async () => {
      await checkpointOldDatabase(this.#path, waiting);
      if (!(await this.#ownsTemporaryFile())) throw this.#supersededError();
      await this.#copyOwnership(await statOf(this.#path));
      await this.#handle.close();
      await this.#removeSideFiles('');
      // Durable before the new name is: after a power loss no old log lies beside the new file.
      await systemFiles.syncFolder(path.dirname(this.#path));
      await this.#moveIntoPlace();
      await systemFiles.syncFolder(path.dirname(this.#path));
      await this.#removeSideFiles(TEMPORARY);
      this.#isPublished = true;
    });
  }

  /** Leaves nothing behind, unless it was published. */
  async discard(): Promise<void> {
    if (this.#isPublished) return;
    await this.#handle.close().catch(() => undefined); // it may be closed already
    if (await this.#ownsTemporaryFile()) await removeTemporary(this.#path);
  }

  /** A file that is replaced keeps its mode and, where that is allowed, its owner. */
  async #copyOwnership(old: Stats | undefined): Promise<void> {
    if (old === undefined) return;
    await this.#handle.chmod(old.mode & 0o777);
    const own = await this.#handle.stat();
    if (own.uid === old.uid && own.gid === old.gid) return;
    try {
      await this.#handle.chown(old.uid, old.gid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error; // only root gives files away
    }
  }

  /** Of two restores to one place the later one has removed the file of the earlier one. */
  async #ownsTemporaryFile(): Promise<boolean> {
    const there = await statOf(this.temporary);
    return there?.ino === this.#identity.ino && there.dev === this.#identity.dev;
  }

  #supersededError(): ReplicationError {
    const what = 'another restore to the same place has begun';
    return new ReplicationError('RESTORE_TARGET_EXISTS', `restore to ${this.#path}: ${what}`);
  }

  async #removeSideFiles(suffix: '' | typeof TEMPORARY): Promise<void> {
    for (const side of SIDE_FILES) await fs.rm(this.#path + suffix + side, { force: true });
  }

  /** A link, unlike a rename, replaces nothing: not even what came into being just now. */
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
  for (const side of ['', ...SIDE_FILES]) {
    await fs.rm(target + TEMPORARY + side, { force: true });
  }
}
