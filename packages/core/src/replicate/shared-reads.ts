/**
 * Staged files that several destinations send at the same time are read once: most are small, and each
 * open, read and close of a file costs more than the bytes do. A file is kept in memory while one of
 * them has it in hand, and no longer.
 */

import type { FileSystem } from '../file-system.ts';
import type { SeedSource } from './next.ts';
import { readStaged } from './read-staged.ts';

/** Files up to this size are shared: a commit of some pages. What is larger is read in chunks. */
export const SHARED_BYTES_MAX: number = 256 * 1024;

interface Read {
  readonly bytes: Promise<Buffer>;
  users: number;
}

/** A file in memory, until it is disposed of. */
export interface SharedBytes extends Disposable {
  readonly bytes: Buffer;
}

export class SharedReads {
  readonly #files: FileSystem;
  readonly #reads = new Map<string, Read>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** undefined where it is too large to be shared. Rejects as opening and reading the file do. */
  async read(source: SeedSource): Promise<SharedBytes | undefined> {
    const { path, sizeBytes, timestampMs } = source;
    if (sizeBytes > SHARED_BYTES_MAX) return undefined;
    const key = `${path} ${sizeBytes} ${timestampMs}`; // a path may be staged again
    const read = this.#reads.get(key) ?? {
      bytes: this.#readWhole(path, sizeBytes),
      users: 0,
    };
    this.#reads.set(key, read);
    read.users += 1;
    const free = (): void => {
      read.users -= 1;
      if (read.users === 0 && this.#reads.get(key) === read) this.#reads.delete(key);
    };
    try {
      return { bytes: await read.bytes, [Symbol.dispose]: free };
    } catch (error) {
      free();
      throw error;
    }
  }

  async #readWhole(path: string, sizeBytes: number): Promise<Buffer> {
    const handle = await this.#files.open(path);
    try {
      return await readStaged(handle, path, 0, sizeBytes);
    } finally {
      await handle.close();
    }
  }
}
