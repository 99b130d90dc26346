/**
 * Reads an LTX file as it arrives, in chunks of any size, and trusts nothing in it.
 *
 * It checks more than Litestream does: the page order (page-order.ts); each frame decodes to
 * exactly one page; the index and its length match the frames; nothing follows the trailer. It
 * needs one batch in the kernel and less than one page frame here, whatever the file claims.
 */

import { assert, ReplicationError } from '../error.ts';
import type { DecodedPages, Kernel } from '../kernel/kernel.ts';
import { CHECKSUM_FLAG, pageChecksum, requireFileChecksum, togglePage } from './checksum.ts';
import { ExpectedIndex, FileEnd } from './file-end.ts';
import { formatFilename } from './filename.ts';
import {
  decodeHeader,
  FLAG_NO_CHECKSUM,
  HEADER_SIZE_BYTES,
  isSnapshot,
  lockPgno,
  type LTXHeader,
} from './header.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { frameBytesMax, frameBytesWanted } from './page-frame.ts';
import { PageOrder } from './page-order.ts';
import type { LTXTrailer } from './trailer.ts';

/** Pages of a file, with their numbers: views that are valid until the next call of the kernel. */
export interface DecodedBatch {
  readonly pgnos: Uint32Array;
  /** The pages, one after the other, each of the header's page size. */
  readonly pages: Uint8Array;
}

/** Result of `LTXDecoder.finish`. Sizes are in bytes. */
export interface DecodedFile {
  readonly trailer: LTXTrailer;
  readonly pageCount: number;
  readonly sizeBytes: number;
}

interface OpenedFile {
  readonly header: LTXHeader;
  readonly order: PageOrder;
}

/** Reads one LTX file in chunks of any size, and verifies it. Throws the LTX_… codes of docs/errors.md. */
export class LTXDecoder {
  readonly #kernel: Kernel;
  readonly #chunks = new ChunkQueue();
  readonly #index: ExpectedIndex;
  #file: OpenedFile | undefined;
  #pagesEnded = false;
  #end: FileEnd | undefined;
  #crc = 0n;
  /** Number of bytes decoded so far: header and pages. */
  #offset = 0;
  /** Number of bytes needed before the kernel can make progress. */
  #wantedBytes = 0;
  #databaseChecksum = CHECKSUM_FLAG;
  #isReading = false;
  #failure: Error | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#index = new ExpectedIndex(kernel);
  }

  /** Known after the first 100 bytes were pushed and their batches were read. */
  get header(): LTXHeader | undefined {
    return this.#file?.header;
  }

  /**
   * Takes a chunk (not a view of the kernel) and returns the pages that are now complete. Read all
   * of them before you reuse the chunk's memory. LTX_INVALID, LTX_UNSUPPORTED: the file is invalid,
   * and every later call throws the same error.
   */
  push(chunk: Uint8Array): Generator<DecodedBatch, void> {
    this.#checkState();
    this.#isReading = true;
    this.#chunks.give(chunk);
    return this.#read();
  }

  /** LTX_TRUNCATED, LTX_INVALID or LTX_CHECKSUM_MISMATCH unless the file is complete and valid. */
  finish(): DecodedFile {
    this.#checkState();
    if (this.#file === undefined) throw truncated(`it has ${this.#chunks.length} bytes`);
    if (this.#end === undefined) throw truncated('it ends within its pages');
    const { header, order } = this.#file;
    const trailer = this.#end.readTrailer(header.flags);
    const before = { crc: this.#crc, hashedBytes: 0 }; // the first part: its length is not used
    requireFileChecksum([before, this.#end.hashed()], trailer.fileChecksum);
    this.#end.checkIndex();
    if (isTracked(header) && this.#databaseChecksum !== trailer.postApplyChecksum) {
      const name = formatFilename(header.minTXID, header.maxTXID);
      throw new ReplicationError(
        'LTX_CHECKSUM_MISMATCH',
        `LTX file ${name}: its database checksum does not match its pages`,
      );
    }
    return { trailer, pageCount: order.count, sizeBytes: this.#offset + this.#end.sizeBytes };
  }

  #checkState(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#isReading, 'all batches of a chunk are read before the next call');
  }

  *#read(): Generator<DecodedBatch, void> {
    try {
      yield* this.#batches();
    } catch (error) {
      if (error instanceof Error) this.#failure = error;
      throw error;
    }
    this.#chunks.keep();
    this.#isReading = false;
  }

  *#batches(): Generator<DecodedBatch, void> {
    const file = (this.#file ??= this.#open());
    if (file === undefined) return;
    while (!this.#pagesEnded) {
      const decoded = this.#takePages(file);
      if (decoded === undefined) return;
      if (decoded.pgnos.length > 0) yield this.#track(file.header, decoded);
    }
    this.#end ??= new FileEnd(this.#kernel, this.#index.finish());
    for (const part of this.#chunks.drain()) this.#end.push(part);
  }

  #open(): OpenedFile | undefined {
    if (this.#chunks.length < HEADER_SIZE_BYTES) return undefined;
    const bytes = this.#chunks.peek(new Uint8Array(HEADER_SIZE_BYTES));
    this.#chunks.skip(HEADER_SIZE_BYTES);
    const header = decodeHeader(bytes);
    this.#crc = this.#kernel.crc64(bytes);
    this.#offset = HEADER_SIZE_BYTES;
    return { header, order: new PageOrder(header) };
  }

  /**
   * The next batch, which may be empty at the end of the pages; undefined if more bytes are needed.
   */
  #takePages({ header, order }: OpenedFile): DecodedPages | undefined {
    if (this.#chunks.length < this.#wantedBytes) return undefined;
    this.#index.flush();
    const bytes = this.#chunks.peek(this.#kernel.input);
    const decoded = this.#kernel.decodePages(bytes, header.pageSize, this.#crc);
    if (decoded.consumedBytes === 0) {
      this.#wantedBytes = Math.max(frameBytesWanted(bytes), bytes.length + 1);
      const most = frameBytesMax(header.pageSize);
      assert(this.#wantedBytes <= most, 'the kernel rejects frames that are too large');
      return undefined;
    }
    this.#wantedBytes = 0;
    for (const pgno of decoded.pgnos) order.check(pgno);
    this.#index.add(decoded.pgnos, decoded.sizes, this.#offset);
    this.#crc = decoded.crc;
    this.#chunks.skip(decoded.consumedBytes);
    this.#offset += decoded.consumedBytes;
    this.#pagesEnded = decoded.stopped === 'end';
    if (this.#pagesEnded) order.finish();
    return decoded;
  }

  /** Adds the pages to the database checksum if this file has one that can be checked. */
  #track(header: LTXHeader, decoded: DecodedBatch): DecodedBatch {
    if (!isTracked(header)) return { pgnos: decoded.pgnos, pages: decoded.pages };
    const pgnos = decoded.pgnos.slice(); // hashing calls the kernel, which overwrites these views
    const pages = decoded.pages.slice();
    for (const [i, pgno] of pgnos.entries()) {
      const page = pages.subarray(i * header.pageSize, (i + 1) * header.pageSize);
      const sum = pageChecksum(this.#kernel, pgno, page);
      this.#databaseChecksum = togglePage(this.#databaseChecksum, sum);
    }
    return { pgnos, pages };
  }
}

/** Whether a file of `pageCount` pages holds the whole database. */
export function isFullImage(header: LTXHeader, pageCount: number): boolean {
  const lock = lockPgno(header.pageSize);
  return pageCount === header.commit - (header.commit >= lock ? 1 : 0);
}

/** Whether the database checksum in the trailer can be computed from this file alone. */
function isTracked(header: LTXHeader): boolean {
  return (header.flags & FLAG_NO_CHECKSUM) === 0 && isSnapshot(header);
}

function truncated(what: string): ReplicationError {
  return new ReplicationError('LTX_TRUNCATED', `LTX file: it is cut off: ${what}`);
}
