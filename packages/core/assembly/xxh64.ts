// XXH64 of whole pages, for comparing versions of a page. Pages are a multiple of 32 bytes, so the
// steps of XXH64 for a shorter rest are left out.
//
// CRC-64/ISO is not used for that: its polynomial has five terms, so 255 different small changes in
// three bytes at distances 7 and 8 leave the CRC unchanged, as in two integers side by side.

import { CHECKSUMS } from './memory';

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;

// @ts-ignore: decorator
@inline
function round(lane: u64, word: u64): u64 {
  return rotl<u64>(lane + word * PRIME_2, 31) * PRIME_1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4;
}

function hashPage(from: usize, pageSize: u32, seed: u64): u64 {
  let a = seed + PRIME_1 + PRIME_2;
  let b = seed + PRIME_2;
  let c = seed;
  let d = seed - PRIME_1;
  const end = from + pageSize;
  for (let p = from; p < end; p += 32) {
    a = round(a, load<u64>(p));
    b = round(b, load<u64>(p, 8));
    c = round(c, load<u64>(p, 16));
    d = round(d, load<u64>(p, 24));
  }
  let hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
  hash = merge(merge(merge(merge(hash, a), b), c), d) + <u64>pageSize;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

/** Writes the hashes of `count` pages to CHECKSUMS, 8 bytes each. */
export function hashPages(count: u32, from: usize, pageSize: u32, seed: u64): void {
  for (let index: u32 = 0; index < count; index++) {
    store<u64>(CHECKSUMS + (index << 3), hashPage(from + index * pageSize, pageSize, seed));
  }
}
