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

/**
 * Fills a page, which is all zeros before, with the version of the live database. Returns 'changed' if
 * that version can no longer be read.
 */
export type ReadLivePage = (pgno: number, page: Uint8Array) => 'read' | 'changed';

export function comparePages(
  { file }: RestoredFile,
  { pageSize, commit }: LiveSize,
  readPage: ReadLivePage,
): Comparison {
  const descriptor = fs.openSync(file, 'r');
  try {
    const restoredPages = Math.ceil(fs.fstatSync(descriptor).size / pageSize);
    const pages = Math.max(restoredPages, commit);
    const lock = lockPgno(pageSize);
    const [ours, theirs] = [new Uint8Array(pageSize), new Uint8Array(pageSize)];
    let [equal, skipped, different, first] = [0, 0, 0, 0];
    for (let pgno = 1; pgno <= pages; pgno += 1) {
      if (pgno === lock) continue; // never used by SQLite
      const offset = (pgno - 1) * pageSize;
      ours.fill(0);
      theirs.fill(0);
      if (pgno <= restoredPages) readFullySync(descriptor, ours, offset);
      const isMissing = pgno > restoredPages || pgno > commit;
      if (!isMissing && readPage(pgno, theirs) === 'changed') skipped += 1;
      else if (!isMissing && Buffer.compare(ours, theirs) === 0) equal += 1;
      else {
        different += 1;
        if (first === 0) first = pgno;
      }
    }
    if (different > 0) return { kind: 'different', pages: different, first };
    return equal > 0
      ? { kind: 'equal', pages: equal, skipped }
      : { kind: 'not compared', why: 'the live database has changed every page since' };
  } finally {
    fs.closeSync(descriptor);
  }
}
