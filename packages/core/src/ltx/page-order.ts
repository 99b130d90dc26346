/**
 * Checks the numbers of a file's pages as they come, and remembers where their frames lie: as the
 * bytes of the index that they must have.
 */

import { ReplicationError } from '../error.ts';
import { isSnapshot, lockPgno, type LTXHeader } from './header.ts';
import { PageIndexWriter } from './page-index.ts';

export class PageOrder {
  readonly #header: LTXHeader;
  readonly #lock: number;
  readonly #index = new PageIndexWriter();
  #last = 0;
  #count = 0;

  constructor(header: LTXHeader) {
    this.#header = header;
    this.#lock = lockPgno(header.pageSize);
  }

  get count(): number {
    return this.#count;
  }

  /** Pages whose frames begin at `offset` and follow each other. LTX_INVALID where they must not. */
  add(pgnos: Uint32Array, sizes: Uint32Array, offset: number): void {
    let at = offset;
    for (let i = 0; i < pgnos.length; i++) {
      const pgno = pgnos[i] ?? 0;
      const size = sizes[i] ?? 0;
      this.#check(pgno);
      this.#index.add(pgno, at, size);
      at += size;
    }
    this.#count += pgnos.length;
  }

  /** LTX_INVALID where a snapshot has not all pages. */
  finish(): void {
    const { commit } = this.#header;
    const last = commit === this.#lock ? commit - 1 : commit;
    if (isSnapshot(this.#header) && this.#last !== last) {
      throw this.#invalid(`a snapshot of ${commit} pages ends with page ${this.#last}`);
    }
  }

  /** The index that these pages must have, with its length. */
  expectedIndex(): Uint8Array {
    return this.#index.finish();
  }

  #check(pgno: number): void {
    const last = this.#last;
    this.#last = pgno;
    if (pgno <= last) throw this.#invalid(`page ${pgno} follows page ${last}`);
    if (pgno > this.#header.commit) {
      throw this.#invalid(`page ${pgno} lies beyond its ${this.#header.commit} pages`);
    }
    if (pgno === this.#lock) throw this.#invalid('it holds the lock page');
    const skipsLock = last === this.#lock - 1 && pgno === this.#lock + 1;
    if (isSnapshot(this.#header) && pgno !== last + 1 && !skipsLock) {
      throw this.#invalid(`a snapshot leaves out page ${last + 1}`);
    }
  }

  #invalid(what: string): ReplicationError {
    const { minTXID, maxTXID } = this.#header;
    return new ReplicationError('LTX_INVALID', `LTX file ${minTXID}-${maxTXID}: ${what}`);
  }
}
