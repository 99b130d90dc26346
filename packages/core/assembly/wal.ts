// The WAL's cumulative checksum: s0 += x[i] + s1, s1 += x[i+1] + s0 over 32-bit words, in the byte
// order that the magic number tells; and frames that hold by it.

import { CHECKSUMS, INPUT, PGNOS, SIZES } from './memory';

let s0: u32 = 0;
let s1: u32 = 0;

export function sum0(): u32 {
  return s0;
}
export function sum1(): u32 {
  return s1;
}

// @ts-ignore: decorator
@inline
function word(at: usize, bigEndian: bool): u32 {
  const value = load<u32>(at);
  return bigEndian ? bswap(value) : value;
}

function add(at: usize, length: usize, bigEndian: bool): void {
  let a = s0;
  let b = s1;
  const end = at + length;
  if (bigEndian) {
    for (; at < end; at += 8) {
      a += bswap(load<u32>(at)) + b;
      b += bswap(load<u32>(at, 4)) + a;
    }
  } else {
    for (; at < end; at += 8) {
      a += load<u32>(at) + b;
      b += load<u32>(at, 4) + a;
    }
  }
  s0 = a;
  s1 = b;
}

export function walChecksum(length: usize, bigEndian: bool, first: u32, second: u32): void {
  s0 = first;
  s1 = second;
  add(INPUT, length, bigEndian);
}

/** Frames in the input that hold, from the first: their pgnos, commits (in SIZES) and checksums. */
export function scanFrames(
  length: usize,
  pageSize: usize,
  salt1: u32,
  salt2: u32,
  bigEndian: bool,
  first: u32,
  second: u32,
): u32 {
  s0 = first;
  s1 = second;
  const frameSize = pageSize + 24;
  let count: u32 = 0;
  for (let at: usize = INPUT; at + frameSize <= INPUT + length; at += frameSize) {
    if (word(at + 8, true) != salt1 || word(at + 12, true) != salt2) break;
    add(at, 8, bigEndian);
    add(at + 24, pageSize, bigEndian);
    if (word(at + 16, true) != s0 || word(at + 20, true) != s1) break;
    store<u32>(PGNOS + count * 4, word(at, true));
    store<u32>(SIZES + count * 4, word(at + 4, true));
    store<u32>(CHECKSUMS + count * 8, s0);
    store<u32>(CHECKSUMS + count * 8 + 4, s1);
    count += 1;
  }
  return count;
}
