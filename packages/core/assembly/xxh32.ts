// XXH32 with seed 0: the checksums of LZ4 frames.

const P1: u32 = 2654435761;
const P2: u32 = 2246822519;
const P3: u32 = 3266489917;
const P4: u32 = 668265263;
const P5: u32 = 374761393;

// @ts-ignore: decorator
@inline
function round(accumulator: u32, word: u32): u32 {
  return rotl(accumulator + word * P2, 13) * P1;
}

export function xxh32(at: usize, length: usize): u32 {
  const end = at + length;
  let hash: u32;
  if (length >= 16) {
    let a: u32 = P1 + P2;
    let b: u32 = P2;
    let c: u32 = 0;
    let d: u32 = 0 - P1;
    do {
      a = round(a, load<u32>(at));
      b = round(b, load<u32>(at, 4));
      c = round(c, load<u32>(at, 8));
      d = round(d, load<u32>(at, 12));
      at += 16;
    } while (at + 16 <= end);
    hash = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
  } else {
    hash = P5;
  }
  hash += length as u32;
  while (at + 4 <= end) {
    hash = rotl(hash + load<u32>(at) * P3, 17) * P4;
    at += 4;
  }
  while (at < end) {
    hash = rotl(hash + (load<u8>(at) as u32) * P5, 11) * P1;
    at += 1;
  }
  hash = (hash ^ (hash >> 15)) * P2;
  hash = (hash ^ (hash >> 13)) * P3;
  return hash ^ (hash >> 16);
}
