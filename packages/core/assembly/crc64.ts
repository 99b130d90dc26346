// CRC-64/ISO: x^64 + x^4 + x^3 + x + 1, reflected 0xD800000000000000, initial and final value all
// ones. Bit 63 - k of the register holds x^k.
//
// The polynomial is so sparse that a product with x^64 is a handful of shifts:
//   T(v) = v x^64       = f(v ^ v<<63 ^ v<<61 ^ v<<60), f(u) = u ^ u>>1 ^ u>>3 ^ u>>4
//   F(v) = v (x^64)^8   = v ^ v>>8 ^ v>>24 ^ v>>32 ^ g(h), h = v<<56 ^ v<<40 ^ v<<32,
//                         g(h) = h ^ h>>1 ^ h>>3 ^ h>>4
// so eight lanes of 64 bits fold over 64 bytes at a time, without tables.

const POLYNOMIAL: u64 = 0xd800000000000000;
/** From here on folding is worth its set-up. */
const FOLD_BYTES_MIN: usize = 128;

// @ts-ignore: decorator
@inline
function timesX64(v: u64): u64 {
  const u = v ^ (v << 63) ^ (v << 61) ^ (v << 60);
  return u ^ (u >> 1) ^ (u >> 3) ^ (u >> 4);
}

// @ts-ignore: decorator
@inline
function fold(v: v128): v128 {
  const h = v128.xor(v128.xor(i64x2.shl(v, 56), i64x2.shl(v, 40)), i64x2.shl(v, 32));
  const low = v128.xor(
    v128.xor(v, i64x2.shr_u(v, 8)),
    v128.xor(i64x2.shr_u(v, 24), i64x2.shr_u(v, 32)),
  );
  const high = v128.xor(
    v128.xor(h, i64x2.shr_u(h, 1)),
    v128.xor(i64x2.shr_u(h, 3), i64x2.shr_u(h, 4)),
  );
  return v128.xor(low, high);
}

// @ts-ignore: decorator
@inline
function timesX64Lanes(crc: u64, lanes: v128): u64 {
  const first = timesX64(crc ^ (i64x2.extract_lane(lanes, 0) as u64));
  return timesX64(first ^ (i64x2.extract_lane(lanes, 1) as u64));
}

/** The register after `length` bytes; without the inversion at both ends. */
export function update(register: u64, at: usize, length: usize): u64 {
  let crc = register;
  const end = at + length;
  if (length >= FOLD_BYTES_MIN) {
    let a = v128.xor(v128.load(at), i64x2.replace_lane(i64x2.splat(0), 0, crc as i64));
    let b = v128.load(at, 16);
    let c = v128.load(at, 32);
    let d = v128.load(at, 48);
    at += 64;
    while (at + 64 <= end) {
      a = v128.xor(fold(a), v128.load(at));
      b = v128.xor(fold(b), v128.load(at, 16));
      c = v128.xor(fold(c), v128.load(at, 32));
      d = v128.xor(fold(d), v128.load(at, 48));
      at += 64;
    }
    crc = timesX64Lanes(timesX64Lanes(timesX64Lanes(timesX64Lanes(0, a), b), c), d);
  }
  while (at + 8 <= end) {
    crc = timesX64(crc ^ load<u64>(at));
    at += 8;
  }
  while (at < end) {
    crc ^= load<u8>(at) as u64;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    at += 1;
  }
  return crc;
}

export function crc64(crc: u64, at: usize, length: usize): u64 {
  return ~update(~crc, at, length);
}

function multiply(a: u64, b: u64): u64 {
  let product: u64 = 0;
  while (a != 0) {
    if (a & 0x8000000000000000) product ^= b;
    a <<= 1;
    b = (b >> 1) ^ (POLYNOMIAL & (0 - (b & 1)));
  }
  return product;
}

/** `crc` times x^(8 length): what it contributes to the CRC of `length` bytes more. */
export function shiftCRC64(crc: u64, length: u64): u64 {
  let power: u64 = 1 << 55; // x^8
  let result = crc;
  while (length != 0) {
    if (length & 1) result = multiply(result, power);
    power = multiply(power, power);
    length >>= 1;
  }
  return result;
}
