// Batches of page frames of an LTX file.
//
// Block encoding:  u32 BE pgno, u16 BE flags = 1, u32 BE size, LZ4 block of that size
// Frame encoding:  u32 BE pgno, u16 BE flags = 0, one LZ4 frame:
//                    04 22 4d 18  64 40 a7   magic; version 1, independent blocks, content checksum; 64 KiB
//                    u32 LE                  size of the block; bit 31: stored as it is
//                    ...                     the block, the only one
//                    00 00 00 00             no more blocks
//                    u32 LE                  xxh32 of the page
// End:             six zero bytes
//
// The file checksum covers the header (6 or 10 bytes) and the page itself, not what it was packed into.
// RESULT: u64 crc register at 0; u32 at 8 pages, 12 bytes consumed, 16 the page number where it stopped.

import { BATCH_BYTES_MAX, OUTPUT, PGNOS, RESULT, SIZES } from './memory';
import { blockBound, compressBlock } from './lz4-compress';
import { decompressBlock } from './lz4-decompress';
import { crc64Update } from './crc64';
import { xxh32 } from './xxh32';
import { copyLiterals } from './copy';

export const FLAG_BLOCK: u32 = 1;

const FRAME_MAGIC: u32 = 0x184d2204;
const FRAME_DESCRIPTOR_1: u16 = 0x4064; // FLG 64, BD 40
const FRAME_DESCRIPTOR_2: u8 = 0xa7; // checksum of the two
const FRAME_STORED: u32 = 0x80000000;
/** Magic, descriptor, size of the block. */
const FRAME_HEAD_BYTES: u32 = 11;
/** End mark, content checksum. */
const FRAME_TAIL_BYTES: u32 = 8;

export const PAGE_HEADER_BYTES: u32 = 6;
export const SIZE_PREFIX_BYTES: u32 = 4;

// Why decodePages stopped. src/kernel/wasm-kernel.ts knows these numbers. A fault has FAULT set.
export const STOPPED_INPUT: u32 = 0;
const STOPPED_FULL: u32 = 1;
export const STOPPED_END: u32 = 2;
/** Only in window.ts. */
export const STOPPED_ORDER: u32 = 3;
export const FAULT: u32 = 0x80000000;
export const FAULT_FLAGS: u32 = FAULT | 0;
const FAULT_SIZE: u32 = FAULT | 1;
const FAULT_BLOCK: u32 = FAULT | 2;
const FAULT_FRAME_HEADER: u32 = FAULT | 3;
const FAULT_FRAME_END: u32 = FAULT | 4;
const FAULT_FRAME_CHECKSUM: u32 = FAULT | 5;

/** Writes the page frames of `count` pages at `from` to OUTPUT; returns their size together. */
export function encodePages(count: u32, from: usize, pageSize: u32, flags: u32, crc: u64): u32 {
  let t: usize = OUTPUT;
  let p = from;
  let register = crc;
  for (let i: u32 = 0; i < count; i++) {
    const start = t;
    store<u32>(t, bswap<u32>(load<u32>(PGNOS + (i << 2))));
    store<u16>(t, bswap<u16>(<u16>flags), 4);
    t += PAGE_HEADER_BYTES;
    if (flags == FLAG_BLOCK) {
      const size = compressBlock(p, pageSize, t + SIZE_PREFIX_BYTES);
      store<u32>(t, bswap<u32>(size));
      t += SIZE_PREFIX_BYTES;
      register = crc64Update(register, start, PAGE_HEADER_BYTES + SIZE_PREFIX_BYTES);
      t += size;
    } else {
      register = crc64Update(register, start, PAGE_HEADER_BYTES);
      t = putFrame(t, p, pageSize);
    }
    register = crc64Update(register, p, pageSize);
    store<u32>(SIZES + (i << 2), <u32>(t - start));
    p += pageSize;
  }
  store<u64>(RESULT, register);
  return <u32>(t - OUTPUT);
}

function putFrame(to: usize, page: usize, pageSize: u32): usize {
  let t = to + FRAME_HEAD_BYTES;
  store<u32>(to, FRAME_MAGIC);
  store<u16>(to, FRAME_DESCRIPTOR_1, 4);
  store<u8>(to, FRAME_DESCRIPTOR_2, 6);
  const size = compressBlock(page, pageSize, t);
  if (size < pageSize) {
    store<u32>(to, size, 7);
    t += size;
  } else {
    store<u32>(to, pageSize | FRAME_STORED, 7);
    copyLiterals(t, page, pageSize);
    t += pageSize;
  }
  store<u32>(t, 0);
  store<u32>(t, xxh32(page, pageSize), 4);
  return t + FRAME_TAIL_BYTES;
}

/** Reads whole page frames at `from` into OUTPUT, PGNOS and SIZES; returns why it stopped. */
export function decodePages(from: usize, length: u32, pageSize: u32, crc: u64): u32 {
  const end = from + length;
  const countMax = BATCH_BYTES_MAX / pageSize;
  let p = from;
  let t: usize = OUTPUT;
  let count: u32 = 0;
  let register = crc;
  let stopped = STOPPED_INPUT;
  let pgno: u32 = 0;
  while (<u32>(end - p) >= PAGE_HEADER_BYTES) {
    pgno = bswap<u32>(load<u32>(p));
    const flags: u32 = bswap<u16>(load<u16>(p, 4));
    if (pgno == 0 && flags == 0) {
      register = crc64Update(register, p, PAGE_HEADER_BYTES);
      p += PAGE_HEADER_BYTES;
      stopped = STOPPED_END;
      break;
    }
    if (pgno == 0 || flags > FLAG_BLOCK) {
      stopped = FAULT_FLAGS;
      break;
    }
    if (count == countMax) {
      stopped = STOPPED_FULL;
      break;
    }
    const frame = flags == FLAG_BLOCK ? takeBlock(p, end, t, pageSize) : takeFrame(p, end, t, pageSize);
    if (frame == STOPPED_INPUT || frame >= FAULT) {
      stopped = frame;
      break;
    }
    const hashed = flags == FLAG_BLOCK ? PAGE_HEADER_BYTES + SIZE_PREFIX_BYTES : PAGE_HEADER_BYTES;
    register = crc64Update(crc64Update(register, p, hashed), t, pageSize);
    store<u32>(PGNOS + (count << 2), pgno);
    store<u32>(SIZES + (count << 2), frame);
    count++;
    p += frame;
    t += pageSize;
  }
  store<u64>(RESULT, register);
  store<u32>(RESULT, count, 8);
  store<u32>(RESULT, <u32>(p - from), 12);
  store<u32>(RESULT, pgno, 16);
  return stopped;
}

/** Size of the page frame at `p`, or STOPPED_INPUT when it is not whole, or a fault. */
export function takeBlock(p: usize, end: usize, to: usize, pageSize: u32): u32 {
  const head = PAGE_HEADER_BYTES + SIZE_PREFIX_BYTES;
  if (<u32>(end - p) < head) return STOPPED_INPUT;
  const size = bswap<u32>(load<u32>(p, PAGE_HEADER_BYTES));
  // Said at once: waiting for the rest of a size that lies could take 4 GiB.
  if (size == 0 || size > blockBound(pageSize)) return FAULT_SIZE;
  if (<u32>(end - p) - head < size) return STOPPED_INPUT;
  return decompressBlock(p + head, size, to, pageSize) ? head + size : FAULT_BLOCK;
}

/** As takeBlock. */
export function takeFrame(p: usize, end: usize, to: usize, pageSize: u32): u32 {
  const head = PAGE_HEADER_BYTES + FRAME_HEAD_BYTES;
  if (<u32>(end - p) < head) return STOPPED_INPUT;
  if (
    load<u32>(p, PAGE_HEADER_BYTES) != FRAME_MAGIC ||
    load<u16>(p, PAGE_HEADER_BYTES + 4) != FRAME_DESCRIPTOR_1 ||
    load<u8>(p, PAGE_HEADER_BYTES + 6) != FRAME_DESCRIPTOR_2
  ) {
    return FAULT_FRAME_HEADER;
  }
  const prefix = load<u32>(p, PAGE_HEADER_BYTES + 7);
  const stored = (prefix & FRAME_STORED) != 0;
  const size = prefix & ~FRAME_STORED;
  // A writer stores a block that does not get smaller.
  if (stored ? size != pageSize : size == 0 || size > pageSize) return FAULT_SIZE;
  if (<u32>(end - p) - head < size + FRAME_TAIL_BYTES) return STOPPED_INPUT;
  const block = p + head;
  if (stored) copyLiterals(to, block, size);
  else if (!decompressBlock(block, size, to, pageSize)) return FAULT_BLOCK;
  if (load<u32>(block + size) != 0) return FAULT_FRAME_END;
  if (load<u32>(block + size, 4) != xxh32(to, pageSize)) return FAULT_FRAME_CHECKSUM;
  return head + size + FRAME_TAIL_BYTES;
}
