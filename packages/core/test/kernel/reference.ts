/**
 * Reference implementations of the kernel's algorithms. They are simple instead of fast, work bit by
 * bit and byte by byte, and reject everything that a format forbids.
 */

const MASK_64 = 0xffffffffffffffffn;

/** CRC-64/ISO by its definition: reflected polynomial, initial value and final XOR all ones. */
export function referenceCRC64(bytes: Uint8Array, crc = 0n): bigint {
  let register = crc ^ MASK_64;
  for (const byte of bytes) {
    register ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      register = (register >> 1n) ^ ((register & 1n) === 1n ? 0xd800000000000000n : 0n);
    }
  }
  return register ^ MASK_64;
}

/** xxHash32 with seed 0, from its specification. */
export function referenceXXH32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [p1, p2, p3, p4, p5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1];
  const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
  let at = 0;
  let hash = p5;
  if (bytes.length >= 16) {
    const lanes = [(p1 + p2) | 0, p2, 0, -p1];
    for (; at + 16 <= bytes.length; at += 16) {
      for (const [i, lane] of lanes.entries()) {
        const word = Math.imul(view.getUint32(at + 4 * i, true), p2);
        lanes[i] = Math.imul(rotate((lane + word) | 0, 13), p1);
      }
    }
    hash = [1, 7, 12, 18].reduce((sum, by, i) => (sum + rotate(lanes[i] ?? 0, by)) | 0, 0);
  }
  hash = (hash + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const word = Math.imul(view.getUint32(at, true), p3);
    hash = Math.imul(rotate((hash + word) | 0, 17), p4);
  }
  for (; at < bytes.length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(view.getUint8(at), p5)) | 0, 11), p1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), p2);
  hash = Math.imul(hash ^ (hash >>> 13), p3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** SQLite's WAL checksum, in plain JavaScript. */
export function referenceWALChecksum(
  bytes: Uint8Array,
  order: 'little-endian' | 'big-endian',
  { s0, s1 }: { readonly s0: number; readonly s1: number } = { s0: 0, s1: 0 },
): { s0: number; s1: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 8) {
    s0 = (s0 + view.getUint32(at, order === 'little-endian') + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, order === 'little-endian') + s0) >>> 0;
  }
  return { s0, s1 };
}

export interface ReferenceBlock {
  readonly bytes: Uint8Array;
  /** Literals of the last sequence. */
  readonly tailLiterals: number;
  /** Output offset of the last match; undefined without a match. */
  readonly lastMatchStart: number | undefined;
}

/** Decompresses an LZ4 block; undefined if it is invalid or gives more than `sizeMax` bytes. */
export function referenceDecompress(
  block: Uint8Array,
  sizeMax: number,
): ReferenceBlock | undefined {
  const bytes: number[] = [];
  let at = 0;
  let lastMatchStart: number | undefined;
  const next = (): number => block[at++] ?? Number.NaN; // NaN: every comparison below fails
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255;) length += more = next();
    return length;
  };
  while (at < block.length) {
    const token = next();
    const literals = lengthFrom(token >> 4);
    if (!(at + literals <= block.length && bytes.length + literals <= sizeMax)) return undefined;
    for (let i = 0; i < literals; i++) bytes.push(next());
    if (at === block.length) {
      return { bytes: Uint8Array.from(bytes), tailLiterals: literals, lastMatchStart };
    }
    const offset = next() | (next() << 8);
    if (at > block.length || offset === 0 || offset > bytes.length) return undefined;
    const match = lengthFrom(token & 15) + 4;
    if (!(bytes.length + match <= sizeMax)) return undefined;
    lastMatchStart = bytes.length;
    for (let i = 0; i < match; i++) bytes.push(bytes[bytes.length - offset] ?? 0);
  }
  return undefined;
}
