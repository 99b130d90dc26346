// Page frames of an LTX file (ltx-format 1.2), in batches.
//
//   block   u32 pgno, u16 flags 1, u32 length N, N bytes LZ4 block
//   frame   u32 pgno, u16 flags 0, one LZ4 frame: 04224D18 64 40 A7, u32 LE block size (bit 31: stored
//           as it is), the block, u32 0, u32 LE xxh32 of the page
//
// The file checksum covers the 6 or 10 bytes before the payload and the page itself.

import { update } from './crc64';
import { compress, decompress } from './lz4';
import { BATCH_BYTES_MAX, COUNT_MAX, INPUT, OUTPUT, PGNOS, SIZES } from './memory';
import { xxh32 } from './xxh32';

const FRAME_START_SIZE: usize = 7; // magic, FLG, BD, header checksum
const FRAME_EXTRA: usize = FRAME_START_SIZE + 4 + 4 + 4;

export const STOPPED_INPUT: i32 = 0;
export const STOPPED_FULL: i32 = 1;
export const STOPPED_END: i32 = 2;
export const BAD_FLAGS: i32 = -1;
export const BAD_LENGTH: i32 = -2;
export const BAD_BLOCK: i32 = -3;
export const BAD_FRAME: i32 = -4;
export const BAD_HASH: i32 = -5;
export const BAD_PGNO: i32 = -6;

let register: u64 = 0;
let count: u32 = 0;
let consumed: u32 = 0;

export function crcAfter(): u64 {
  return ~register;
}
export function countAfter(): u32 {
  return count;
}
export function consumedAfter(): u32 {
  return consumed;
}

/** Encodes `pages` pages of the input, whose numbers are in PGNOS. Gives the bytes of output. */
export function encodePages(pages: u32, pageSize: usize, asFrames: bool, crc: u64): u32 {
  register = ~crc;
  let out: usize = OUTPUT;
  for (let i: u32 = 0; i < pages; i++) {
    const page: usize = INPUT + (i as usize) * pageSize;
    const start = out;
    store<u32>(out, bswap(load<u32>(PGNOS + i * 4)));
    if (asFrames) {
      store<u16>(out + 4, 0);
      register = update(register, out, 6);
      out = putFrame(page, pageSize, out + 6);
    } else {
      store<u16>(out + 4, 0x0100);
      const block = out + 10;
      const end = compress(page, pageSize as i32, block);
      store<u32>(out + 6, bswap((end - block) as u32));
      register = update(register, out, 10);
      out = end;
    }
    register = update(register, page, pageSize);
    store<u32>(SIZES + i * 4, (out - start) as u32);
  }
  return (out - OUTPUT) as u32;
}

function putFrame(page: usize, pageSize: usize, out: usize): usize {
  store<u32>(out, 0x184d2204);
  store<u8>(out + 4, 0x64);
  store<u8>(out + 5, 0x40);
  store<u8>(out + 6, 0xa7);
  const block = out + FRAME_START_SIZE + 4;
  let size = compress(page, pageSize as i32, block) - block;
  if (size >= pageSize) {
    memory.copy(block, page, pageSize);
    size = pageSize;
    store<u32>(block - 4, (size as u32) | 0x80000000);
  } else {
    store<u32>(block - 4, size as u32);
  }
  store<u32>(block + size, 0);
  store<u32>(block + size + 4, xxh32(page, pageSize));
  return block + size + 8;
}

/** Decodes whole frames from the first `length` bytes of input; gives why it stopped, or what is bad. */
export function decodePages(length: u32, pageSize: u32, crc: u64): i32 {
  register = ~crc;
  count = 0;
  consumed = 0;
  const end: usize = INPUT + length;
  const bound: u32 = pageSize + pageSize / 255 + 16;
  const room = min(BATCH_BYTES_MAX / pageSize, COUNT_MAX);
  let at: usize = INPUT;
  while (true) {
    if (end - at < 6) return stop(at, STOPPED_INPUT);
    const pgno = bswap(load<u32>(at));
    const flags = bswap(load<u16>(at + 4));
    if (pgno == 0) {
      if (flags != 0) return stop(at, BAD_PGNO);
      register = update(register, at, 6);
      return stop(at + 6, STOPPED_END);
    }
    if (flags > 1) return stop(at, BAD_FLAGS);
    if (count >= room) return stop(at, STOPPED_FULL);
    const page: usize = OUTPUT + count * pageSize;
    const next =
      flags == 1
        ? takeBlock(at, end, page, pageSize, bound)
        : takeFrame(at, end, page, pageSize);
    if (next == 0) return stop(at, STOPPED_INPUT);
    if (next < 0) return stop(at, next);
    register = update(register, at, flags == 1 ? 10 : 6);
    register = update(register, page, pageSize);
    store<u32>(PGNOS + count * 4, pgno);
    store<u32>(SIZES + count * 4, next as u32);
    at += next;
    count += 1;
  }
  return STOPPED_INPUT; // not reached: the loop ends by itself
}

function stop(at: usize, why: i32): i32 {
  consumed = (at - INPUT) as u32;
  return why;
}

/** Bytes of the frame; 0 where it is not whole yet, less where it is bad. */
function takeBlock(at: usize, end: usize, page: usize, pageSize: u32, bound: u32): i32 {
  if (end - at < 10) return 0;
  const length = bswap(load<u32>(at + 6));
  if (length == 0 || length > bound) return BAD_LENGTH;
  if (end - at - 10 < length) return 0;
  const block = at + 10;
  if (!decompress(block, block + length, page, pageSize)) return BAD_BLOCK;
  return (10 + length) as i32;
}

function takeFrame(at: usize, end: usize, page: usize, pageSize: u32): i32 {
  const frame = at + 6;
  if (end - frame < FRAME_START_SIZE + 4) return 0;
  if (load<u32>(frame) != 0x184d2204) return BAD_FRAME;
  if (load<u8>(frame + 4) != 0x64 || load<u8>(frame + 5) != 0x40) return BAD_FRAME;
  if (load<u8>(frame + 6) != 0xa7) return BAD_FRAME;
  const word = load<u32>(frame + FRAME_START_SIZE);
  const size = word & 0x7fffffff;
  if (size == 0 || size > pageSize) return BAD_LENGTH;
  if (end - frame < FRAME_EXTRA + size) return 0;
  const block = frame + FRAME_START_SIZE + 4;
  if (word >> 31) {
    if (size != pageSize) return BAD_LENGTH;
    memory.copy(page, block, size);
  } else if (!decompress(block, block + size, page, pageSize)) {
    return BAD_BLOCK;
  }
  if (load<u32>(block + size) != 0) return BAD_FRAME;
  if (load<u32>(block + size + 4) != xxh32(page, pageSize)) return BAD_HASH;
  return (6 + (FRAME_EXTRA as u32) + size) as i32;
}
