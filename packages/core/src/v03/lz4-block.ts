/**
 * Decompresses one LZ4 block (assembly/lz4-decompress.ts has the format) of an unknown length, with the
 * bytes before it in the same buffer as its dictionary. The kernel decompresses pages, whose length is
 * known and which are at most 64 KiB; the blocks of an LZ4 frame have up to 4 MiB.
 */

/** Below this length a loop is faster than a call of copyWithin. */
const LOOP_BYTES_MAX = 32;

/**
 * Appends to `output` at `start`; matches may begin at `dictionaryStart`. Returns the end of the output,
 * or undefined if the block is invalid or does not fit.
 */
export function decompressBlock(
  input: Uint8Array,
  output: Uint8Array,
  start: number,
  dictionaryStart: number,
): number | undefined {
  let from = 0;
  let to = start;
  const end = input.length;
  const outputEnd = output.length;
  while (from < end) {
    const token = input[from++] as number;
    let literals = token >> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more) {
        if (from >= end) return undefined;
        more = input[from++] as number;
      }
    }
    if (literals > end - from || literals > outputEnd - to) return undefined;
    if (literals > LOOP_BYTES_MAX) {
      output.set(input.subarray(from, from + literals), to);
    } else {
      for (let i = 0; i < literals; i++) output[to + i] = input[from + i] as number;
    }
    from += literals;
    to += literals;
    if (from === end) return to;

    if (end - from < 2) return undefined;
    const offset = (input[from] as number) | ((input[from + 1] as number) << 8);
    from += 2;
    if (offset === 0 || offset > to - dictionaryStart) return undefined;
    let match = token & 15;
    if (match === 15) {
      for (let more = 255; more === 255; match += more) {
        if (from >= end) return undefined;
        more = input[from++] as number;
      }
    }
    match += 4;
    if (match > outputEnd - to) return undefined;
    copyMatch(output, to, offset, match);
    to += match;
  }
  return undefined; // empty, or it ended with a match
}

/** The source may overlap the output: then it repeats. */
function copyMatch(output: Uint8Array, to: number, offset: number, length: number): void {
  if (length > LOOP_BYTES_MAX && offset >= length) {
    output.copyWithin(to, to - offset, to - offset + length);
  } else if (length > LOOP_BYTES_MAX && offset === 1) {
    output.fill(output[to - 1] as number, to, to + length);
  } else {
    for (let i = to; i < to + length; i++) output[i] = output[i - offset] as number;
  }
}
