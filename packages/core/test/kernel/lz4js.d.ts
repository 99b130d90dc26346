/** What the tests use of lz4js, which has no types of its own. */
declare module 'lz4js' {
  export function compressBound(length: number): number;
  /** Size of the block, or 0 for bytes in which it found nothing to compress. */
  export function compressBlock(
    from: Uint8Array,
    to: Uint8Array,
    start: number,
    length: number,
    hashes: Uint32Array,
  ): number;
  /** Where the output ends. */
  export function decompressBlock(
    from: Uint8Array,
    to: Uint8Array,
    start: number,
    length: number,
    toStart: number,
  ): number;
  export function decompress(frame: Uint8Array): Uint8Array;
}
