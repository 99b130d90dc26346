/** Messages between a restore and its threads. */

import type { Slab } from './slabs.ts';

/** Sent to a thread when it starts. */
export interface DecoderSettings {
  /**
   * Descriptor of the output file: descriptors belong to the process, so threads can share them.
   */
  readonly descriptor: number;
}

/**
 * A piece of one LTX file, in one slab: raw bytes, whole page frames, raw bytes. Each may be empty.
 */
export interface Piece {
  readonly slab: Slab;
  /** Bytes from 0 to here are hashed as they are: the file header. */
  readonly pagesStart: number;
  /** Ends of the kernel's batches, each of whole frames; the last one is the end of the frames. */
  readonly batchEnds: readonly number[];
  /** Bytes from the last batch to here are hashed as they are: end of pages, index, trailer. */
  readonly end: number;
  readonly pageSize: number;
  /** For each frame, the number of the page if it must be written, else 0. */
  readonly targets: Uint32Array<ArrayBuffer>;
}

export interface PieceService {
  readonly decode: {
    readonly request: Piece;
    readonly answer: {
      /** The slab, returned to its owner. */
      readonly slab: Slab;
      /** CRC of the piece alone. */
      readonly crc: bigint;
    };
  };
}
