/**
 * The pages of one image, in two scratch files: a copy of the database file, and over it every page
 * that a frame has written.
 *
 * The file is copied by position, page after page, encoded as it goes, while the log is followed. A
 * page that the copy tore or missed is in a frame: of the log as it was when the copy began, or of a
 * later one. A page in none of those frames cannot have changed in the file meanwhile. So both
 * together are exactly the state of the last frame that was added.
 *
 * The copy is kept in batches, each with the CRC of the bytes that an LTX file hashes of it. CRC is
 * linear: a batch whose pages are in no frame goes into the image as it is. Only the others are
 * decoded, patched and encoded again.
 *
 * Memory is a number for each batch and one for each page of a frame. The disk takes the encoded
 * copy, and a slot for each page of a frame.
 */

import { ReplicationError } from '../../error.ts';
import type { ScratchFile } from '../../file-system.ts';
import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../../kernel/kernel.ts';
import { LTXEncoder } from '../../ltx/encoder.ts';
import { lockPgno, type LTXHeader } from '../../ltx/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import type { ReadPage } from '../cut/encode.ts';

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

export interface ImagePagesOptions {
  readonly kernel: Kernel;
  readonly pageSize: number;
  readonly encoding: PageEncoding;
  readonly read: ReadFile;
}

export interface ImageScratch {
  /** For the encoded copy. */
  readonly copy: ScratchFile;
  /** For the pages of frames. */
  readonly frames: ScratchFile;
}

export class ImagePages {
  readonly #options: ImagePagesOptions;
  readonly #copy: ScratchFile;
  readonly #frames: ScratchFile;
  readonly #batches: CopiedBatch[] = [];
  /** Where the newest version of a page lies in `#frames`, counted in pages. */
  readonly #slots = new Map<number, number>();
  #commit = 0;
  #nextPgno = 1;
  #offset = 0;

  constructor(options: ImagePagesOptions, scratch: ImageScratch) {
    this.#options = options;
    this.#copy = scratch.copy;
    this.#frames = scratch.frames;
  }

  /** Pages from 1 that have been copied, the lock page counted. */
  get copiedPages(): number {
    return this.#nextPgno - 1;
  }

  /** Database size in pages after the last commit that was added; 0 while there was none. */
  get commit(): number {
    return this.#commit;
  }

  /** Committed frames, in the order of the log. */
  add(batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      this.#put(batch.pgnos[index] ?? 0, batch.page(index));
      const commit = batch.commits[index] ?? 0;
      if (commit !== 0) this.#commit = commit;
    }
  }

  /** Pages up to `commit` that neither the copy nor a frame has. */
  missing(commit: number): number[] {
    const missing: number[] = [];
    for (let pgno = this.#nextPgno; pgno <= commit; pgno++) {
      if (!this.#slots.has(pgno)) missing.push(pgno);
    }
    return missing;
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
    this.#copy.write(encoded.bytes, this.#offset);
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
   * The image as the chunks of an LTX file. Nothing is added meanwhile. `readRest` gives the pages that
   * were missing. Each chunk is valid until the next.
   */
  *merge(header: LTXHeader, readRest: ReadPage): Generator<Uint8Array, void> {
    const { kernel, encoding } = this.#options;
    const encoder = new LTXEncoder(kernel, header, { encoding });
    yield encoder.start();
    for (const batch of this.#batches) {
      if (batch.firstPgno > header.commit) break;
      const frames = this.#readBatch(batch);
      if (batch.lastPgno <= header.commit && !this.#hasAny(batch.firstPgno, batch.lastPgno)) {
        const { firstPgno, lastPgno, crc, hashedBytes } = batch;
        yield encoder.encodedFrames({ bytes: frames, firstPgno, lastPgno, crc, hashedBytes });
      } else {
        yield this.#patch(encoder, header, frames);
      }
    }
    yield* this.#mergeRest(encoder, header, readRest);
    yield encoder.finish().bytes;
  }

  discard(): void {
    this.#copy.discard();
    this.#frames.discard();
  }

  /** Whether a frame has any page from `first` to `last`. */
  #hasAny(first: number, last: number): boolean {
    if (this.#slots.size < last - first) {
      for (const pgno of this.#slots.keys()) if (pgno >= first && pgno <= last) return true;
      return false;
    }
    for (let pgno = first; pgno <= last; pgno++) if (this.#slots.has(pgno)) return true;
    return false;
  }

  /** Copies page `pgno` of a frame into `into`; false where no frame has it. */
  #readFrame(pgno: number, into: Uint8Array): boolean {
    const { pageSize } = this.#options;
    const slot = this.#slots.get(pgno);
    if (slot === undefined) return false;
    const page = into.subarray(0, pageSize);
    if (this.#frames.read(page, slot * pageSize) < pageSize) throw lostBytes(`page ${pgno}`);
    return true;
  }

  #put(pgno: number, page: Uint8Array): void {
    let slot = this.#slots.get(pgno);
    if (slot === undefined) {
      slot = this.#slots.size;
      this.#slots.set(pgno, slot);
    }
    this.#frames.write(page, slot * this.#options.pageSize);
  }

  #readBatch(batch: CopiedBatch): Uint8Array {
    const bytes = Buffer.allocUnsafe(batch.sizeBytes);
    if (this.#copy.read(bytes, batch.offset) < bytes.length) {
      throw lostBytes(`pages ${batch.firstPgno} to ${batch.lastPgno}`);
    }
    return bytes;
  }

  #patch(encoder: LTXEncoder, header: LTXHeader, frames: Uint8Array): Uint8Array {
    const { kernel, pageSize } = this.#options;
    const decoded = kernel.decodePages(frames, pageSize, 0n);
    const pgnos = decoded.pgnos.slice().filter((pgno) => pgno <= header.commit);
    const pages = kernel.input.subarray(0, pgnos.length * pageSize);
    pages.set(decoded.pages.subarray(0, pages.length));
    for (const [index, pgno] of pgnos.entries()) {
      this.#readFrame(pgno, pages.subarray(index * pageSize, (index + 1) * pageSize));
    }
    return encoder.pages(pgnos, pages);
  }

  *#mergeRest(
    encoder: LTXEncoder,
    header: LTXHeader,
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
        if (!this.#readFrame(pgno, into)) readRest(pgno, into);
        pgnos.push(pgno);
      }
      if (pgnos.length === 0) return;
      const pages = kernel.input.subarray(0, pgnos.length * pageSize);
      yield encoder.pages(Uint32Array.from(pgnos), pages);
    }
  }
}

function lostBytes(what: string): ReplicationError {
  return new ReplicationError(
    'STAGING_FAILED',
    `read ${what} of a full snapshot from its temporary files: the volume has lost bytes; check it`,
  );
}
