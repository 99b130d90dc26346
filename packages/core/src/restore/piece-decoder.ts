/** Decodes, hashes and writes one piece of an LTX file. Runs in a thread, or inline for little. */

import { ReplicationError } from '../error.ts';
import { createKernel, type Kernel } from '../kernel/kernel.ts';
import type { Piece } from './messages.ts';
import { writePages } from './write-pages.ts';

export class PieceDecoder {
  readonly #kernel: Kernel = createKernel();
  readonly #descriptor: number;

  /** Of the output file. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** The CRC of the piece. LTX_INVALID for bytes that are no frames, RESTORE_OUTPUT for a failed write. */
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

  /** Into the kernel's input, once; a batch always fits. */
  #place(bytes: Uint8Array): Uint8Array {
    const { input } = this.#kernel;
    if (bytes.length > input.length) throw frameMismatch();
    input.set(bytes);
    return input.subarray(0, bytes.length);
  }

  /** Pages that are wanted, neighbours in one call. */
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

/** The frames were walked before: what the kernel makes of them must be the same. */
function frameMismatch(): ReplicationError {
  return new ReplicationError('LTX_INVALID', 'page frames that are not what they looked like');
}
