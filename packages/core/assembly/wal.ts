// SQLite's WAL: the cumulative checksum, and frames checked in a batch.
//
// Frame: u32 BE pgno, u32 BE commit, u32 BE salt 1, u32 BE salt 2, u32 BE checksum 1, u32 BE checksum 2, page.
// A frame holds if and only if its salts are the header's, its pgno is not 0, and the checksum of the
// frame before, carried on over pgno, commit and page, is the one it bears.
// The checksum reads words in the byte order that the WAL's magic number tells.
//
// RESULT: u32 at 0 s0, at 4 s1; scanFrames leaves the state after the last frame that holds.

import { CHECKSUMS, COMMITS, ENTRIES_MAX, PGNOS, RESULT } from './memory';

const FRAME_HEADER_BYTES: u32 = 24;

/** Carries the checksum in RESULT on over `length` bytes, a multiple of 8. */
export function walChecksum(from: usize, length: u32, bigEndian: bool): void {
  if (bigEndian) checksumBigEndian(from, length);
  else checksumLittleEndian(from, length);
}

function checksumLittleEndian(from: usize, length: u32): void {
  let s0 = load<u32>(RESULT);
  let s1 = load<u32>(RESULT, 4);
  let p = from;
  const end = from + length;
  while (p < end) {
    s0 += load<u32>(p) + s1;
    s1 += load<u32>(p, 4) + s0;
    p += 8;
  }
  store<u32>(RESULT, s0);
  store<u32>(RESULT, s1, 4);
}

function checksumBigEndian(from: usize, length: u32): void {
  let s0 = load<u32>(RESULT);
  let s1 = load<u32>(RESULT, 4);
  let p = from;
  const end = from + length;
  while (p < end) {
    s0 += bswap<u32>(load<u32>(p)) + s1;
    s1 += bswap<u32>(load<u32>(p, 4)) + s0;
    p += 8;
  }
  store<u32>(RESULT, s0);
  store<u32>(RESULT, s1, 4);
}

/** Frames from the first that hold, the state before them in RESULT; fills PGNOS, COMMITS, CHECKSUMS. */
export function scanFrames(from: usize, length: u32, pageSize: u32, salt1: u32, salt2: u32, bigEndian: bool): u32 {
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  const end = from + length;
  let p = from;
  let count: u32 = 0;
  let s0 = load<u32>(RESULT);
  let s1 = load<u32>(RESULT, 4);
  while (<u32>(end - p) >= frameBytes && count < ENTRIES_MAX) {
    const pgno = bswap<u32>(load<u32>(p));
    if (pgno == 0) break;
    if (bswap<u32>(load<u32>(p, 8)) != salt1 || bswap<u32>(load<u32>(p, 12)) != salt2) break;
    walChecksum(p, 8, bigEndian);
    walChecksum(p + FRAME_HEADER_BYTES, pageSize, bigEndian);
    const n0 = load<u32>(RESULT);
    const n1 = load<u32>(RESULT, 4);
    if (bswap<u32>(load<u32>(p, 16)) != n0 || bswap<u32>(load<u32>(p, 20)) != n1) break;
    s0 = n0;
    s1 = n1;
    store<u32>(PGNOS + (count << 2), pgno);
    store<u32>(COMMITS + (count << 2), bswap<u32>(load<u32>(p, 4)));
    store<u32>(CHECKSUMS + (count << 3), s0);
    store<u32>(CHECKSUMS + (count << 3), s1, 4);
    count++;
    p += frameBytes;
  }
  store<u32>(RESULT, s0);
  store<u32>(RESULT, s1, 4);
  return count;
}
