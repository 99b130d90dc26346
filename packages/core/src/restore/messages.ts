/** What crosses between a restore and its threads. */

import type { Slab } from './slabs.ts';

/** What a thread is told at its start. */
export interface DecoderSettings {
  /** Of the output file: descriptors belong to the process, not to a thread. */
  readonly descriptor: number;
}

/** A piece of one LTX file, in one slab: bytes, whole page frames, bytes. Each part may be empty. */
export interface Piece {
  readonly slab: Slab;
  /** Bytes from 0 to here are hashed as they are: the file's header. */
  readonly pagesStart: number;
  /** Ends of the kernel's batches, each of whole frames; the last is where the frames end. */
  readonly batchEnds: readonly number[];
  /** From the last batch to here bytes are hashed as they are: end of the pages, index, trailer. */
  readonly end: number;
  readonly pageSize: number;
  /** For each frame the number of the page if it is to be written, else 0. */
  readonly targets: Uint32Array<ArrayBuffer>;
}

export interface PieceService {
  readonly decode: {
    readonly request: Piece;
    readonly answer: {
      /** It comes back. */
      readonly slab: Slab;
      /** Of the piece, as if nothing came before it. */
      readonly crc: bigint;
    };
  };
}
