/** Reads the pages of a database file in ascending order, in batches, without the lock page. */

import { BATCH_BYTES_MAX, type Kernel } from '../../kernel/kernel.ts';
import { lockPgno } from '../../ltx/header.ts';

/** Reads the database file from `position` into `into`; returns the number of bytes read. */
export type ReadFile = (into: Uint8Array, position: number) => number;

export interface FileBatch {
  readonly firstPgno: number;
  readonly count: number;
  /** A view of the kernel's input. */
  readonly pages: Uint8Array;
}

export interface FileCursorOptions {
  readonly kernel: Kernel;
  readonly pageSize: number;
  readonly read: ReadFile;
}

export class FileCursor {
  readonly #options: FileCursorOptions;
  #nextPgno = 1;

  constructor(options: FileCursorOptions) {
    this.#options = options;
  }

  /** Number of the next page; no page from here on has been read. */
  get nextPgno(): number {
    return this.#nextPgno;
  }

  /** Ignores a partial page at the end of the file. Returns undefined after the last page. */
  next(): FileBatch | undefined {
    const { kernel, pageSize, read } = this.#options;
    const lock = lockPgno(pageSize);
    if (this.#nextPgno === lock) this.#nextPgno += 1;
    const firstPgno = this.#nextPgno;
    const room = Math.max(1, Math.floor(BATCH_BYTES_MAX / pageSize));
    const wanted = firstPgno < lock ? Math.min(room, lock - firstPgno) : room;
    const input = kernel.input.subarray(0, wanted * pageSize);
    const count = Math.floor(read(input, (firstPgno - 1) * pageSize) / pageSize);
    if (count === 0) return undefined;
    this.#nextPgno = firstPgno + count;
    return { firstPgno, count, pages: input.subarray(0, count * pageSize) };
  }

  /** The pages up to `commit` that were not read and that `isHeld` does not know. */
  missing(commit: number, isHeld: (pgno: number) => boolean): number[] {
    const missing: number[] = [];
    for (let pgno = this.#nextPgno; pgno <= commit; pgno++) if (!isHeld(pgno)) missing.push(pgno);
    return missing;
  }
}
