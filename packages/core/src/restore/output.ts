/**
 * The file that is restored into. Until it is whole, verified and durable it lies beside its name,
 * as `<name>.sluice-tmp`; a crash leaves at most that, and the next restore replaces it.
 *
 * What SQLite keeps beside a database that is replaced (`-wal`, `-journal`) would be played into
 * the restored one, so it must be gone when the new file gets the name, and must stay while the old
 * one has it. So it is moved aside, and back where the new file cannot be put in place.
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, syncFolder } from '../database/files.ts';
import { messageOf, ReplicationError } from '../error.ts';

export type Overwrite = 'refuse' | 'replace';

/** Files that change what SQLite reads from the database beside them. */
const PLAYED_FILES = ['-wal', '-journal'];
const SIDE_FILES = [...PLAYED_FILES, '-shm'];
const TEMPORARY = '.sluice-tmp';
const ASIDE = '.sluice-replaced';

/** RESTORE_TARGET_EXISTS where a restore to `output` would have to replace something. */
export async function requireFree(output: string, overwrite: Overwrite): Promise<void> {
  const found = await reporting(`look at ${output}`, async () => await statOf(output));
  if (found?.isDirectory() === true) throw exists(output, output, 'is a folder');
  if (overwrite === 'replace') return;
  for (const side of ['', ...PLAYED_FILES]) {
    const stat = await statOf(output + side);
    if (stat === undefined || stat.size === 0) continue; // an empty file holds nothing
    throw exists(output, output + side, 'exists');
  }
}

export class Output {
  readonly #path: string;
  readonly #overwrite: Overwrite;
  readonly #handle: fs.FileHandle;
  readonly #identity: Stats;
  #isPublished = false;

  /** Creates the folders above and the temporary file. RESTORE_TARGET_EXISTS, RESTORE_OUTPUT. */
  static async open(output: string, overwrite: Overwrite): Promise<Output> {
    await requireFree(output, overwrite);
    return await reporting(`create a file beside ${output}`, async () => {
      const target = await realPath(path.resolve(output));
      await makeFolder(path.dirname(target));
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
    await reporting(what, async () => await this.#handle.truncate(0));
    const { blocks, bavail, bsize } = await fs.statfs(path.dirname(this.#path));
    const isTold = blocks > 0; // some network file systems answer with zeros
    if (isTold && bavail * bsize < sizeBytes) {
      throw new ReplicationError(
        'RESTORE_OUTPUT',
        `${what}: only ${bavail * bsize} bytes are free there; free some, or choose another place`,
      );
    }
    await reporting(what, async () => await this.#handle.truncate(sizeBytes));
  }

  /** Makes the bytes durable. */
  async sync(): Promise<void> {
    await reporting(`fsync ${this.temporary}`, async () => await this.#handle.sync());
  }

  /** Gives the file its name, durably. RESTORE_TARGET_EXISTS where the name was taken meanwhile. */
  async publish(): Promise<void> {
    await requireFree(this.#path, this.#overwrite);
    await reporting(`give ${this.temporary} its name`, async () => {
      if (!(await this.#isOwn())) throw this.#overtaken();
      await this.#takeAfter(await statOf(this.#path));
      await this.#handle.close();
      const moved: string[] = [];
      try {
        await this.#moveAside(moved);
        await this.#place();
      } catch (error) {
        for (const side of moved) await fs.rename(this.#path + side + ASIDE, this.#path + side);
        throw error;
      }
      await syncFolder(path.dirname(this.#path));
      for (const side of PLAYED_FILES) await fs.rm(this.#path + side + ASIDE, { force: true });
      await fs.rm(`${this.#path}-shm`, { force: true });
      for (const side of SIDE_FILES) await fs.rm(this.temporary + side, { force: true });
      this.#isPublished = true;
    });
  }

  /** Leaves nothing behind, unless it was published. */
  async discard(): Promise<void> {
    if (this.#isPublished) return;
    await this.#handle.close().catch(() => undefined); // it may be closed already
    if (await this.#isOwn()) await removeTemporary(this.#path);
  }

  /** A file that is replaced keeps its mode and, where that is allowed, its owner. */
  async #takeAfter(old: Stats | undefined): Promise<void> {
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
  async #isOwn(): Promise<boolean> {
    const there = await statOf(this.temporary);
    return there?.ino === this.#identity.ino && there.dev === this.#identity.dev;
  }

  #overtaken(): ReplicationError {
    const what = 'another restore to the same place has begun';
    return new ReplicationError('RESTORE_TARGET_EXISTS', `restore to ${this.#path}: ${what}`);
  }

  async #moveAside(moved: string[]): Promise<void> {
    for (const side of PLAYED_FILES) {
      const name = this.#path + side;
      if ((await statOf(name)) === undefined) continue;
      await fs.rename(name, name + ASIDE);
      moved.push(side);
    }
  }

  /** A link, unlike a rename, replaces nothing: not even what came into being just now. */
  async #place(): Promise<void> {
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

async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where a symbolic link leads: SQLite keeps its files beside that one. */
async function realPath(file: string): Promise<string> {
  return (await statOf(file)) === undefined ? file : await fs.realpath(file);
}

async function removeTemporary(target: string): Promise<void> {
  for (const side of ['', ...SIDE_FILES]) {
    await fs.rm(target + TEMPORARY + side, { force: true });
  }
}

/** Names what the file system refused. */
async function reporting<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ReplicationError) throw error;
    throw new ReplicationError('RESTORE_OUTPUT', `${what}: ${messageOf(error)}`, { cause: error });
  }
}

function exists(output: string, name: string, how: string): ReplicationError {
  return new ReplicationError(
    'RESTORE_TARGET_EXISTS',
    `restore to ${output}: ${name} ${how}; choose another output, or say that it may be replaced (-force)`,
  );
}
