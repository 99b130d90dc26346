/**
 * Reads an LTX file as it comes, in chunks of any size, and trusts nothing in it.
 *
 * Beyond what Litestream checks: page numbers ascend, are at most `commit` and never the lock page;
 * a block gives exactly one page; a snapshot leaves no page out; the index is that of the frames
 * which were seen; nothing follows the trailer. Memory: two batches, and the index's CRC.
 */

import { assert, ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { ByteQueue } from './byte-queue.ts';
import { CHECKSUM_FLAG, pageChecksum, toFileChecksum, togglePage } from './checksum.ts';
import {
  decodeHeader,
  FLAG_NO_CHECKSUM,
  HEADER_SIZE_BYTES,
  isSnapshot,
  lockPgno,
  type LTXHeader,
} from './header.ts';
import { IndexChecker } from './index-checker.ts';
import { PageOrder } from './page-order.ts';
import { decodeTrailer, TRAILER_SIZE_BYTES, type LTXTrailer } from './trailer.ts';

export interface DecodedBatch {
  /** Views that are good until the next batch is asked for, or the kernel called. */
  readonly pgnos: Uint32Array;
  readonly pages: Uint8Array;
}

export interface DecodedFile {
  readonly trailer: LTXTrailer;
  readonly pageCount: number;
  readonly sizeBytes: number;
}

export class LTXDecoder {
  readonly #kernel: Kernel;
  readonly #queue = new ByteQueue();
  #header: LTXHeader | undefined;
  #order: PageOrder | undefined;
  #index: IndexChecker | undefined;
  #crc = 0n;
  #offset = 0;
  #databaseChecksum = CHECKSUM_FLAG;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Known once 100 bytes were pushed. */
  get header(): LTXHeader | undefined {
    return this.#header;
  }

  /** Takes a chunk; gives the pages that are whole now. The iterable must be read to its end. */
  *push(chunk: Uint8Array): Generator<DecodedBatch, void> {
    this.#queue.push(chunk);
    if (this.#header === undefined) this.#takeHeader();
    if (this.#header === undefined) return;
    while (this.#index === undefined) {
      const batch = this.#takePages(this.#header);
      if (batch === undefined) return;
      if (batch.pgnos.length > 0) yield batch;
    }
    this.#takeIndex(this.#index);
  }

  /** LTX_TRUNCATED, LTX_INVALID or LTX_CHECKSUM_MISMATCH unless the file was whole and right. */
  finish(): DecodedFile {
    const header = this.#header;
    if (header === undefined) throw truncated(`${this.#queue.length} of 100 header bytes`);
    if (this.#index === undefined) throw truncated('its pages have no end');
    const rest = this.#queue.take(this.#queue.length);
    if (rest.length < TRAILER_SIZE_BYTES) throw truncated('its trailer is not whole');
    const trailer = decodeTrailer(rest.subarray(rest.length - TRAILER_SIZE_BYTES), header.flags);
    this.#crc = this.#kernel.crc64(rest.subarray(0, rest.length - 8), this.#crc);
    if (toFileChecksum(this.#crc) !== trailer.fileChecksum) {
      throw new ReplicationError(
        'LTX_CHECKSUM_MISMATCH',
        `LTX file ${name(header)}: its checksum is not that of its bytes`,
      );
    }
    this.#index.finish(rest.subarray(0, rest.length - TRAILER_SIZE_BYTES));
    this.#order?.finish();
    this.#checkDatabase(header, trailer);
    const pageCount = this.#order?.count ?? 0;
    return { trailer, pageCount, sizeBytes: this.#offset + rest.length };
  }

  #takeHeader(): void {
    if (this.#queue.length < HEADER_SIZE_BYTES) return;
    const bytes = this.#queue.take(HEADER_SIZE_BYTES);
    this.#header = decodeHeader(bytes);
    this.#order = new PageOrder(this.#header);
    this.#crc = this.#kernel.crc64(bytes);
    this.#offset = HEADER_SIZE_BYTES;
  }

  #takePages(header: LTXHeader): DecodedBatch | undefined {
    assert(this.#order !== undefined, 'an order comes with the header');
    const bytes = this.#queue.peek(this.#kernel.input.length);
    const decoded = this.#kernel.decodePages(bytes, header.pageSize, this.#crc);
    this.#crc = decoded.crc;
    this.#order.add(decoded.pgnos, decoded.sizes, this.#offset);
    this.#queue.skip(decoded.consumedBytes);
    this.#offset += decoded.consumedBytes;
    if (decoded.stopped === 'end') this.#index = new IndexChecker(this.#order);
    if (decoded.pgnos.length === 0 && decoded.stopped === 'input') return undefined;
    this.#hashDatabase(header, decoded);
    return decoded;
  }

  /** All but what may be the trailer goes to the index, as it comes. */
  #takeIndex(index: IndexChecker): void {
    const ready = this.#queue.length - TRAILER_SIZE_BYTES - IndexChecker.LENGTH_SIZE_BYTES;
    if (ready <= 0) return;
    const bytes = this.#queue.take(ready);
    this.#crc = this.#kernel.crc64(bytes, this.#crc);
    this.#offset += bytes.length;
    index.push(bytes);
  }

  #hashDatabase(header: LTXHeader, { pgnos, pages }: DecodedBatch): void {
    if ((header.flags & FLAG_NO_CHECKSUM) !== 0 || !isSnapshot(header)) return;
    const own = pages.slice(); // hashing calls the kernel, whose output this is
    for (const [i, pgno] of pgnos.slice().entries()) {
      const page = own.subarray(i * header.pageSize, (i + 1) * header.pageSize);
      const sum = pageChecksum(this.#kernel, pgno, page);
      this.#databaseChecksum = togglePage(this.#databaseChecksum, sum);
    }
  }

  #checkDatabase(header: LTXHeader, trailer: LTXTrailer): void {
    if ((header.flags & FLAG_NO_CHECKSUM) !== 0 || !isSnapshot(header)) return;
    if (this.#databaseChecksum === trailer.postApplyChecksum) return;
    throw new ReplicationError(
      'LTX_CHECKSUM_MISMATCH',
      `LTX file ${name(header)}: its database checksum is not that of its pages`,
    );
  }
}

/** Whether a file of `pageCount` pages holds the whole database. */
export function isFullImage(header: LTXHeader, pageCount: number): boolean {
  const lock = lockPgno(header.pageSize);
  return pageCount === header.commit - (header.commit >= lock ? 1 : 0);
}

function name(header: LTXHeader): string {
  return `${header.minTXID}-${header.maxTXID}`;
}

function truncated(what: string): ReplicationError {
  return new ReplicationError('LTX_TRUNCATED', `the LTX file is cut off: ${what}`);
}
