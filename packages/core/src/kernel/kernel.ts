/**
 * The codec kernel: LZ4 blocks, CRC-64/ISO, XXH64 and the WAL checksum, over batches of pages.
 *
 * An instance has its own linear memory and is used by one thread. Bytes that the caller writes into
 * `input` (for example by reading a file into it) need no copy. A call returns views of the kernel's
 * output that are valid until the next call. A call into WebAssembly costs more than hashing a small
 * page, so every call takes a batch.
 */

import { instantiate, WASMKernel } from './wasm-kernel.ts';

/** Maximum batch for one call, in bytes of pages or of encoded frames. */
export const BATCH_BYTES_MAX: number = 1024 * 1024;

/** Page encoding: raw LZ4 blocks (Litestream >= 0.5.16), or LZ4 frames (every 0.5.x). */
export type PageEncoding = 'block' | 'frame';

export interface EncodedPages {
  /** The page frames, contiguous, as they are stored in an LTX file. */
  readonly bytes: Uint8Array;
  /** Size of each page frame in `bytes`. */
  readonly sizes: Uint32Array;
  /** The running CRC after the parts of these frames that the file checksum covers. */
  readonly crc: bigint;
}

export interface DecodedPages {
  /** Bytes of input that were whole page frames. 0 if the first frame is not complete yet. */
  readonly consumedBytes: number;
  readonly pgnos: Uint32Array;
  /** pgnos.length pages, contiguous. */
  readonly pages: Uint8Array;
  readonly sizes: Uint32Array;
  readonly crc: bigint;
  /**
   * Why decoding stopped. 'end': at the six zero bytes that end the pages (consumed and hashed).
   */
  readonly stopped: 'input' | 'batch-full' | 'end';
}

export interface ScannedFrames {
  /** Number of frames, from the first, with matching salts and a matching cumulative checksum. */
  readonly count: number;
  readonly pgnos: Uint32Array;
  /** Database size in pages for a commit frame, else 0. */
  readonly commits: Uint32Array;
  /** The running checksum after each frame: s0 and s1 of frame i at [2i] and [2i+1]. */
  readonly checksums: Uint32Array;
}

export interface WALChecksumState {
  readonly s0: number;
  readonly s1: number;
}

/** The part in WebAssembly: checksums and page frames. All calls are synchronous. */
export interface Kernel {
  /**
   * BATCH_BYTES_MAX plus 128 KiB: room for an incomplete page frame of the previous chunk, and for
   * batches that grow because they do not compress. It is never moved or resized.
   */
  readonly input: Uint8Array;

  /** CRC-64/ISO of `bytes`, continuing from `crc` (0n at the start). Any length. */
  crc64(bytes: Uint8Array, crc?: bigint): bigint;

  /**
   * XXH64 of each page, as two words (low, high) a page, of at most BATCH_BYTES_MAX bytes of pages. For
   * comparing two versions of a page, which a CRC is too weak for (assembly/xxh64.ts).
   */
  hashPages(pages: Uint8Array, pageSize: number, seed: bigint): Uint32Array;

  /**
   * Encodes at most BATCH_BYTES_MAX bytes of pages, in the order given. It checks only sizes; the
   * encoder enforces the rules of the format.
   */
  encodePages(
    pgnos: Uint32Array,
    /** pgnos.length pages; a view of `input` needs no copy. */
    pages: Uint8Array,
    pageSize: number,
    encoding: PageEncoding,
    crc: bigint,
  ): EncodedPages;

  /**
   * Decodes at most input.length bytes of page frames, which may mix both encodings. LTX_INVALID
   * for an invalid frame, and for an impossible frame size even before all its bytes are there.
   */
  decodePages(bytes: Uint8Array, pageSize: number, crc: bigint): DecodedPages;

  /**
   * Scans at most input.length bytes of a WAL, starting at a frame. Stops at the first frame that
   * is incomplete or invalid: other salts, page number 0, or a checksum that does not match.
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

/**
 * The CRC of A followed by B, from both CRCs and the length of B. Parts can thus be hashed
 * separately.
 */
export function combineCRC64(crcA: bigint, crcB: bigint, lengthBytesB: number): bigint {
  combiner ??= instantiate();
  return BigInt.asUintN(64, combiner.crc64Shift(crcA, BigInt(lengthBytesB)) ^ crcB);
}

let combiner: ReturnType<typeof instantiate> | undefined; // stateless, one per thread

/**
 * The kernel that a thread shares, for work that ends before anything else can run: what it returns is valid
 * until the next call of anybody.
 */
export function threadKernel(): Kernel {
  return (ofThread ??= createKernel());
}

let ofThread: Kernel | undefined;

/** Creates a kernel with its own linear memory (2.4 MiB). Compiles the module once per thread. */
export function createKernel(): Kernel {
  return new WASMKernel(instantiate());
}
