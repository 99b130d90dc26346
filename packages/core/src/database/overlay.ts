/**
 * The newest version of every page that any frame has written since an image began, and of those in
 * the log at that moment. It lies in a file of one slot per page, so memory is one number a page
 * and the disk it takes is at most the pages that changed.
 */

import { ReplicationError } from '../error.ts';
import type { ScratchFile } from '../file-system.ts';
import type { FrameBatch } from '../wal/reader.ts';

export class Overlay {
  readonly #scratch: ScratchFile;
  readonly #pageSize: number;
  readonly #slots: Map<number, number> = new Map();
  #commit = 0;

  constructor(scratch: ScratchFile, pageSize: number) {
    this.#scratch = scratch;
    this.#pageSize = pageSize;
  }

  /** Database size in pages after the last commit it was given; 0 while there was none. */
  get commit(): number {
    return this.#commit;
  }

  /** Committed frames, in the order of the log. */
  add(batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      this.#put(batch.pgnos[index] ?? 0, batch.page(index));
      const commit = batch.commits[index] ?? 0;
      if (commit !== 0) this.#commit = commit;
    }
  }

  has(pgno: number): boolean {
    return this.#slots.has(pgno);
  }

  /** Whether any page from `first` to `last` is here. */
  hasAny(first: number, last: number): boolean {
    if (this.#slots.size < last - first) {
      for (const pgno of this.#slots.keys()) if (pgno >= first && pgno <= last) return true;
      return false;
    }
    for (let pgno = first; pgno <= last; pgno++) if (this.#slots.has(pgno)) return true;
    return false;
  }

  /** Copies page `pgno` into `into`; false where it is not here. */
  read(pgno: number, into: Uint8Array): boolean {
    const slot = this.#slots.get(pgno);
    if (slot === undefined) return false;
    const page = into.subarray(0, this.#pageSize);
    if (this.#scratch.read(page, slot * this.#pageSize) < page.length) {
      throw new ReplicationError(
        'STAGING_FAILED',
        `read page ${pgno} of a full snapshot from the staging folder: bytes are missing; check the volume`,
      );
    }
    return true;
  }

  close(): void {
    this.#scratch.discard();
  }

  #put(pgno: number, page: Uint8Array): void {
    let slot = this.#slots.get(pgno);
    if (slot === undefined) {
      slot = this.#slots.size;
      this.#slots.set(pgno, slot);
    }
    this.#scratch.write(page, slot * this.#pageSize);
  }
}
