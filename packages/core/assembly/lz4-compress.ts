// LZ4 blocks, written. lz4-decompress.ts has the format.
//
// Two rules of the format bind only the writer: the last 5 bytes are literals, and the last match
// starts at least 12 bytes before the end.
//
// The search takes the decisions of pierrec/lz4's fast compressor, which Litestream uses: hash 6
// bytes, look at three positions in a row, skip one, and skip more the longer nothing was found;
// extend a match 8 bytes at a time. So simple pages give the same bytes as Litestream's.

import { HASHES } from './memory';
import { copyLiterals } from './copy';

/** No match begins, and none is extended, within this many bytes of the end (the format: 12 and 5). */
const TAIL_BYTES: u32 = 14;

/** Bytes without a match after which each step grows by one more. */
const SKIP_SHIFT: u32 = 7;

const PRIME_6_BYTES: u64 = 227718039650203;

/** Worst size of a block: one byte for each 255 literals, token and rounding. */
export function blockBound(length: u32): u32 {
  return length + length / 255 + 16;
}

/** Positions of 2 bytes; small pages get a small table, since it is cleared for each page. */
function hashBitsFor(length: u32): u32 {
  if (length <= 1024) return 10;
  if (length <= 4096) return 12;
  return 13;
}

// @ts-ignore: decorator
@inline
function slotOf(word: u64, shift: u32): usize {
  return HASHES + ((<usize>(((word << 16) * PRIME_6_BYTES) >> shift)) << 1);
}

/** The bytes that say how much of a length goes beyond the 15 in the token. */
// @ts-ignore: decorator
@inline
function putLength(to: usize, beyond: u32): usize {
  let t = to;
  let rest = beyond;
  while (rest >= 255) {
    store<u8>(t++, 255);
    rest -= 255;
  }
  store<u8>(t++, <u8>rest);
  return t;
}

/** Token and literals; the match length is added to the token by the caller. */
// @ts-ignore: decorator
@inline
function putLiterals(to: usize, from: usize, literals: u32): usize {
  let t = to + 1;
  if (literals < 15) {
    store<u8>(to, <u8>(literals << 4));
    v128.store(t, v128.load(from));
    return t + literals;
  }
  store<u8>(to, 0xf0);
  t = putLength(t, literals - 15);
  copyLiterals(t, from, literals);
  return t + literals;
}

/** Writes the block of `length` bytes (at most 65,536) and returns its size. */
export function compressBlock(from: usize, length: u32, to: usize): u32 {
  let t = to;
  let anchor = from;
  const end = from + length;
  if (length > TAIL_BYTES) {
    const bits = hashBitsFor(length);
    const shift = 64 - bits;
    // A slot of 0 stands for the first position, a candidate like any other: each is compared.
    memory.fill(HASHES, 0, 2 << bits);
    const searchEnd = end - TAIL_BYTES;
    let p = from;
    while (p < searchEnd) {
      // Three positions share one load.
      const word = load<u64>(p);
      const slot1 = slotOf(word, shift);
      const slot2 = slotOf(word >> 8, shift);
      const position = <u32>(p - from);
      let candidate = from + <usize>load<u16>(slot1);
      const candidate2 = from + <usize>load<u16>(slot2);
      store<u16>(slot1, <u16>position);
      store<u16>(slot2, <u16>(position + 1));

      if (candidate >= p || <u32>word != load<u32>(candidate)) {
        const slot3 = slotOf(word >> 16, shift);
        const candidate3 = from + <usize>load<u16>(slot3);
        p++;
        candidate = candidate2;
        if (candidate >= p || <u32>(word >> 8) != load<u32>(candidate)) {
          p++;
          store<u16>(slot3, <u16>(position + 2));
          candidate = candidate3;
          if (candidate >= p || <u32>(word >> 16) != load<u32>(candidate)) {
            p += 2 + (<u32>(p - anchor) >> SKIP_SHIFT);
            continue;
          }
        }
      }

      // A match of 4 bytes. What is equal before it belongs to it as well.
      const offset = <u32>(p - candidate);
      let start = p;
      p += 4;
      while (start > anchor && start - offset > from && load<u8>(start - 1) == load<u8>(start - offset - 1)) start--;
      while (p + 8 <= searchEnd) {
        const difference = load<u64>(p) ^ load<u64>(p - offset);
        if (difference != 0) {
          p += <usize>(ctz<u64>(difference) >> 3);
          break;
        }
        p += 8;
      }

      const token = t;
      t = putLiterals(t, anchor, <u32>(start - anchor));
      store<u16>(t, <u16>offset);
      t += 2;
      const match = <u32>(p - start) - 4;
      if (match < 15) {
        store<u8>(token, load<u8>(token) | <u8>match);
      } else {
        store<u8>(token, load<u8>(token) | 15);
        t = putLength(t, match - 15);
      }
      anchor = p;
      if (p >= searchEnd) break;
      store<u16>(slotOf(load<u64>(p - 2), shift), <u16>(p - 2 - from));
    }
  }
  return <u32>(putLiterals(t, anchor, <u32>(end - anchor)) - to);
}
