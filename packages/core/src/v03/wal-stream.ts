/**
 * Applies one WAL, byte by byte as it arrives, to a database file, without SQLite. The pages that this
 * writes are those that a checkpoint of SQLite would write.
 *
 * Every frame is verified: its salts, and the cumulative checksum from the header on. A transaction is
 * written when its commit frame has arrived.
 */

import { ReplicationError } from '../error.ts';
import { BATCH_BYTES_MAX, type Kernel, type WALChecksumState } from '../kernel/kernel.ts';
import {
  decodeWALHeader,
  FRAME_HEADER_SIZE_BYTES,
  frameSizeBytes,
  WAL_HEADER_SIZE_BYTES,
  type WALHeader,
} from '../wal/header.ts';
import type { OpenTransaction } from './open-transaction.ts';

/** Writes a page of the database. */
export type WritePage = (pgno: number, page: Uint8Array) => void;

export interface WALStreamOptions {
  readonly kernel: Kernel;
  readonly writePage: WritePage;
  /** Holds the pages of a transaction until its commit. */
  readonly open: OpenTransaction;
}

export class WALStream {
  readonly #options: WALStreamOptions;
  /** An incomplete frame, or an incomplete header, and then frames of one batch. */
  #buffer = new Uint8Array(BATCH_BYTES_MAX);
  #bufferedBytes = 0;
  #header: WALHeader | undefined;
  #checksum: WALChecksumState = { s0: 0, s1: 0 };
  #appliedBytes = 0;
  #commit = 0;

  constructor(options: WALStreamOptions) {
    this.#options = options;
  }

  /** Bytes that arrived so far: the offset of the next segment. */
  get sizeBytes(): number {
    return this.#appliedBytes + this.#bufferedBytes;
  }

  /** Size of the database in pages after the last commit; 0 if there was none. */
  get commit(): number {
    return this.#commit;
  }

  get pageSize(): number | undefined {
    return this.#header?.pageSize;
  }

  /** WAL_INVALID for a frame that does not follow from the one before. */
  push(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const part = bytes.subarray(done, done + this.#buffer.length - this.#bufferedBytes);
      this.#buffer.set(part, this.#bufferedBytes);
      this.#bufferedBytes += part.length;
      done += part.length;
      this.#consume(this.#header === undefined ? this.#takeHeader() : 0);
      if (this.#header !== undefined) this.#consume(this.#applyFrames(this.#header));
    }
  }

  /** WAL_INVALID unless a segment ends here with a whole frame: segments contain nothing else. */
  endSegment(): void {
    if (this.#header !== undefined && this.#bufferedBytes === 0) return;
    throw invalid(`it ends within the frame at offset ${this.#appliedBytes} of the WAL`);
  }

  #takeHeader(): number {
    if (this.#bufferedBytes < WAL_HEADER_SIZE_BYTES) return 0;
    const header = decodeWALHeader(
      this.#buffer.subarray(0, WAL_HEADER_SIZE_BYTES),
      this.#options.kernel,
    );
    if (header === undefined) throw invalid('it does not start with the header of a WAL');
    this.#header = header;
    this.#checksum = header.checksum;
    return WAL_HEADER_SIZE_BYTES;
  }

  #applyFrames({ pageSize, salt1, salt2, order }: WALHeader): number {
    const size = frameSizeBytes(pageSize);
    const count = Math.floor(this.#bufferedBytes / size);
    const frames = this.#buffer.subarray(0, count * size);
    const { kernel } = this.#options;
    const scan = kernel.scanFrames(frames, pageSize, salt1, salt2, order, this.#checksum);
    if (scan.count < count) {
      const offset = this.#appliedBytes + scan.count * size;
      throw invalid(
        `the frame at offset ${offset} of the WAL does not match its checksum or salts`,
      );
    }
    if (count === 0) return 0;
    const last = 2 * (count - 1);
    this.#checksum = { s0: scan.checksums[last] ?? 0, s1: scan.checksums[last + 1] ?? 0 };
    this.#write(frames, size, scan.pgnos, scan.commits);
    return frames.length;
  }

  #write(frames: Uint8Array, size: number, pgnos: Uint32Array, commits: Uint32Array): void {
    const { open, writePage } = this.#options;
    const lastCommit = commits.findLastIndex((commit) => commit > 0);
    if (lastCommit >= 0) {
      open.commit(writePage);
      this.#commit = commits[lastCommit] ?? 0;
    }
    for (const [index, pgno] of pgnos.entries()) {
      const start = index * size + FRAME_HEADER_SIZE_BYTES;
      const page = frames.subarray(start, (index + 1) * size);
      if (index <= lastCommit) writePage(pgno, page);
      else open.add(pgno, page);
    }
  }

  #consume(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.#bufferedBytes);
    this.#bufferedBytes -= count;
    this.#appliedBytes += count;
  }
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('WAL_INVALID', message);
}
