// LZ4 blocks, read.
//
// A block is a row of sequences:
//   token        4 bits literals, 4 bits match length - 4; 15 means that bytes follow, added up to the first below 255
//   literals
//   offset       u16 little-endian, 1 to the number of bytes made so far
//   match length
// The last sequence ends after its literals. Valid if and only if every length and offset stays
// inside both buffers and the output is exactly full when the input ends.

import { copyLiterals, copyMatch } from './copy';

/** Whether the block at `from` makes exactly `outputLength` bytes at `to`. */
export function decompressBlock(from: usize, length: u32, to: usize, outputLength: u32): bool {
  let p = from;
  const end = from + length;
  let t = to;
  const outputEnd = to + outputLength;
  while (p < end) {
    const token: u32 = load<u8>(p++);

    // Sums stay far below 2^32: a block has at most 65,809 bytes, each adds 255.
    let literals = token >> 4;
    if (literals == 15) {
      let more: u32;
      do {
        if (p >= end) return false;
        more = load<u8>(p++);
        literals += more;
      } while (more == 255);
    }
    if (literals > 0) {
      if (literals > <u32>(end - p) || literals > <u32>(outputEnd - t)) return false;
      copyLiterals(t, p, literals);
      p += literals;
      t += literals;
    }
    if (p == end) return t == outputEnd;

    if (end - p < 2) return false;
    const offset: u32 = load<u16>(p);
    p += 2;
    if (offset == 0 || offset > <u32>(t - to)) return false;

    let match = token & 15;
    if (match == 15) {
      let more: u32;
      do {
        if (p >= end) return false;
        more = load<u8>(p++);
        match += more;
      } while (more == 255);
    }
    match += 4;
    if (match > <u32>(outputEnd - t)) return false;
    copyMatch(t, offset, match);
    t += match;
  }
  // Empty, or it ended with a match.
  return false;
}
