/** Compares a restored file with the live database, page by page. */

import fs from 'node:fs';
import { readFullySync } from '../file-io.ts';
import { lockPgno } from '../ltx/header.ts';
import type { Comparison, KnownState } from './verdict.ts';

export interface RestoredFile extends KnownState {
  readonly file: string;
}

/** Size of the live database, from its position. */
export interface LiveSize {
  readonly pageSize: number;
  /** In pages. */
  readonly commit: number;
}

/** `readPage` fills a page of the live database at its offset in the file; the page is all zeros before. */
export function comparePages(
  { file }: RestoredFile,
  { pageSize, commit }: LiveSize,
  readPage: (page: Uint8Array, offset: number) => void,
): Comparison {
  const descriptor = fs.openSync(file, 'r');
  try {
    const restoredPages = Math.ceil(fs.fstatSync(descriptor).size / pageSize);
    const pages = Math.max(restoredPages, commit);
    const lock = lockPgno(pageSize);
    const [ours, theirs] = [new Uint8Array(pageSize), new Uint8Array(pageSize)];
    let different = 0;
    let first = 0;
    for (let pgno = 1; pgno <= pages; pgno += 1) {
      if (pgno === lock) continue; // never used by SQLite
      const offset = (pgno - 1) * pageSize;
      ours.fill(0);
      theirs.fill(0);
      if (pgno <= restoredPages) readFullySync(descriptor, ours, offset);
      if (pgno <= commit) readPage(theirs, offset);
      const isMissing = pgno > restoredPages || pgno > commit;
      if (!isMissing && Buffer.compare(ours, theirs) === 0) continue;
      different += 1;
      if (first === 0) first = pgno;
    }
    return different === 0
      ? { kind: 'equal', pages }
      : { kind: 'different', pages: different, first };
  } finally {
    fs.closeSync(descriptor);
  }
}
