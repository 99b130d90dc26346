/**
 * An image: the whole database as of one TXID, made without holding a transaction.
 *
 * The file is copied by position, page after page, encoded as it goes, while the log is followed as
 * ever. What the copy may have torn or missed is in a frame: of the log as it was when the copy
 * began, or of a later one. A page in none of those frames cannot have changed in the file
 * meanwhile. So copy and overlay together are exactly the state of the last frame held.
 *
 * The copy is kept in batches, each with the CRC of what an LTX file hashes of it. CRC is linear:
 * a batch of which no page is in the overlay goes into the image as it is; only the others are
 * decoded, patched and encoded again.
 */

import { ReplicationError } from '../error.ts';
import type { ScratchFile } from '../file-system.ts';
import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../kernel/kernel.ts';
import { LTXEncoder } from '../ltx/encoder.ts';
import { lockPgno, type LTXHeader } from '../ltx/header.ts';
import type { ReadPage } from './encode.ts';
import type { Overlay } from './overlay.ts';

interface CopiedBatch {
  readonly firstPgno: number;
  readonly lastPgno: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc: bigint;
  readonly hashedBytes: number;
}

/** Reads the database file by position into `into`; gives how many bytes there were. */
export type ReadFile = (into: Uint8Array, position: number) => number;

export interface CopyOptions {
  readonly kernel: Kernel;
  readonly pageSize: number;
  readonly encoding: PageEncoding;
  readonly read: ReadFile;
  /** Where the encoded copy goes; discarded by `close`. */
  readonly scratch: ScratchFile;
}

export class FuzzyCopy {
  readonly #options: CopyOptions;
  readonly #batches: CopiedBatch[] = [];
  #nextPgno = 1;
  #offset = 0;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** Pages from 1 that have been copied, the lock page counted. */
  get copiedPages(): number {
    return this.#nextPgno - 1;
  }

  /** Copies and encodes one batch. A file that ends in the middle of a page is copied up to it. */
  step(): 'more' | 'done' {
    const { kernel, pageSize, encoding } = this.#options;
    const lock = lockPgno(pageSize);
    if (this.#nextPgno === lock) this.#nextPgno += 1;
    const first = this.#nextPgno;
    const room = Math.max(1, Math.floor(BATCH_BYTES_MAX / pageSize));
    const wanted = first < lock ? Math.min(room, lock - first) : room;
    const input = kernel.input.subarray(0, wanted * pageSize);
    const count = Math.floor(this.#options.read(input, (first - 1) * pageSize) / pageSize);
    if (count === 0) return 'done';
    const pgnos = Uint32Array.from({ length: count }, (_, index) => first + index);
    const encoded = kernel.encodePages(
      pgnos,
      input.subarray(0, count * pageSize),
      pageSize,
      encoding,
      0n,
    );
    this.#options.scratch.write(encoded.bytes, this.#offset);
    this.#batches.push({
      firstPgno: first,
      lastPgno: first + count - 1,
      offset: this.#offset,
      sizeBytes: encoded.bytes.length,
      crc: encoded.crc,
      hashedBytes: count * (pageSize + (encoding === 'block' ? 10 : 6)),
    });
    this.#offset += encoded.bytes.length;
    this.#nextPgno = first + count;
    return 'more';
  }

  /**
   * The image as the chunks of an LTX file, for the state of the overlay, which no longer changes.
   * `readRest` gives pages beyond the copy that no frame has. Each chunk is good until the next.
   */
  *merge(header: LTXHeader, overlay: Overlay, readRest: ReadPage): Generator<Uint8Array, void> {
    const { kernel, encoding } = this.#options;
    const encoder = new LTXEncoder(kernel, header, { encoding });
    yield encoder.start();
    for (const batch of this.#batches) {
      if (batch.firstPgno > header.commit) break;
      const frames = this.#readBatch(batch);
      if (batch.lastPgno <= header.commit && !overlay.hasAny(batch.firstPgno, batch.lastPgno)) {
        const { firstPgno, lastPgno, crc, hashedBytes } = batch;
        yield encoder.encodedFrames({ bytes: frames, firstPgno, lastPgno, crc, hashedBytes });
      } else {
        yield this.#patch(encoder, header, frames, overlay);
      }
    }
    yield* this.#mergeRest(encoder, header, overlay, readRest);
    yield encoder.finish().bytes;
  }

  close(): void {
    this.#options.scratch.discard();
  }

  #readBatch(batch: CopiedBatch): Uint8Array {
    const bytes = Buffer.allocUnsafe(batch.sizeBytes);
    if (this.#options.scratch.read(bytes, batch.offset) < bytes.length) {
      throw new ReplicationError(
        'STAGING_FAILED',
        `read the copy of the database in the staging folder: bytes are missing at offset ${batch.offset}; check the volume`,
      );
    }
    return bytes;
  }

  #patch(encoder: LTXEncoder, header: LTXHeader, frames: Uint8Array, overlay: Overlay): Uint8Array {
    const { kernel, pageSize } = this.#options;
    const decoded = kernel.decodePages(frames, pageSize, 0n);
    const pgnos = decoded.pgnos.slice().filter((pgno) => pgno <= header.commit);
    const pages = kernel.input.subarray(0, pgnos.length * pageSize);
    pages.set(decoded.pages.subarray(0, pages.length));
    for (const [index, pgno] of pgnos.entries()) {
      overlay.read(pgno, pages.subarray(index * pageSize, (index + 1) * pageSize));
    }
    return encoder.pages(pgnos, pages);
  }

  *#mergeRest(
    encoder: LTXEncoder,
    header: LTXHeader,
    overlay: Overlay,
    readRest: ReadPage,
  ): Generator<Uint8Array, void> {
    const { kernel, pageSize } = this.#options;
    const lock = lockPgno(pageSize);
    const perBatch = Math.max(1, Math.floor(BATCH_BYTES_MAX / pageSize));
    let pgno = this.#nextPgno;
    while (pgno <= header.commit) {
      const pgnos: number[] = [];
      for (; pgnos.length < perBatch && pgno <= header.commit; pgno++) {
        if (pgno === lock) continue;
        const at = pgnos.length * pageSize;
        const into = kernel.input.subarray(at, at + pageSize);
        if (!overlay.read(pgno, into)) readRest(pgno, into);
        pgnos.push(pgno);
      }
      if (pgnos.length === 0) return;
      const pages = kernel.input.subarray(0, pgnos.length * pageSize);
      yield encoder.pages(Uint32Array.from(pgnos), pages);
    }
  }
}
