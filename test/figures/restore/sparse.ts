/**
 * Makes a bucket with one snapshot of a large database whose pages are nearly all zero: it is small,
 * but a restore has as many pages to decode and write as for any other database of that size.
 */

import fs from 'node:fs';
import path from 'node:path';
import {
  BATCH_BYTES_MAX,
  createKernel,
  FLAG_NO_CHECKSUM,
  formatFilename,
  lockPgno,
  LTXEncoder,
  toTXID,
} from '@sluice/core/ltx';

const PAGE_SIZE = 4096;
const BATCH_PAGES = BATCH_BYTES_MAX / PAGE_SIZE;
const TXID = toTXID(1);

/** Writes `<folder>/ltx/9/…`. The database is past the lock page if it is larger than 1 GiB. */
export function makeSparseBucket(folder: string, databaseBytes: number): void {
  const commit = databaseBytes / PAGE_SIZE;
  const level = path.join(folder, 'ltx', '9');
  fs.mkdirSync(level, { recursive: true });
  const file = fs.openSync(path.join(level, formatFilename(TXID, TXID)), 'w');
  const encoder = new LTXEncoder(createKernel(), {
    flags: FLAG_NO_CHECKSUM,
    pageSize: PAGE_SIZE,
    commit,
    minTXID: TXID,
    maxTXID: TXID,
    timestampMs: 1_700_000_000_000,
    preApplyChecksum: 0n,
    walOffset: 32n,
    walSize: 0n,
    walSalt1: 0xffff_ffff,
    walSalt2: 0xffff_ffff,
    nodeID: 0n,
  });
  fs.writeSync(file, encoder.start());
  const lock = lockPgno(PAGE_SIZE);
  const zeros = new Uint8Array(BATCH_PAGES * PAGE_SIZE);
  for (let first = 1; first <= commit; first += BATCH_PAGES) {
    const length = Math.min(BATCH_PAGES, commit + 1 - first);
    const pgnos = Uint32Array.from({ length }, (_, index) => first + index).filter(
      (pgno) => pgno !== lock,
    );
    fs.writeSync(file, encoder.pages(pgnos, zeros.subarray(0, pgnos.length * PAGE_SIZE)));
  }
  fs.writeSync(file, encoder.finish().bytes);
  fs.closeSync(file);
}
