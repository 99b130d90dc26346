/** Which page numbers may follow each other in an LTX file (ltx-format sections 3 and 4). */

import { ReplicationError } from '../error.ts';
import { isSnapshot, lockPgno, type LTXHeader } from '../ltx/header.ts';

export class PageRules {
  readonly #commit: number;
  readonly #lock: number;
  readonly #isSnapshot: boolean;
  #last = 0;
  #count = 0;

  constructor(header: LTXHeader) {
    this.#commit = header.commit;
    this.#lock = lockPgno(header.pageSize);
    this.#isSnapshot = isSnapshot(header);
  }

  /** How many pages were checked. */
  get count(): number {
    return this.#count;
  }

  /** LTX_INVALID unless the page may come next. */
  check(pgno: number): void {
    const last = this.#last;
    if (pgno <= last) throw invalid(`page ${pgno} follows page ${last}`);
    if (pgno > this.#commit) throw invalid(`page ${pgno} lies beyond its ${this.#commit} pages`);
    if (pgno === this.#lock) throw invalid('it holds the lock page');
    const next = last + 1 === this.#lock ? last + 2 : last + 1;
    if (this.#isSnapshot && pgno !== next) throw invalid(`a snapshot leaves out page ${next}`);
    this.#last = pgno;
    this.#count += 1;
  }

  /** LTX_INVALID where a snapshot ends before its last page. */
  finish(): void {
    const last = this.#commit === this.#lock ? this.#commit - 1 : this.#commit;
    if (this.#isSnapshot && this.#last !== last) {
      throw invalid(`a snapshot of ${this.#commit} pages ends with page ${this.#last}`);
    }
  }
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', what);
}
