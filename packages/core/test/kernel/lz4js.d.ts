/** Types for the functions of lz4js that the tests use. The package has none. */
declare module 'lz4js' {
  export function compressBound(length: number): number;
  /** Size of the block; 0 if the bytes cannot be compressed. */
  export function compressBlock(
    from: Uint8Array,
    to: Uint8Array,
    start: number,
    length: number,
    hashes: Uint32Array,
  ): number;
  /** End of the output. */
  export function decompressBlock(
    from: Uint8Array,
    to: Uint8Array,
    start: number,
    length: number,
    toStart: number,
  ): number;
  export function decompress(frame: Uint8Array): Uint8Array;
}
