/**
 * The tail: pages of committed frames that we hold but have not cut into an L0 file yet.
 *
 * It holds at most TAIL_BYTES_MAX. If a transaction does not fit, the rest of its frames stay in the
 * WAL, and the tail stores only their numbers ("spilled"). Then the reader must not move, and the cut
 * reads those pages from the WAL.
 */

import { assert, ReplicationError } from '../../error.ts';
import { isSameLog, type WALHeader } from '../../wal/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { pagesPerSlab, releaseSlabs, takeSlab } from './slabs.ts';

/** Maximum bytes of pages held in memory, each page once: about one second of a fast writer. */
export const TAIL_BYTES_MAX: number = 8 * 1024 * 1024;

/** A page, or the number of its frame in the current log. */
export type HeldPage = Uint8Array | number;

export class Tail {
  /** For each page its slot in memory, or, if negative, the negated number of its frame. */
  readonly #places: Map<number, number> = new Map();
  readonly #slabs: Uint8Array[] = [];
  #pageSize = 0;
  #slots = 0;
  #commit = 0;
  #log: WALHeader | undefined;

  /** Database size in pages after the last held commit; 0 if there is none. */
  get commit(): number {
    return this.#commit;
  }

  get sizeBytes(): number {
    return this.#slots * this.#pageSize;
  }

  /** Whether some pages are held by frame number only. */
  get isSpilled(): boolean {
    return this.#log !== undefined;
  }

  /** The log of these frame numbers. */
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

  /** Adds committed frames, in log order. Throws WAL_INVALID if pages held by frame number are lost. */
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

  /** Written page numbers up to `commit`, ascending. Pages beyond it are no longer in the database. */
  pgnos(): Uint32Array {
    const kept = [...this.#places.keys()].filter((pgno) => pgno <= this.#commit);
    return Uint32Array.from(kept).sort();
  }

  /** Empties the tail and returns its memory to the pool. */
  release(): void {
    this.#places.clear();
    releaseSlabs(this.#slabs.splice(0));
  }

  #put(batch: FrameBatch, index: number, bytesMax: number): void {
    const pgno = batch.pgnos[index] ?? 0;
    const page = batch.page(index);
    const known = this.#places.get(pgno);
    if (this.isSpilled || (known === undefined && this.sizeBytes + page.length > bytesMax)) {
      this.#log = batch.header; // the rest stays in the log
      this.#places.set(pgno, -(batch.first + index));
      return;
    }
    assert(
      this.#pageSize === 0 || this.#pageSize === page.length,
      'all pages of a tail have the same size',
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

/** New pages of a grown database without a frame in the tail. The L0 file must contain them too. */
export function grownPages(tail: Tail, before: number, lockPgno: number): number[] {
  const missing: number[] = [];
  for (let pgno = before + 1; pgno <= tail.commit; pgno++) {
    if (!tail.has(pgno) && pgno !== lockPgno) missing.push(pgno);
  }
  return missing;
}
