/**
 * The tail: pages of committed frames that we hold and have not cut into an L0 file yet.
 *
 * It is at most TAIL_BYTES_MAX large. A transaction that does not fit leaves the rest of its frames
 * in the WAL, and the tail only remembers where: then the reader must not move, and the cut is made
 * straight from the WAL.
 */

import type { FrameBatch } from '../wal/reader.ts';

/** Bytes of frames that are held in memory: a second of a fast writer, and little beside a process. */
export const TAIL_BYTES_MAX: number = 16 * 1024 * 1024;

/** A page, or the number of the frame in the present log that has it. */
export type HeldPage = Uint8Array | number;

export class Tail {
  readonly pages: Map<number, HeldPage> = new Map();
  /** When the first of its frames was read, in ms since 1970. */
  readonly since: number;
  #commit = 0;
  #bytes = 0;
  #spilled = false;

  constructor(now: number) {
    this.since = now;
  }

  /** Database size in pages after the last commit held; 0 while there is none. */
  get commit(): number {
    return this.#commit;
  }

  /** Bytes of pages that were read into memory, superseded ones included. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Whether some of the pages are held by frame number only. */
  get spilled(): boolean {
    return this.#spilled;
  }

  get isEmpty(): boolean {
    return this.#commit === 0;
  }

  /** Takes committed frames, in the order of the log. */
  add(batch: FrameBatch, bytesMax: number = TAIL_BYTES_MAX): void {
    for (let index = 0; index < batch.count; index++) {
      const pgno = batch.pgnos[index] ?? 0;
      const commit = batch.commits[index] ?? 0;
      if (this.#spilled || this.#bytes >= bytesMax) {
        this.#spilled = true;
        this.pages.set(pgno, batch.first + index);
      } else {
        const page = batch.page(index);
        this.#bytes += page.length;
        this.pages.set(pgno, page);
      }
      if (commit !== 0) this.#commit = commit;
    }
  }

  /** Page numbers up to `commit`, ascending: what the database has left of what was written. */
  pgnos(): Uint32Array {
    const kept = [...this.pages.keys()].filter((pgno) => pgno <= this.#commit);
    return Uint32Array.from(kept).sort();
  }
}

/** Pages that a grown database has and no frame of the tail wrote: they must be in the file all the same. */
export function grownPages(tail: Tail, before: number, lockPgno: number): number[] {
  const missing: number[] = [];
  for (let pgno = before + 1; pgno <= tail.commit; pgno++) {
    if (!tail.pages.has(pgno) && pgno !== lockPgno) missing.push(pgno);
  }
  return missing;
}
