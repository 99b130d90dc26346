/**
 * The tail: pages of committed frames that we hold and have not cut into an L0 file yet.
 *
 * It is at most TAIL_BYTES_MAX large. A transaction that does not fit leaves the rest of its frames
 * in the WAL, and the tail only remembers where: then the reader must not move, and the cut is made
 * straight from the WAL.
 */

import { assert, ReplicationError } from '../../error.ts';
import { isSameLog, type WALHeader } from '../../wal/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { giveBack, pagesPerSlab, takeSlab } from './slabs.ts';

/** Bytes of pages that are held in memory, each page once: a second of a fast writer. */
export const TAIL_BYTES_MAX: number = 8 * 1024 * 1024;

/** A page, or the number of the frame in the present log that has it. */
export type HeldPage = Uint8Array | number;

export class Tail {
  /** Where a page is: its slot in memory, or less than 0, the negated number of its frame. */
  readonly #places: Map<number, number> = new Map();
  readonly #slabs: Uint8Array[] = [];
  #pageSize = 0;
  #slots = 0;
  #commit = 0;
  #log: WALHeader | undefined;

  /** Database size in pages after the last commit held; 0 while there is none. */
  get commit(): number {
    return this.#commit;
  }

  get sizeBytes(): number {
    return this.#slots * this.#pageSize;
  }

  /** Whether some of the pages are held by frame number only. */
  get spilled(): boolean {
    return this.#log !== undefined;
  }

  /** The log that these frame numbers count in. */
  get log(): WALHeader | undefined {
    return this.#log;
  }

  get isEmpty(): boolean {
    return this.#commit === 0;
  }

  has(pgno: number): boolean {
    return this.#places.has(pgno);
  }

  get(pgno: number): HeldPage | undefined {
    const place = this.#places.get(pgno);
    if (place === undefined) return undefined;
    return place < 0 ? -place : this.#slot(place);
  }

  /** Takes committed frames, in the order of the log. WAL_INVALID where pages that are held by number are lost. */
  add(batch: FrameBatch, bytesMax: number = TAIL_BYTES_MAX): void {
    if (this.#log !== undefined && !isSameLog(this.#log, batch.header)) {
      throw new ReplicationError(
        'WAL_INVALID',
        'read frames of the WAL: it restarted before they were read; a full snapshot will be taken',
      );
    }
    for (let index = 0; index < batch.count; index++) {
      this.#put(batch, index, bytesMax);
      const commit = batch.commits[index] ?? 0;
      if (commit !== 0) this.#commit = commit;
    }
  }

  /** Page numbers up to `commit`, ascending: what the database has left of what was written. */
  pgnos(): Uint32Array {
    const kept = [...this.#places.keys()].filter((pgno) => pgno <= this.#commit);
    return Uint32Array.from(kept).sort();
  }

  /** Gives its memory back. It holds nothing any more. */
  release(): void {
    this.#places.clear();
    giveBack(this.#slabs.splice(0));
  }

  #put(batch: FrameBatch, index: number, bytesMax: number): void {
    const pgno = batch.pgnos[index] ?? 0;
    const page = batch.page(index);
    const known = this.#places.get(pgno);
    if (this.spilled || (known === undefined && this.sizeBytes + page.length > bytesMax)) {
      this.#log = batch.header; // the rest stays where it is, in the log
      this.#places.set(pgno, -(batch.first + index));
      return;
    }
    assert(
      this.#pageSize === 0 || this.#pageSize === page.length,
      'pages of a tail are of one size',
    );
    this.#pageSize = page.length;
    const slot = known ?? this.#slots++;
    this.#places.set(pgno, slot);
    this.#slot(slot).set(page);
  }

  #slot(slot: number): Uint8Array {
    const perSlab = pagesPerSlab(this.#pageSize);
    const number = Math.floor(slot / perSlab);
    const slab = (this.#slabs[number] ??= takeSlab());
    const start = (slot % perSlab) * this.#pageSize;
    return slab.subarray(start, start + this.#pageSize);
  }
}

/** Pages that a grown database has and no frame of the tail wrote: they must be in the file all the same. */
export function grownPages(tail: Tail, before: number, lockPgno: number): number[] {
  const missing: number[] = [];
  for (let pgno = before + 1; pgno <= tail.commit; pgno++) {
    if (!tail.has(pgno) && pgno !== lockPgno) missing.push(pgno);
  }
  return missing;
}
