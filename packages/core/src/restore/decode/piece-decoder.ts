/**
 * Decodes, hashes and writes one piece of an LTX file, in a thread or, for small restores, inline.
 */

import { ReplicationError } from '../../error.ts';
import { type Kernel, threadKernel } from '../../kernel/kernel.ts';
import type { Piece } from './messages.ts';
import { writePages } from './write-pages.ts';

export class PieceDecoder {
  readonly #kernel: Kernel = threadKernel();
  readonly #descriptor: number;

  /** `descriptor`: of the output file. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /**
   * Returns the CRC of the piece. LTX_INVALID for invalid frames, RESTORE_OUTPUT for a failed
   * write.
   */
  decode(piece: Piece): bigint {
    const { slab } = piece;
    let crc = this.#hash(slab.subarray(0, piece.pagesStart), 0n);
    let at = piece.pagesStart;
    let frame = 0;
    for (const end of piece.batchEnds) {
      const input = this.#place(slab.subarray(at, end));
      const decoded = this.#kernel.decodePages(input, piece.pageSize, crc);
      const { pgnos, consumedBytes } = decoded;
      if (consumedBytes !== input.length || decoded.stopped !== 'input') throw frameMismatch();
      const targets = piece.targets.subarray(frame, frame + pgnos.length);
      this.#write(pgnos, decoded.pages, targets, piece.pageSize);
      crc = decoded.crc;
      frame += pgnos.length;
      at = end;
    }
    if (frame !== piece.targets.length) throw frameMismatch();
    return this.#hash(slab.subarray(at, piece.end), crc);
  }

  #hash(bytes: Uint8Array, crc: bigint): bigint {
    return bytes.length === 0 ? crc : this.#kernel.crc64(bytes, crc);
  }

  /** Copies a batch into the kernel's input; a batch always fits. */
  #place(bytes: Uint8Array): Uint8Array {
    const { input } = this.#kernel;
    if (bytes.length > input.length) throw frameMismatch();
    input.set(bytes);
    return input.subarray(0, bytes.length);
  }

  /** Writes the wanted pages; adjacent pages go in one call. */
  #write(pgnos: Uint32Array, pages: Uint8Array, targets: Uint32Array, pageSize: number): void {
    for (let first = 0; first < pgnos.length;) {
      const target = targets[first] ?? 0;
      let next = first + 1;
      if (target !== 0) {
        if (target !== pgnos[first]) throw frameMismatch();
        for (; next < pgnos.length; next++) {
          if (targets[next] !== target + (next - first) || pgnos[next] !== targets[next]) break;
        }
        const bytes = pages.subarray(first * pageSize, next * pageSize);
        writePages(this.#descriptor, bytes, (target - 1) * pageSize);
      }
      first = next;
    }
  }
}

/** FileScan walked these frames before: the kernel must see the same frames. */
function frameMismatch(): ReplicationError {
  return new ReplicationError('LTX_INVALID', 'page frames differ from those that were scanned');
}
