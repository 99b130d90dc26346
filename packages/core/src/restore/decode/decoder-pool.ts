/**
 * Decodes pieces in worker threads. Small pieces, and all pieces of small restores, are decoded
 * inline. Pieces may finish in any order.
 */

import { Thread, threadScript } from '../../threads/thread.ts';
import type { DecoderSettings, Piece, PieceService } from './messages.ts';
import { PieceDecoder } from './piece-decoder.ts';
import type { Slabs } from './slabs.ts';

export interface DecoderPool {
  /**
   * Resolves with the CRC of the piece once its wanted pages are written; its slab is then free.
   */
  decode(piece: Piece): Promise<bigint>;
  /** Once this resolves, no thread writes. */
  close(): Promise<void>;
}

/** Uses no threads: starting one costs more than decoding a few megabytes. */
export function createInlinePool({ descriptor }: DecoderSettings, slabs: Slabs): DecoderPool {
  const decoder = new PieceDecoder(descriptor);
  return {
    async decode(piece) {
      try {
        return decoder.decode(piece);
      } finally {
        slabs.release(piece.slab);
      }
    },
    async close() {},
  };
}

/**
 * A message to a thread and back takes as long as decoding this many bytes. A backup without merged
 * files has thousands of files that are smaller, one for each commit.
 */
const INLINE_PIECE_BYTES_MAX: number = 64 * 1024;

/** Starts its threads with the first piece that is not small: a restore of small files needs none. */
export function createThreadPool(
  settings: DecoderSettings,
  slabs: Slabs,
  count: number,
): DecoderPool {
  const inline = createInlinePool(settings, slabs);
  let threads: readonly DecoderThread[] = [];
  return {
    /** Uses the thread with the fewest pieces: there are only a few more slabs than threads. */
    async decode(piece) {
      if (piece.end <= INLINE_PIECE_BYTES_MAX) return await inline.decode(piece);
      if (threads.length === 0) {
        threads = Array.from({ length: count }, () => new DecoderThread(settings, slabs));
      }
      return await threads.reduce((a, b) => (b.load < a.load ? b : a)).decode(piece);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

class DecoderThread {
  readonly #thread: Thread<PieceService>;
  readonly #slabs: Slabs;

  constructor(settings: DecoderSettings, slabs: Slabs) {
    this.#thread = new Thread(threadScript(import.meta.url, 'piece-worker'), { data: settings });
    this.#slabs = slabs;
  }

  get load(): number {
    return this.#thread.load;
  }

  async decode(piece: Piece): Promise<bigint> {
    const { slab, targets } = piece;
    const answer = await this.#thread.call('decode', piece, [slab.buffer, targets.buffer]);
    this.#slabs.release(answer.slab);
    return answer.crc;
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
