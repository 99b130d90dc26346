// Page frames decoded into a window of a database: a run of pages, filled by the frames of several files, newest
// first. For restores.
//
// The window lies behind the memory of memory.ts, which the caller has grown for it: the pages, and at `taken` one
// byte for each page, 0 until the page is there. Each page is decoded into OUTPUT, because copies of the decoder run
// over its end, and hashed there. It is copied into the window if no newer file had it.
// RESULT: u64 crc register at 0; u32 at 8 pages, 12 bytes consumed, 16 the page number where it stopped, 20 hashed
// bytes, 24 the last page.

import { MEMORY_PAGES, OUTPUT, RESULT } from './memory';
import {
  FAULT,
  FAULT_FLAGS,
  FLAG_BLOCK,
  PAGE_HEADER_BYTES,
  SIZE_PREFIX_BYTES,
  STOPPED_END,
  STOPPED_INPUT,
  STOPPED_ORDER,
  takeBlock,
  takeFrame,
} from './pages';
import { crc64Update } from './crc64';

/** Where the pages begin. */
export const WINDOW: usize = MEMORY_PAGES << 16;

/**
 * Reads whole page frames at `from`; returns why it stopped. Page numbers must ascend from `after` and end at
 * `lastPgno`; pages after `commit` are decoded and hashed only.
 */
export function decodeWindow(
  from: usize,
  length: u32,
  pageSize: u32,
  crc: u64,
  after: u32,
  firstPgno: u32,
  lastPgno: u32,
  commit: u32,
  taken: usize,
): u32 {
  const end = from + length;
  let p = from;
  let last = after;
  let count: u32 = 0;
  let hashedBytes: u32 = 0;
  let register = crc;
  let stopped = STOPPED_INPUT;
  let pgno: u32 = 0;
  while (<u32>(end - p) >= PAGE_HEADER_BYTES) {
    pgno = bswap<u32>(load<u32>(p));
    const flags: u32 = bswap<u16>(load<u16>(p, 4));
    if (pgno == 0 || flags > FLAG_BLOCK) {
      stopped = pgno == 0 && flags == 0 ? STOPPED_END : FAULT_FLAGS;
      break;
    }
    if (pgno <= last || pgno > lastPgno) {
      stopped = STOPPED_ORDER;
      break;
    }
    const isBlock = flags == FLAG_BLOCK;
    const frame = isBlock ? takeBlock(p, end, OUTPUT, pageSize) : takeFrame(p, end, OUTPUT, pageSize);
    if (frame == STOPPED_INPUT || frame >= FAULT) {
      stopped = frame;
      break;
    }
    const head = isBlock ? PAGE_HEADER_BYTES + SIZE_PREFIX_BYTES : PAGE_HEADER_BYTES;
    register = crc64Update(crc64Update(register, p, head), OUTPUT, pageSize);
    hashedBytes += head + pageSize;
    const slot = pgno - firstPgno;
    if (pgno <= commit && load<u8>(taken + slot) == 0) {
      store<u8>(taken + slot, 1);
      memory.copy(WINDOW + slot * pageSize, OUTPUT, pageSize);
    }
    last = pgno;
    count++;
    p += frame;
  }
  store<u64>(RESULT, register);
  store<u32>(RESULT, count, 8);
  store<u32>(RESULT, <u32>(p - from), 12);
  store<u32>(RESULT, pgno, 16);
  store<u32>(RESULT, hashedBytes, 20);
  store<u32>(RESULT, last, 24);
  return stopped;
}
