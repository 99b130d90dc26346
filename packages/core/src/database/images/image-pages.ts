/**
 * The pages of one image, in two scratch files: a copy of the database file, and the newest version
 * of every page that a frame has written since.
 *
 * The file is copied and encoded page by page while the log is followed (fuzzy-copy.ts).
 *
 * The copy is kept in batches, each with the CRC of its bytes that an LTX file hashes. CRC is linear,
 * so a batch without pages in frames goes into the image unchanged. Only the other batches are
 * decoded, patched and encoded again.
 *
 * Memory holds one record for each batch and one number for each page in a frame. Disk holds the
 * encoded copy and one slot for each page in a frame.
 */

import { ReplicationError } from '../../error.ts';
import type { ScratchFile } from '../../file-system.ts';
import { BATCH_BYTES_MAX, type PageEncoding } from '../../kernel/kernel.ts';
import { LTXEncoder } from '../../ltx/encoder.ts';
import { lockPgno, type LTXHeader } from '../../ltx/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import type { ChecksumTable } from '../checksums/checksum-table.ts';
import type { ReadPage } from '../cut/encode.ts';
import { FileCursor, type FileCursorOptions } from './file-cursor.ts';
import type { CopiedPages } from './fuzzy-copy.ts';

interface CopiedBatch {
  readonly firstPgno: number;
  readonly lastPgno: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc: bigint;
  readonly hashedBytes: number;
}

export interface ImagePagesOptions extends FileCursorOptions {
  readonly encoding: PageEncoding;
  /** Receives the checksums of all pages, if they are wanted. It is complete after `merge`. */
  readonly table: ChecksumTable | undefined;
}

export interface ImageScratch {
  /** The encoded copy. */
  readonly copy: ScratchFile;
  /** Pages from frames. */
  readonly frames: ScratchFile;
}

export class ImagePages implements CopiedPages {
  readonly #options: ImagePagesOptions;
  readonly #copy: ScratchFile;
  readonly #frames: ScratchFile;
  readonly #batches: CopiedBatch[] = [];
  /** Slot of the newest version of each page in `#frames`, counted in pages. */
  readonly #slots = new Map<number, number>();
  readonly #cursor: FileCursor;
  #commit = 0;
  #offset = 0;

  constructor(options: ImagePagesOptions, scratch: ImageScratch) {
    this.#options = options;
    this.#cursor = new FileCursor(options);
    this.#copy = scratch.copy;
    this.#frames = scratch.frames;
  }

  get copiedPages(): number {
    return this.#cursor.nextPgno - 1;
  }

  get commit(): number {
    return this.#commit;
  }

  add(batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      this.#put(batch.pgnos[index] ?? 0, batch.page(index));
      const commit = batch.commits[index] ?? 0;
      if (commit !== 0) this.#commit = commit;
    }
  }

  missing(commit: number): number[] {
    return this.#cursor.missing(commit, (pgno) => this.#slots.has(pgno));
  }

  /** Copies and encodes one batch. */
  step(): 'more' | 'done' {
    const { kernel, pageSize, encoding, table } = this.#options;
    const batch = this.#cursor.next();
    if (batch === undefined) return 'done';
    const { firstPgno, count, pages } = batch;
    const pgnos = Uint32Array.from({ length: count }, (_, index) => firstPgno + index);
    table?.setFrom(firstPgno, table.hash(kernel, pages));
    const encoded = kernel.encodePages(pgnos, pages, pageSize, encoding, 0n);
    this.#copy.write(encoded.bytes, this.#offset);
    this.#batches.push({
      firstPgno,
      lastPgno: firstPgno + count - 1,
      offset: this.#offset,
      sizeBytes: encoded.bytes.length,
      crc: encoded.crc,
      hashedBytes: count * (pageSize + (encoding === 'block' ? 10 : 6)),
    });
    this.#offset += encoded.bytes.length;
    return 'more';
  }

  /**
   * Yields the image as the chunks of an LTX file. `add` must not be called meanwhile. `readRemaining`
   * reads the missing pages. Each chunk is valid until the next one.
   */
  *merge(header: LTXHeader, readRemaining: ReadPage): Generator<Uint8Array, void> {
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
    yield* this.#mergeRemaining(encoder, header, readRemaining);
    yield encoder.finish().bytes;
  }

  discard(): void {
    this.#copy.discard();
    this.#frames.discard();
  }

  /** Whether any page from `first` to `last` is in a frame. */
  #hasAny(first: number, last: number): boolean {
    if (this.#slots.size < last - first) {
      for (const pgno of this.#slots.keys()) if (pgno >= first && pgno <= last) return true;
      return false;
    }
    for (let pgno = first; pgno <= last; pgno++) if (this.#slots.has(pgno)) return true;
    return false;
  }

  /** Copies page `pgno` from its frame into `into`; returns false if no frame has it. */
  #readFrame(pgno: number, into: Uint8Array): boolean {
    const { pageSize } = this.#options;
    const slot = this.#slots.get(pgno);
    if (slot === undefined) return false;
    const page = into.subarray(0, pageSize);
    if (this.#frames.read(page, slot * pageSize) < pageSize) throw truncatedScratch(`page ${pgno}`);
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
      throw truncatedScratch(`pages ${batch.firstPgno} to ${batch.lastPgno}`);
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
    this.#setChecksums(pgnos, pages, header.commit);
    return encoder.pages(pgnos, pages);
  }

  *#mergeRemaining(
    encoder: LTXEncoder,
    header: LTXHeader,
    readRemaining: ReadPage,
  ): Generator<Uint8Array, void> {
    const { kernel, pageSize } = this.#options;
    const lock = lockPgno(pageSize);
    const perBatch = Math.max(1, Math.floor(BATCH_BYTES_MAX / pageSize));
    let pgno = this.#cursor.nextPgno;
    while (pgno <= header.commit) {
      const pgnos: number[] = [];
      for (; pgnos.length < perBatch && pgno <= header.commit; pgno++) {
        if (pgno === lock) continue;
        const at = pgnos.length * pageSize;
        const into = kernel.input.subarray(at, at + pageSize);
        if (!this.#readFrame(pgno, into)) readRemaining(pgno, into);
        pgnos.push(pgno);
      }
      if (pgnos.length === 0) return;
      const pages = kernel.input.subarray(0, pgnos.length * pageSize);
      this.#setChecksums(Uint32Array.from(pgnos), pages, header.commit);
      yield encoder.pages(Uint32Array.from(pgnos), pages);
    }
  }

  #setChecksums(pgnos: Uint32Array, pages: Uint8Array, commit: number): void {
    const { kernel, table } = this.#options;
    table?.apply({ pgnos, words: table.hash(kernel, pages) }, commit);
  }
}

function truncatedScratch(pages: string): ReplicationError {
  return new ReplicationError(
    'STAGING_FAILED',
    `read ${pages} of a full snapshot from its temporary files: the files are shorter than written; check the disk`,
  );
}
