/**
 * The pages of a transaction whose commit frame has not arrived yet. A transaction may be larger than
 * memory, so the pages beyond a limit go to a file.
 */

import fs from 'node:fs';
import { messageOf, ReplicationError } from '../error.ts';
import { readFullySync, writeFullySync } from '../file-io.ts';
import type { WritePage } from './wal-stream.ts';

/** Pages of this total size stay in memory: enough for almost all transactions. */
const MEMORY_BYTES_MAX: number = 16 * 1024 * 1024;

export class OpenTransaction {
  readonly #spillPath: string;
  readonly #memoryBytesMax: number;
  #pages: { readonly pgno: number; readonly page: Uint8Array }[] = [];
  #heldBytes = 0;
  /** Numbers of the pages in the file, which has only their bytes. */
  #spilled: number[] = [];
  #pageSize = 0;
  #descriptor: number | undefined;

  constructor(spillPath: string, memoryBytesMax: number = MEMORY_BYTES_MAX) {
    this.#spillPath = spillPath;
    this.#memoryBytesMax = memoryBytesMax;
  }

  add(pgno: number, page: Uint8Array): void {
    if (this.#heldBytes + page.length <= this.#memoryBytesMax) {
      this.#pages.push({ pgno, page: page.slice() });
      this.#heldBytes += page.length;
      return;
    }
    this.#pageSize = page.length;
    this.#spill((descriptor) =>
      writeFullySync(descriptor, page, this.#spilled.length * page.length),
    );
    this.#spilled.push(pgno);
  }

  /** Writes the pages in the order of their arrival: a later one may be a newer version. */
  commit(writePage: WritePage): void {
    for (const { pgno, page } of this.#pages) writePage(pgno, page);
    const page = new Uint8Array(this.#pageSize);
    for (const [index, pgno] of this.#spilled.entries()) {
      this.#spill((descriptor) => {
        const count = readFullySync(descriptor, page, index * page.length);
        if (count < page.length) throw new Error(`it has only ${count} bytes of page ${pgno}`);
      });
      writePage(pgno, page);
    }
    this.rollBack();
  }

  /** Forgets the pages: the WAL ended before their commit. */
  rollBack(): void {
    this.#pages = [];
    this.#heldBytes = 0;
    this.#spilled = [];
  }

  /** Removes the file. */
  close(): void {
    if (this.#descriptor === undefined) return;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    fs.rmSync(this.#spillPath, { force: true });
  }

  #spill(use: (descriptor: number) => void): void {
    try {
      this.#descriptor ??= fs.openSync(this.#spillPath, 'w+', 0o600);
      use(this.#descriptor);
    } catch (error) {
      throw new ReplicationError(
        'RESTORE_OUTPUT',
        `keep an uncommitted transaction in ${this.#spillPath}: ${messageOf(error)}; free some space, or choose another path (-o)`,
        { cause: error },
      );
    }
  }
}
