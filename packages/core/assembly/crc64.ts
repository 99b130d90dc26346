// CRC-64/ISO without tables.
//
// Polynomial x^64 + x^4 + x^3 + x + 1, reflected: bit 63 - k of the register holds x^k, so a shift to
// the right multiplies by x. Initial and final value all ones; "123456789" gives b90956c775a41001.
//
// The polynomial is so sparse that reducing takes a few shifts: what overflowed, h, comes back as
// h * (x^4 + x^3 + x + 1) = h * (1 + x)(1 + x^3). Squaring over GF(2) squares each term, so
// x^512 = (x^64)^8 = x^32 + x^24 + x^8 + 1 = (1 + x^8)(1 + x^24): a step over 64 bytes is as cheap as
// one over 8, and eight lanes of 64 bits run independently of each other.

/** h * (x^4 + x^3 + x + 1), for h of a degree below 60. */
// @ts-ignore: decorator
@inline
function reduce(h: u64): u64 {
  const a = h ^ (h >> 1);
  return a ^ (a >> 3);
}

/** v * x^64: the register after the 8 bytes that were xored into it. */
// @ts-ignore: decorator
@inline
function advance(v: u64): u64 {
  return reduce(v ^ (v << 63) ^ (v << 61) ^ (v << 60));
}

/** v * x^512, for two lanes. */
// @ts-ignore: decorator
@inline
function fold(v: v128): v128 {
  const a = v128.xor(v, i64x2.shr_u(v, 8));
  const kept = v128.xor(a, i64x2.shr_u(a, 24));
  const over = v128.xor(v128.xor(i64x2.shl(v, 56), i64x2.shl(v, 40)), i64x2.shl(v, 32));
  const b = v128.xor(over, i64x2.shr_u(over, 1));
  return v128.xor(kept, v128.xor(b, i64x2.shr_u(b, 3)));
}

/** The register (not inverted) after `length` bytes at `from`. */
export function crc64Update(register: u64, from: usize, length: u32): u64 {
  let p = from;
  const end = from + length;
  let r = register;
  if (length >= 128) {
    let a = v128.xor(v128.load(p), i64x2.replace_lane(i64x2.splat(0), 0, r));
    let b = v128.load(p, 16);
    let c = v128.load(p, 32);
    let d = v128.load(p, 48);
    p += 64;
    while (p + 64 <= end) {
      a = v128.xor(fold(a), v128.load(p));
      b = v128.xor(fold(b), v128.load(p, 16));
      c = v128.xor(fold(c), v128.load(p, 32));
      d = v128.xor(fold(d), v128.load(p, 48));
      p += 64;
    }
    r = advance(i64x2.extract_lane(a, 0));
    r = advance(r ^ i64x2.extract_lane(a, 1));
    r = advance(r ^ i64x2.extract_lane(b, 0));
    r = advance(r ^ i64x2.extract_lane(b, 1));
    r = advance(r ^ i64x2.extract_lane(c, 0));
    r = advance(r ^ i64x2.extract_lane(c, 1));
    r = advance(r ^ i64x2.extract_lane(d, 0));
    r = advance(r ^ i64x2.extract_lane(d, 1));
  }
  while (p + 8 <= end) {
    r = advance(r ^ load<u64>(p));
    p += 8;
  }
  while (p < end) {
    r = (r >> 8) ^ reduce((r ^ <u64>load<u8>(p)) << 56);
    p++;
  }
  return r;
}

/** x^8, one byte further: bit 63 - 8. */
const ONE_BYTE: u64 = 1 << 55;

/** a * b mod P. */
function multiply(a: u64, b: u64): u64 {
  let product: u64 = 0;
  let shifted = b;
  for (let rest = a; rest != 0; rest <<= 1) {
    if (<i64>rest < 0) product ^= shifted;
    const over = (shifted & 1) << 63;
    shifted = (shifted >> 1) ^ reduce(over);
  }
  return product;
}

/**
 * crc * x^(8 * length) mod P: what a CRC becomes when `length` bytes follow, but for their own CRC.
 * The ones at both ends cancel out: crc(A || B) = shift(crc(A), |B|) ^ crc(B).
 */
export function crc64Shift(crc: u64, length: u64): u64 {
  let result = crc;
  let power = ONE_BYTE;
  for (let rest = length; rest != 0; rest >>= 1) {
    if (rest & 1) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}
