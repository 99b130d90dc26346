/**
 * Makes the bucket that the restore benchmark reads: a local folder as Litestream lays it out, and
 * the database that it restores to. The same seed gives the same bytes.
 *
 * One snapshot of every page, then increments of as many random pages each as bring the files to
 * the wanted total. Pages are rows of text and of bytes that do not compress, about 2 to 1.
 */

import fs from 'node:fs';
import path from 'node:path';
import {
  createKernel,
  FLAG_NO_CHECKSUM,
  formatFilename,
  LTXEncoder,
  toTXID,
} from '@sluice/core/ltx';

export interface BucketShape {
  readonly databaseBytes: number;
  readonly bucketBytes: number;
  readonly files: number;
}

const PAGE_SIZE = 4096;
const BATCH_PAGES = 256;
const ROW_BYTES = 64;
/** Of each row; the rest is text. */
const RANDOM_BYTES = 28;
const TEXT = Buffer.from('the quick brown fox jumps over the lazy dog while customers order more ');

/** Writes `<folder>/bucket` and `<folder>/expected.db`. */
export function makeBucket(folder: string, shape: BucketShape): void {
  const commit = shape.databaseBytes / PAGE_SIZE;
  const versions = new Uint16Array(commit + 1);
  const all = Uint32Array.from({ length: commit }, (_, index) => index + 1);
  let sizeBytes = writeFile(folder, 9, 1, commit, all, versions);
  const bytesPerPage = sizeBytes / commit;
  const left = shape.files - 1;
  for (let txid = 2; txid <= shape.files; txid++) {
    const share = (shape.bucketBytes - sizeBytes) / (left - (txid - 2));
    const pgnos = randomPages(commit, Math.round(share / bytesPerPage), txid);
    for (const pgno of pgnos) versions[pgno] = txid;
    sizeBytes += writeFile(folder, 0, txid, commit, pgnos, versions);
  }
  writeDatabase(path.join(folder, 'expected.db'), commit, versions);
}

function writeFile(
  folder: string,
  level: number,
  txid: number,
  commit: number,
  pgnos: Uint32Array,
  versions: Uint16Array,
): number {
  const minTXID = toTXID(level === 9 ? 1 : txid);
  const maxTXID = toTXID(txid);
  const place = path.join(folder, 'bucket', 'ltx', String(level));
  fs.mkdirSync(place, { recursive: true });
  const file = fs.openSync(path.join(place, formatFilename(minTXID, maxTXID)), 'w');
  const encoder = new LTXEncoder(createKernel(), {
    flags: FLAG_NO_CHECKSUM,
    pageSize: PAGE_SIZE,
    commit,
    minTXID,
    maxTXID,
    timestampMs: 1_700_000_000_000 + txid * 1000,
    preApplyChecksum: 0n,
    walOffset: 32n,
    walSize: 0n,
    walSalt1: 0xffff_ffff,
    walSalt2: 0xffff_ffff,
    nodeID: 0n,
  });
  fs.writeSync(file, encoder.start());
  const pages = new Uint8Array(BATCH_PAGES * PAGE_SIZE);
  for (let at = 0; at < pgnos.length; at += BATCH_PAGES) {
    const batch = pgnos.subarray(at, at + BATCH_PAGES);
    fillPages(pages, batch, versions);
    fs.writeSync(file, encoder.pages(batch, pages.subarray(0, batch.length * PAGE_SIZE)));
  }
  const { bytes, sizeBytes } = encoder.finish();
  fs.writeSync(file, bytes);
  fs.closeSync(file);
  return sizeBytes;
}

function writeDatabase(file: string, commit: number, versions: Uint16Array): void {
  const descriptor = fs.openSync(file, 'w');
  const pages = new Uint8Array(BATCH_PAGES * PAGE_SIZE);
  for (let first = 1; first <= commit; first += BATCH_PAGES) {
    const length = Math.min(BATCH_PAGES, commit + 1 - first);
    const batch = Uint32Array.from({ length }, (_, index) => first + index);
    fillPages(pages, batch, versions);
    fs.writeSync(descriptor, pages, 0, length * PAGE_SIZE);
  }
  fs.closeSync(descriptor);
}

/** Bytes that depend on the page's number and version only. */
function fillPages(pages: Uint8Array, pgnos: Uint32Array, versions: Uint16Array): void {
  const words = new Uint32Array(pages.buffer);
  for (const [index, pgno] of pgnos.entries()) {
    let state = (Math.imul(pgno, 0x9e37_79b1) ^ Math.imul(versions[pgno] ?? 0, 0x85eb_ca6b)) | 1;
    const start = index * PAGE_SIZE;
    for (let row = start; row < start + PAGE_SIZE; row += ROW_BYTES) {
      for (let word = row / 4; word < (row + RANDOM_BYTES) / 4; word++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        words[word] = state;
      }
      const from = (state >>> 8) % (TEXT.length - (ROW_BYTES - RANDOM_BYTES));
      for (let i = 0; i < ROW_BYTES - RANDOM_BYTES; i++) {
        pages[row + RANDOM_BYTES + i] = TEXT[from + i] ?? 0;
      }
    }
  }
}

function randomPages(commit: number, count: number, seed: number): Uint32Array {
  const chosen = new Set<number>();
  let state = Math.imul(seed, 0x9e37_79b1) | 1;
  while (chosen.size < count) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    chosen.add(1 + ((state >>> 0) % commit));
  }
  return Uint32Array.from(chosen).sort();
}
