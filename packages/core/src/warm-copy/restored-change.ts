/** A complete restore as a change of a warm copy: every page. */

import fs from 'node:fs';
import { assert } from '../error.ts';
import { readFullySync } from '../file-io.ts';
import { lockPgno, type LTXHeader } from '../ltx/header.ts';
import type { Change } from './change.ts';

export class RestoredChange implements Change {
  readonly pageSize: number;
  readonly commit: number;
  readonly #descriptor: number;

  constructor(file: string, { pageSize, commit }: LTXHeader) {
    this.#descriptor = fs.openSync(file, 'r');
    this.pageSize = pageSize;
    this.commit = commit;
  }

  has(pgno: number): boolean {
    return pgno >= 1 && pgno <= this.commit && pgno !== lockPgno(this.pageSize);
  }

  *pgnos(): Generator<number, void> {
    for (let pgno = 1; pgno <= this.commit; pgno++) if (this.has(pgno)) yield pgno;
  }

  read(pgno: number, into: Uint8Array): void {
    const count = readFullySync(this.#descriptor, into, (pgno - 1) * this.pageSize);
    assert(count === into.length, 'a restored file is complete');
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}
