/**
 * Checks the order of page numbers in an LTX file (ltx-format sections 3 and 4).
 *
 * Valid if and only if: each is at least 1 and at most the header's commit; none is the lock page;
 * they ascend. In addition, in a snapshot (min TXID 1): the first is 1, no page is missing but the
 * lock page, and the last is the last page that a database of `commit` pages stores.
 */

import { ReplicationError } from '../error.ts';
import { formatFilename } from './filename.ts';
import { isSnapshot, lockPgno, type LTXHeader } from './header.ts';

export class PageOrder {
  readonly #header: LTXHeader;
  readonly #lock: number;
  readonly #isSnapshot: boolean;
  #last = 0;
  #count = 0;

  constructor(header: LTXHeader) {
    this.#header = header;
    this.#lock = lockPgno(header.pageSize);
    this.#isSnapshot = isSnapshot(header);
  }

  /** Number of pages checked. */
  get count(): number {
    return this.#count;
  }

  /** LTX_INVALID unless this page may come next. */
  check(pgno: number): void {
    const last = this.#last;
    const { commit } = this.#header;
    if (pgno <= last) throw this.#invalid(`page ${pgno} follows page ${last}`);
    if (pgno > commit) throw this.#invalid(`page ${pgno} is beyond its ${commit} pages`);
    if (pgno === this.#lock) throw this.#invalid(`it holds page ${pgno}, the lock page`);
    const next = nextPgno(last, this.#header.pageSize);
    if (this.#isSnapshot && pgno !== next) {
      throw this.#invalid(`page ${next} of a snapshot is missing`);
    }
    this.#last = pgno;
    this.#count += 1;
  }

  /** LTX_INVALID if pages are missing at the end of a snapshot. */
  finish(): void {
    const { commit, pageSize } = this.#header;
    if (this.#isSnapshot && this.#last !== lastPgno(commit, pageSize)) {
      throw this.#invalid(`a snapshot of ${commit} pages ends with page ${this.#last}`);
    }
  }

  #invalid(what: string): ReplicationError {
    const { minTXID, maxTXID } = this.#header;
    const name = formatFilename(minTXID, maxTXID);
    return new ReplicationError('LTX_INVALID', `LTX file ${name}: ${what}`);
  }
}

/** The page after `pgno` in a file with all pages; 0 gives the first. */
export function nextPgno(pgno: number, pageSize: number): number {
  return pgno + 1 === lockPgno(pageSize) ? pgno + 2 : pgno + 1;
}

/** The last page that a database of `commit` pages stores. */
export function lastPgno(commit: number, pageSize: number): number {
  return commit === lockPgno(pageSize) ? commit - 1 : commit;
}
