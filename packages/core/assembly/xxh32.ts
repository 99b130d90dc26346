// xxHash, 32 bits, seed 0: the content checksum of an LZ4 frame.

const PRIME_1: u32 = 2654435761;
const PRIME_2: u32 = 2246822519;
const PRIME_3: u32 = 3266489917;
const PRIME_4: u32 = 668265263;
const PRIME_5: u32 = 374761393;

// @ts-ignore: decorator
@inline
function round(lane: u32, word: u32): u32 {
  return rotl<u32>(lane + word * PRIME_2, 13) * PRIME_1;
}

export function xxh32(from: usize, length: u32): u32 {
  let p = from;
  const end = from + length;
  let h: u32 = PRIME_5;
  if (length >= 16) {
    let a: u32 = PRIME_1 + PRIME_2;
    let b: u32 = PRIME_2;
    let c: u32 = 0;
    let d: u32 = 0 - PRIME_1;
    while (p + 16 <= end) {
      a = round(a, load<u32>(p));
      b = round(b, load<u32>(p, 4));
      c = round(c, load<u32>(p, 8));
      d = round(d, load<u32>(p, 12));
      p += 16;
    }
    h = rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18);
  }
  h += length;
  while (p + 4 <= end) {
    h = rotl<u32>(h + load<u32>(p) * PRIME_3, 17) * PRIME_4;
    p += 4;
  }
  while (p < end) {
    h = rotl<u32>(h + <u32>load<u8>(p) * PRIME_5, 11) * PRIME_1;
    p++;
  }
  h = (h ^ (h >> 15)) * PRIME_2;
  h = (h ^ (h >> 13)) * PRIME_3;
  return h ^ (h >> 16);
}
