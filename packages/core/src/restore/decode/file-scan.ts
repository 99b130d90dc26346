/**
 * Takes the bytes of one LTX file as they arrive, cuts them into pieces of whole page frames, and
 * decides for each page whether this is its newest version. The decoder pool decodes, hashes and
 * writes the pieces.
 *
 *   header (100 bytes) | page frames | six zero bytes | index, its length | trailer (16 bytes)
 *
 * The scan walks the frames without decoding them. The index must name exactly these frames, and
 * the file checksum, combined from the checksums of the pieces, must be the one in the trailer.
 */

import { assert, ReplicationError } from '../../error.ts';
import { BATCH_BYTES_MAX, type Kernel } from '../../kernel/kernel.ts';
import { requireFileChecksum } from '../../ltx/checksum.ts';
import { isFullImage } from '../../ltx/decoder.ts';
import { ExpectedIndex, FileEnd } from '../../ltx/file-end.ts';
import { decodeHeader, HEADER_SIZE_BYTES, type LTXHeader } from '../../ltx/header.ts';
import {
  hashedStartBytes,
  PAGE_HEADER_SIZE_BYTES,
  readUint32,
  sizeOfFrame,
} from '../../ltx/page-frame.ts';
import { PageOrder } from '../../ltx/page-order.ts';
import { FILE_CHECKSUM_SIZE_BYTES, TRAILER_SIZE_BYTES } from '../../ltx/trailer.ts';
import type { DecoderPool } from './decoder-pool.ts';
import type { Slab, Slabs } from './slabs.ts';

export interface ScanOptions {
  /** A kernel of the calling thread: it hashes the index that the pages should have. */
  readonly kernel: Pick<Kernel, 'crc64'>;
  readonly pool: DecoderPool;
  readonly slabs: Slabs;
  /** Called once, before any page. It throws if the file does not belong to this restore. */
  readonly onHeader: (header: LTXHeader) => void | Promise<void>;
  /** Returns true if this is the newest version of the page, which must then be written. */
  readonly claim: (pgno: number) => boolean;
  /** Called as soon as a piece fails, before `verified` settles. */
  readonly onFailure: (error: unknown) => void;
}

export interface ScannedFile {
  readonly header: LTXHeader;
  /** Whether it holds every page, so that older files are not needed. */
  readonly isFullImage: boolean;
  /** Resolves when everything is decoded and written and the file checksum matches. */
  readonly verified: Promise<void>;
}

interface HashedPiece {
  readonly crc: Promise<bigint>;
  readonly hashedBytes: number;
}

export class FileScan {
  readonly #options: ScanOptions;
  readonly #pieces: HashedPiece[] = [];
  #header: LTXHeader | undefined;
  #order: PageOrder | undefined;
  readonly #index: ExpectedIndex;
  /** Where the next frame begins in the file. */
  #offset = HEADER_SIZE_BYTES;
  /** Set when the pages have ended. */
  #end: FileEnd | undefined;

  // The slab being filled, and the parts of it that were recognized so far.
  #slab: Slab | undefined;
  #filled = 0;
  #pagesStart = 0;
  /** Position of the walk: all bytes before it are whole frames, or the end of the pages. */
  #at = 0;
  #framesEnd = 0;
  #batchEnds: number[] = [];
  #targets: number[] = [];
  #hashedPageBytes = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#index = new ExpectedIndex(options.kernel);
  }

  /** Adds bytes. The caller may reuse `chunk` afterwards. */
  async push(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const slab = (this.#slab ??= await this.#options.slabs.acquire());
      const part = chunk.subarray(from, from + slab.length - this.#filled);
      slab.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#header === undefined) await this.#readHeader(slab);
      if (this.#header !== undefined) this.#advance(slab, this.#header);
      if (this.#filled === slab.length) await this.#flushSlab(slab);
    }
  }

  /**
   * Call when all bytes were pushed. LTX_TRUNCATED or LTX_INVALID if the file cannot be complete.
   */
  finish(): ScannedFile {
    const header = this.#header;
    if (header === undefined) throw truncated(`it has ${this.#filled} bytes`);
    if (this.#end === undefined) throw truncated('it ends within its pages');
    assert(this.#order !== undefined, 'the order comes with the header');
    this.#order.finish();
    const trailer = this.#end.readTrailer(header.flags);
    this.#end.checkIndex();
    assert(this.#slab !== undefined, 'the trailer stays in a slab');
    this.#submit(this.#slab, this.#filled - FILE_CHECKSUM_SIZE_BYTES);
    return {
      header,
      isFullImage: isFullImage(header, this.#order.count),
      verified: verify(this.#pieces, trailer.fileChecksum),
    };
  }

  /** Returns the current slab to the pool of slabs without decoding it. */
  abandon(): void {
    if (this.#slab !== undefined) this.#options.slabs.release(this.#slab);
    this.#slab = undefined;
  }

  async #readHeader(slab: Slab): Promise<void> {
    if (this.#filled < HEADER_SIZE_BYTES) return;
    const header = decodeHeader(slab.subarray(0, HEADER_SIZE_BYTES));
    await this.#options.onHeader(header);
    this.#header = header;
    this.#order = new PageOrder(header);
    this.#pagesStart = this.#at = this.#framesEnd = HEADER_SIZE_BYTES;
  }

  /** Processes all complete frames, then the bytes after them. */
  #advance(slab: Slab, header: LTXHeader): void {
    if (this.#end === undefined) this.#walk(slab, header);
    if (this.#end === undefined) return;
    this.#end.push(slab.subarray(this.#at, this.#filled));
    this.#at = this.#filled;
  }

  /** Walks over all complete frames from the current position. */
  #walk(bytes: Slab, { pageSize }: LTXHeader): void {
    const { claim } = this.#options;
    const order = this.#order as PageOrder;
    const end = this.#filled;
    const batchPages = BATCH_BYTES_MAX / pageSize;
    let at = this.#at;
    const pgnos: number[] = [];
    const sizes: number[] = [];
    let hasEnded = false;
    while (end - at >= PAGE_HEADER_SIZE_BYTES) {
      const pgno = readUint32(bytes, at);
      if (pgno === 0) {
        if (bytes[at + 4] !== 0 || bytes[at + 5] !== 0) throw invalid('flags without a page');
        hasEnded = true;
        this.#framesEnd = at;
        at += PAGE_HEADER_SIZE_BYTES;
        break;
      }
      const size = sizeOfFrame(bytes, at, end, pageSize);
      if (size === 0) break;
      order.check(pgno);
      this.#targets.push(claim(pgno) ? pgno : 0);
      pgnos.push(pgno);
      sizes.push(size);
      this.#hashedPageBytes += hashedStartBytes(bytes[at + 5] as number) + pageSize;
      at += size;
      if (this.#targets.length % batchPages === 0) this.#batchEnds.push(at);
    }
    if (!hasEnded) this.#framesEnd = at;
    this.#index.add(pgnos, sizes, this.#offset);
    this.#index.flush();
    this.#offset += this.#framesEnd - this.#at;
    this.#at = at;
    if (hasEnded) this.#end = new FileEnd(this.#options.kernel, this.#index.finish());
  }

  /** The slab is full: submits its whole frames and copies the rest to the next slab. */
  async #flushSlab(slab: Slab): Promise<void> {
    const pagesEnd = this.#framesEnd + PAGE_HEADER_SIZE_BYTES;
    const kept =
      this.#end === undefined ? this.#at : Math.max(pagesEnd, this.#filled - TRAILER_SIZE_BYTES);
    assert(kept > 0, 'a slab holds more than one page frame');
    const rest = slab.slice(kept, this.#filled);
    this.#submit(slab, kept);
    this.#slab = await this.#options.slabs.acquire();
    this.#slab.set(rest);
    this.#filled = rest.length;
    if (this.#end !== undefined) this.#at = this.#filled;
  }

  /** Sends the slab, with its bytes up to `end`, to the decoder pool. */
  #submit(slab: Slab, end: number): void {
    const { pool, onFailure } = this.#options;
    if (this.#framesEnd > (this.#batchEnds.at(-1) ?? this.#pagesStart)) {
      this.#batchEnds.push(this.#framesEnd);
    }
    const crc = pool.decode({
      slab,
      pagesStart: this.#pagesStart,
      batchEnds: this.#batchEnds,
      end,
      pageSize: this.#header?.pageSize ?? 0,
      targets: new Uint32Array(this.#targets),
    });
    crc.catch(onFailure);
    const rawBytes = this.#pagesStart + (end - this.#framesEnd);
    this.#pieces.push({ crc, hashedBytes: rawBytes + this.#hashedPageBytes });
    this.#slab = undefined;
    this.#filled = this.#pagesStart = this.#at = this.#framesEnd = 0;
    this.#batchEnds = [];
    this.#targets = [];
    this.#hashedPageBytes = 0;
  }
}

async function verify(pieces: readonly HashedPiece[], fileChecksum: bigint): Promise<void> {
  const parts = pieces.map(async ({ crc, hashedBytes }) => ({ crc: await crc, hashedBytes }));
  requireFileChecksum(await Promise.all(parts), fileChecksum);
}

function truncated(what: string): ReplicationError {
  return new ReplicationError('LTX_TRUNCATED', `the file is cut off: ${what}`);
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', what);
}
