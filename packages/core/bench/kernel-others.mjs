// What the kernel is measured beside: packages from npm, called as their users call them, and plain
// JavaScript where there is none.

import jsCRC from 'js-crc/models';
import { compressSync, uncompressSync } from 'lz4-napi';
import lz4js from 'lz4js';

/** One call for each page, LZ4 alone. */
export const lz4Napi = {
  compress: (page) => compressSync(page),
  decompress: (block) => uncompressSync(block),
};

const hashes = new Uint32Array(65_536);
const block = Buffer.alloc(lz4js.compressBound(65_536));
const page = Buffer.alloc(65_536);

/** As above. A page in which it finds nothing gives undefined. */
export const lz4JS = {
  compress: (bytes) => {
    hashes.fill(0);
    const size = lz4js.compressBlock(bytes, block, 0, bytes.length, hashes);
    return size === 0 ? undefined : Buffer.from(block.subarray(0, size));
  },
  decompress: (bytes) => lz4js.decompressBlock(bytes, page, 0, bytes.length, 0),
};

/** The one npm package that knows CRC-64/ISO. In hex. */
export const jsCRC64 = jsCRC.crc_64_go_iso;

/** CRC-64/ISO by a table of 256 entries, each in two halves of 32 bits. */
export function tableCRC64(bytes) {
  let [high, low] = [-1, -1];
  for (let i = 0; i < bytes.length; i++) {
    const entry = (low ^ bytes[i]) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ LOW[entry];
    high = (high >>> 8) ^ HIGH[entry];
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
}

// The low half of the polynomial d800000000000000 is 0, and so is every entry's.
const HIGH = new Int32Array(256);
const LOW = new Int32Array(256);
for (let entry = 0; entry < 256; entry++) {
  let [high, low] = [0, entry];
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = (low >>> 1) | (high << 31);
    high = (high >>> 1) ^ (carry === 1 ? 0xd8000000 : 0);
  }
  HIGH[entry] = high;
  LOW[entry] = low;
}

/** SQLite's WAL checksum over words of a typed array, little-endian on a little-endian machine. */
export function plainWALChecksum(words) {
  let [s0, s1] = [0, 0];
  for (let i = 0; i < words.length; i += 2) {
    s0 = (s0 + words[i] + s1) | 0;
    s1 = (s1 + words[i + 1] + s0) | 0;
  }
  return { s0: s0 >>> 0, s1: s1 >>> 0 };
}
