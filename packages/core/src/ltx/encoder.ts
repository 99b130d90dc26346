/**
 * Writes an LTX file: header, pages in ascending order, then index and trailer. It returns bytes
 * and keeps only the page index. The bytes are valid until the next call of the kernel.
 *
 * It enforces these rules (ltx-format section 3): page numbers ascend, are at most `commit` and
 * never the lock page; a snapshot holds every page from 1 to `commit`; `commit` is at least 1.
 */

import { assert } from '../error.ts';
import { combineCRC64, type Kernel, type PageEncoding } from '../kernel/kernel.ts';
import { toFileChecksum } from './checksum.ts';
import { encodeHeader, FLAG_NO_CHECKSUM, isSnapshot, lockPgno, type LTXHeader } from './header.ts';
import { PageIndexWriter } from './page-index.ts';
import { frameBytesWanted, PAGE_HEADER_SIZE_BYTES } from './page-frame.ts';
import { lastPgno, nextPgno } from './page-order.ts';
import { encodeTrailer, TRAILER_SIZE_BYTES } from './trailer.ts';

/** Result of `LTXEncoder.finish`. Sizes are in bytes. */
export interface FinishedFile {
  /** End of the pages, index, trailer. */
  readonly bytes: Uint8Array;
  readonly fileChecksum: bigint;
  readonly sizeBytes: number;
  readonly pageCount: number;
}

/** Page frames that are already encoded: all pages from `firstPgno` to `lastPgno`. */
export interface EncodedFrames {
  readonly bytes: Uint8Array;
  readonly firstPgno: number;
  readonly lastPgno: number;
  /** CRC of the bytes that a file checksum covers, as if nothing came before. */
  readonly crc: bigint;
  /** Number of those bytes. */
  readonly hashedBytes: number;
}

/** Options of `LTXEncoder`. */
export interface EncoderOptions {
  /** Default 'block': readable by Litestream >= 0.5.16. 'frame': readable by every 0.5. */
  readonly encoding?: PageEncoding | undefined;
}

/** Writes one LTX file: `start`, then batches of pages in ascending order, then `finish`. */
export class LTXEncoder {
  readonly #kernel: Kernel;
  readonly #header: LTXHeader;
  readonly #encoding: PageEncoding;
  readonly #lock: number;
  readonly #index = new PageIndexWriter();
  #state: 'header' | 'pages' | 'finished' = 'header';
  #crc = 0n;
  #offset = 0;
  #lastPgno = 0;
  #pageCount = 0;

  constructor(kernel: Kernel, header: LTXHeader, options: EncoderOptions = {}) {
    assert(header.commit >= 1, 'an empty database has no LTX file');
    assert(
      (header.flags & FLAG_NO_CHECKSUM) !== 0,
      'files with database checksums are not written',
    );
    this.#kernel = kernel;
    this.#header = header;
    this.#encoding = options.encoding ?? 'block';
    this.#lock = lockPgno(header.pageSize);
  }

  /** Returns the header's bytes. */
  start(): Uint8Array {
    assert(this.#state === 'header', 'a header is written once, first');
    this.#state = 'pages';
    const bytes = encodeHeader(this.#header);
    this.#crc = this.#kernel.crc64(bytes);
    this.#offset = bytes.length;
    return bytes;
  }

  /**
   * Returns the page frames of `pages`, which are contiguous and numbered `pgnos`. At most one
   * batch.
   */
  pages(pgnos: Uint32Array, pages: Uint8Array): Uint8Array {
    for (const pgno of pgnos) this.#check(pgno);
    const { pageSize } = this.#header;
    const encoded = this.#kernel.encodePages(pgnos, pages, pageSize, this.#encoding, this.#crc);
    for (let i = 0; i < pgnos.length; i++) {
      this.#place(pgnos[i] ?? 0, encoded.sizes[i] ?? 0);
    }
    this.#crc = encoded.crc;
    return encoded.bytes;
  }

  /** Adds frames that are already encoded, and returns their bytes. */
  encodedFrames(frames: EncodedFrames): Uint8Array {
    let at = 0;
    for (let pgno = frames.firstPgno; pgno <= frames.lastPgno; pgno++) {
      this.#check(pgno);
      const size = frameBytesWanted(frames.bytes.subarray(at));
      this.#place(pgno, size);
      at += size;
    }
    assert(at === frames.bytes.length, 'encoded frames hold exactly the named pages');
    this.#crc = combineCRC64(this.#crc, frames.crc, frames.hashedBytes);
    return frames.bytes;
  }

  finish(): FinishedFile {
    assert(this.#state === 'pages', 'a file is finished once, after its pages');
    this.#state = 'finished';
    if (isSnapshot(this.#header)) this.#checkWhole();
    const index = this.#index.finish();
    const end = PAGE_HEADER_SIZE_BYTES + index.length;
    const bytes = new Uint8Array(end + TRAILER_SIZE_BYTES);
    bytes.set(index, PAGE_HEADER_SIZE_BYTES);
    const covered = bytes.subarray(0, end + TRAILER_SIZE_BYTES / 2);
    const fileChecksum = toFileChecksum(this.#kernel.crc64(covered, this.#crc));
    bytes.set(encodeTrailer({ postApplyChecksum: 0n, fileChecksum }), end);
    const sizeBytes = this.#offset + bytes.length;
    return { bytes, fileChecksum, sizeBytes, pageCount: this.#pageCount };
  }

  #check(pgno: number): void {
    assert(this.#state === 'pages', 'pages come after the header');
    assert(pgno > this.#lastPgno, 'page numbers ascend');
    assert(pgno <= this.#header.commit, 'no page is beyond the end of the database');
    assert(pgno !== this.#lock, 'the lock page is never stored');
    if (isSnapshot(this.#header)) {
      const next = nextPgno(this.#lastPgno, this.#header.pageSize);
      assert(pgno === next, 'a snapshot includes every page');
    }
    this.#lastPgno = pgno;
  }

  #checkWhole(): void {
    const last = lastPgno(this.#header.commit, this.#header.pageSize);
    assert(this.#lastPgno === last, 'a snapshot ends with the last page of the database');
  }

  #place(pgno: number, sizeBytes: number): void {
    this.#index.add(pgno, this.#offset, sizeBytes);
    this.#offset += sizeBytes;
    this.#pageCount += 1;
  }
}
