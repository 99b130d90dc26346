// LZ4 blocks. Sequence: token (4 bits literals, 4 bits match - 4), lengths from 15 on in 255-runs,
// literals, 2-byte little-endian offset, match. The last sequence is literals only; the last 5 bytes
// are literals, and no match starts within the last 12.
//
// The search looks at three positions at once, as pierrec/lz4 does, so that what Litestream's
// encoder makes of simple pages comes out here byte for byte. Table entries hold a base that grows
// from page to page: what an earlier page left there is seen to be old, and nothing is cleared.

const HASH_BITS: u32 = 12;
const TABLE: usize = memory.data(4 << 12, 16);
/** A match begins at least so far from the end. */
const MATCH_LIMIT: i32 = 14;
const SKIP_SHIFT: i32 = 7;

let base: u32 = 1;

// @ts-ignore: decorator
@inline
function slotOf(sequence: u64): usize {
  return TABLE + ((((sequence << 16) * 227718039650203) >> (64 - HASH_BITS)) as usize) * 4;
}

/** Where in this page an entry points; one that an earlier page left points to the page's start. */
// @ts-ignore: decorator
@inline
function placeOf(entry: u32, start: u32): i32 {
  return entry >= start ? ((entry - start) as i32) : 0;
}

// @ts-ignore: decorator
@inline
function copyWild(to: usize, from: usize, length: usize): void {
  const end = to + length;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

// @ts-ignore: decorator
@inline
function putLength(out: usize, rest: i32): usize {
  while (rest >= 255) {
    store<u8>(out, 255);
    out += 1;
    rest -= 255;
  }
  store<u8>(out, rest as u8);
  return out + 1;
}

/** Compresses `length` bytes (at most 64 KiB); gives the end of the block. Room: length + length/255 + 16 and slack. */
export function compress(source: usize, length: i32, out: usize): usize {
  const limit = length - MATCH_LIMIT;
  let at: i32 = 0;
  let anchor: i32 = 0;
  const start = base;
  if (start > 0xffff0000 - 65536) {
    memory.fill(TABLE, 0, 4 << HASH_BITS);
    base = 1;
    return compress(source, length, out);
  }
  base = start + (length as u32) + 1;
  while (at < limit) {
    const sequence = load<u64>(source + at);
    const slot = slotOf(sequence);
    const slot2 = slotOf(sequence >> 8);
    const known = placeOf(load<u32>(slot), start);
    const known2 = placeOf(load<u32>(slot2), start);
    store<u32>(slot, start + at);
    store<u32>(slot2, start + at + 1);
    let found = known;
    if (known >= at || load<u32>(source + known) != (sequence as u32)) {
      const slot3 = slotOf(sequence >> 16);
      const known3 = placeOf(load<u32>(slot3), start);
      at += 1;
      found = known2;
      if (known2 >= at || load<u32>(source + known2) != ((sequence >> 8) as u32)) {
        at += 1;
        found = known3;
        store<u32>(slot3, start + at);
        if (known3 >= at || load<u32>(source + known3) != ((sequence >> 16) as u32)) {
          at += 2 + ((at - anchor) >> SKIP_SHIFT);
          continue;
        }
      }
    }
    const offset = at - found;
    let begin = at;
    while (
      begin > anchor &&
      begin - offset > 0 &&
      load<u8>(source + begin - 1) == load<u8>(source + begin - offset - 1)
    ) {
      begin -= 1;
    }
    const literals = begin - anchor;
    at += 4;
    while (at + 8 <= limit) {
      const difference = load<u64>(source + at) ^ load<u64>(source + at - offset);
      if (difference != 0) {
        at += (ctz(difference) >> 3) as i32;
        break;
      }
      at += 8;
    }
    const match = at - begin - 4;
    const token = out;
    out += 1;
    let bits: i32 = match < 15 ? match : 15;
    if (literals < 15) {
      bits |= literals << 4;
    } else {
      bits |= 0xf0;
      out = putLength(out, literals - 15);
    }
    store<u8>(token, bits as u8);
    if (literals > 0) copyWild(out, source + anchor, literals);
    out += literals;
    store<u16>(out, offset as u16);
    out += 2;
    if (match >= 15) out = putLength(out, match - 15);
    anchor = at;
    if (at >= limit) break;
    store<u32>(slotOf(load<u64>(source + at - 2)), start + at - 2);
  }
  return putLiterals(source + anchor, length - anchor, out);
}

function putLiterals(from: usize, length: i32, out: usize): usize {
  if (length < 15) {
    store<u8>(out, (length << 4) as u8);
    out += 1;
  } else {
    store<u8>(out, 0xf0);
    out = putLength(out + 1, length - 15);
  }
  if (length > 0) copyWild(out, from, length);
  return out + length;
}

/**
 * Decompresses the block from `at` to `end` into exactly `size` bytes at `out`; false where it is
 * anything else. Reads nothing from `end` on but slack, writes nothing beyond `out + size` but slack
 * of 32 bytes.
 */
export function decompress(at: usize, end: usize, out: usize, size: usize): bool {
  const begin = out;
  const stop = out + size;
  while (at < end) {
    const token = load<u8>(at) as u32;
    at += 1;
    let length: usize = token >> 4;
    if (length == 15) {
      let more: usize;
      do {
        if (at >= end) return false;
        more = load<u8>(at);
        at += 1;
        length += more;
        if (length > size) return false;
      } while (more == 255);
    }
    if (length > end - at || length > stop - out) return false;
    if (length > 0) copyWild(out, at, length);
    at += length;
    out += length;
    if (at == end) return out == stop;
    if (end - at < 2) return false;
    const offset: usize = load<u16>(at);
    at += 2;
    if (offset == 0 || offset > out - begin) return false;
    length = token & 15;
    if (length == 15) {
      let more: usize;
      do {
        if (at >= end) return false;
        more = load<u8>(at);
        at += 1;
        length += more;
        if (length > size) return false;
      } while (more == 255);
    }
    length += 4;
    if (length > stop - out) return false;
    copyMatch(out, offset, length);
    out += length;
  }
  return false; // the last sequence has no match
}

// @ts-ignore: decorator
@inline
function copyMatch(out: usize, offset: usize, length: usize): void {
  if (offset >= 16) {
    copyWild(out, out - offset, length);
    return;
  }
  const end = out + length;
  if (offset >= 8) {
    let from = out - offset;
    do {
      store<u64>(out, load<u64>(from));
      out += 8;
      from += 8;
    } while (out < end);
    return;
  }
  if (offset == 1) {
    const fill = i8x16.splat(load<i8>(out - 1));
    do {
      v128.store(out, fill);
      out += 16;
    } while (out < end);
    return;
  }
  // A pattern of 2 to 7 bytes: written out until it is 8 or more long, then copied by 8.
  let from = out - offset;
  const spread = offset * ((7 + offset) / offset);
  const first = out + spread - offset;
  while (out < end && out < first) {
    store<u8>(out, load<u8>(from));
    out += 1;
    from += 1;
  }
  from = out - spread;
  while (out < end) {
    store<u64>(out, load<u64>(from));
    out += 8;
    from += 8;
  }
}
