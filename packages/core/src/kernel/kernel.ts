/**
 * The codec kernel: LZ4 blocks, CRC-64/ISO and the WAL checksum, over batches of pages.
 *
 * One instance has one linear memory and is used by one thread. `input` is where a caller may put
 * bytes without a copy (a file can be read straight into it); what a call returns is a view of the
 * kernel's output, good until the next call. Crossing into WebAssembly costs more than hashing a
 * small page, so every call takes a batch.
 */

import { instantiate, WASMKernel } from './wasm-kernel.ts';

/** Largest batch that goes into one call, in bytes of pages or of encoded frames. */
export const BATCH_BYTES_MAX: number = 1024 * 1024;

/** How pages are written: raw LZ4 blocks (Litestream >= 0.5.16), or LZ4 frames (every 0.5.x). */
export type PageEncoding = 'block' | 'frame';

export interface EncodedPages {
  /** The page frames, one after the other, as they lie in an LTX file. */
  readonly bytes: Uint8Array;
  /** Size of each page frame in `bytes`. */
  readonly sizes: Uint32Array;
  /** The running CRC after what an LTX file checksum hashes of these frames. */
  readonly crc: bigint;
}

export interface DecodedPages {
  /** Bytes of input that were whole page frames. 0 when the first is not whole yet. */
  readonly consumedBytes: number;
  readonly pgnos: Uint32Array;
  /** pgnos.length pages, one after the other. */
  readonly pages: Uint8Array;
  readonly sizes: Uint32Array;
  readonly crc: bigint;
  /** Why decoding stopped. 'end': the six zero bytes that close the page block (consumed, hashed). */
  readonly stopped: 'input' | 'batch-full' | 'end';
}

export interface ScannedFrames {
  /** Frames, from the first, whose salts match and whose cumulative checksum holds. */
  readonly count: number;
  readonly pgnos: Uint32Array;
  /** Database size in pages where a frame commits, else 0. */
  readonly commits: Uint32Array;
  /** The running checksum after each frame: s0 and s1 of frame i at [2i] and [2i+1]. */
  readonly checksums: Uint32Array;
}

export interface WALChecksumState {
  readonly s0: number;
  readonly s1: number;
}

export interface Kernel {
  /**
   * BATCH_BYTES_MAX and 128 KiB: room for a page frame that the chunk before left unfinished, and
   * for what a batch grows by that does not compress. Not moved or resized while the kernel lives.
   */
  readonly input: Uint8Array;

  /** CRC-64/ISO of bytes after those that gave `crc` (0n before the first). Any length. */
  crc64(bytes: Uint8Array, crc?: bigint): bigint;

  /**
   * Frames of at most BATCH_BYTES_MAX bytes of pages, in the order given. Checks nothing but sizes:
   * the encoder knows rules.
   */
  encodePages(
    pgnos: Uint32Array,
    /** pgnos.length pages; may be a view of `input`, which saves the copy. */
    pages: Uint8Array,
    pageSize: number,
    encoding: PageEncoding,
    crc: bigint,
  ): EncodedPages;

  /**
   * At most input.length bytes of page frames, both encodings mixed. Throws LTX_INVALID for a frame
   * that no decoder should accept, and for a size that no page can have before its bytes are there.
   */
  decodePages(bytes: Uint8Array, pageSize: number, crc: bigint): DecodedPages;

  /**
   * At most input.length bytes of a WAL, beginning at a frame. Stops at the first frame that is not
   * whole or does not hold: other salts, page number 0, or a checksum that does not follow.
   */
  scanFrames(
    bytes: Uint8Array,
    pageSize: number,
    salt1: number,
    salt2: number,
    order: 'little-endian' | 'big-endian',
    state: WALChecksumState,
  ): ScannedFrames;

  /** Cumulative WAL checksum; bytes.length is a multiple of 8. */
  walChecksum(
    bytes: Uint8Array,
    order: 'little-endian' | 'big-endian',
    state?: WALChecksumState,
  ): WALChecksumState;
}

/** CRC of A followed by B, from both CRCs and B's length. So parts can be hashed apart. */
export function combineCRC64(crcA: bigint, crcB: bigint, lengthBytesB: number): bigint {
  combiner ??= instantiate();
  return BigInt.asUintN(64, combiner.crc64Shift(crcA, BigInt(lengthBytesB)) ^ crcB);
}

let combiner: ReturnType<typeof instantiate> | undefined; // holds nothing between calls, one per thread

/** A kernel of its own linear memory (2.4 MiB), ready. Compiles the module once per thread. */
export function createKernel(): Kernel {
  return new WASMKernel(instantiate());
}
