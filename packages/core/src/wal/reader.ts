/**
 * Reads a WAL by position. This is the only file in this folder that does I/O.
 *
 * It reads up to a frame number that the caller got from SQLite, never further, and verifies salts
 * and cumulative checksums.
 */

import fs from 'node:fs';
import { readFullySync } from '../file-io.ts';
import { BATCH_BYTES_MAX, type Kernel, type WALChecksumState } from '../kernel/kernel.ts';
import { decodeFrameHeader, type FrameHeader } from './frame.ts';
import {
  decodeWALHeader,
  FRAME_CHECKSUMMED_BYTES,
  FRAME_HEADER_SIZE_BYTES,
  frameOffset,
  frameSizeBytes,
  WAL_HEADER_SIZE_BYTES,
  type ChecksumOrder,
  type WALHeader,
} from './header.ts';

/** Consecutive verified frames, with their pages. Valid until the next batch is read. */
export interface FrameBatch {
  /** Header of the log of these frames. */
  readonly header: WALHeader;
  /** Number of the first frame, from 1. */
  readonly first: number;
  readonly count: number;
  readonly pgnos: Uint32Array;
  readonly commits: Uint32Array;
  /** The checksum after the last frame. */
  readonly checksum: WALChecksumState;
  /** Page of the frame at `index` of this batch; a view. */
  page(index: number): Uint8Array;
}

export class WALReader {
  readonly #path: string;
  readonly #kernel: Kernel;
  readonly #headerBytes = new Uint8Array(WAL_HEADER_SIZE_BYTES);
  /** Cache of the last header and its bytes: it is read often and rarely changes. */
  readonly #knownBytes = new Uint8Array(WAL_HEADER_SIZE_BYTES);
  #known: WALHeader | undefined;
  /** Frames of the current batch. */
  #buffer: Uint8Array = new Uint8Array(0);
  #fd: number | undefined;

  /** Does not open the file yet: it may not exist. */
  constructor(path: string, kernel: Kernel) {
    this.#path = path;
    this.#kernel = kernel;
  }

  /** Reads the current header; undefined if the log is empty, missing or just being started. */
  readHeader(): WALHeader | undefined {
    const fd = this.#open();
    if (fd === undefined) return undefined;
    const length = readFullySync(fd, this.#headerBytes, 0);
    if (length < WAL_HEADER_SIZE_BYTES) return undefined;
    if (this.#known !== undefined && Buffer.compare(this.#headerBytes, this.#knownBytes) === 0) {
      return this.#known;
    }
    this.#known = decodeWALHeader(this.#headerBytes, this.#kernel);
    this.#knownBytes.set(this.#headerBytes);
    return this.#known;
  }

  /** Reads the header of frame `number`, unverified; undefined after the end of the file. */
  readFrameHeader(number: number, header: WALHeader): FrameHeader | undefined {
    const fd = this.#open();
    if (fd === undefined || number < 1) return undefined;
    const bytes = new Uint8Array(FRAME_HEADER_SIZE_BYTES);
    const length = readFullySync(fd, bytes, frameOffset(number, header.pageSize));
    return decodeFrameHeader(bytes.subarray(0, length));
  }

  /**
   * Reads the page of frame `number`. Returns false unless it is verified: its salts are those of
   * `header`, and its checksum follows from the previous frame's.
   */
  readPage(number: number, header: WALHeader, into: Uint8Array): boolean {
    const fd = this.#open();
    if (fd === undefined || number < 1) return false;
    const before = number === 1 ? header : this.readFrameHeader(number - 1, header);
    const bytes = new Uint8Array(FRAME_HEADER_SIZE_BYTES);
    const page = into.subarray(0, header.pageSize);
    const offset = frameOffset(number, header.pageSize);
    const length = readFullySync(fd, bytes, offset);
    if (readFullySync(fd, page, offset + FRAME_HEADER_SIZE_BYTES) < page.length) return false;
    const frame = decodeFrameHeader(bytes.subarray(0, length));
    if (before === undefined || frame === undefined) return false;
    if (!isOfLog(before, header) || !isOfLog(frame, header)) return false;
    // Two steps, because `into` may be part of a batch in the kernel's input, which must not change.
    const start = stepChecksum(bytes, header.order, before.checksum);
    const { s0, s1 } = this.#kernel.walChecksum(page, header.order, start);
    return s0 === frame.checksum.s0 && s1 === frame.checksum.s1;
  }

  /**
   * Yields frames `from` to `to` in batches that share one buffer. Ends early, without an error, at
   * the first invalid frame: the caller compares the number of frames with the number requested.
   */
  *readFrames(
    header: WALHeader,
    from: number,
    to: number,
    checksum: WALChecksumState,
  ): Generator<FrameBatch, void> {
    const frameSize = frameSizeBytes(header.pageSize);
    const perBatch = Math.max(1, Math.floor(BATCH_BYTES_MAX / frameSize));
    let state = checksum;
    for (let first = from; first <= to; first += perBatch) {
      const wanted = Math.min(perBatch, to - first + 1);
      const batch = this.#readBatch(header, first, wanted, state);
      if (batch === undefined || batch.count === 0) return;
      yield batch;
      if (batch.count < wanted) return;
      state = batch.checksum;
    }
  }

  /** Current size of the file; 0 if it is missing. */
  sizeBytes(): number {
    const fd = this.#open();
    return fd === undefined ? 0 : fs.fstatSync(fd).size;
  }

  /** Whether the path still names the open file. */
  isSameFile(): boolean {
    if (this.#fd === undefined) return true;
    const ours = fs.fstatSync(this.#fd);
    const there = fs.statSync(this.#path, { throwIfNoEntry: false });
    return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd); // safe: SQLite holds no locks on this file
    this.#fd = undefined;
  }

  #readBatch(
    header: WALHeader,
    first: number,
    count: number,
    state: WALChecksumState,
  ): FrameBatch | undefined {
    const fd = this.#open();
    if (fd === undefined) return undefined;
    const frameSize = frameSizeBytes(header.pageSize);
    const wanted = count * frameSize;
    if (this.#buffer.length < wanted) this.#buffer = new Uint8Array(wanted);
    const bytes = this.#buffer.subarray(0, wanted);
    const length = readFullySync(fd, bytes, frameOffset(first, header.pageSize));
    const whole = bytes.subarray(0, length - (length % frameSize));
    const scan = this.#kernel.scanFrames(
      whole,
      header.pageSize,
      header.salt1,
      header.salt2,
      header.order,
      state,
    );
    const last = scan.count - 1;
    return {
      header,
      first,
      count: scan.count,
      pgnos: scan.pgnos.slice(0, scan.count),
      commits: scan.commits.slice(0, scan.count),
      checksum:
        last < 0
          ? state
          : { s0: scan.checksums[2 * last] ?? 0, s1: scan.checksums[2 * last + 1] ?? 0 },
      page: (index) => {
        const start = index * frameSize + FRAME_HEADER_SIZE_BYTES;
        return whole.subarray(start, start + header.pageSize);
      },
    };
  }

  #open(): number | undefined {
    if (this.#fd !== undefined) return this.#fd;
    try {
      this.#fd = fs.openSync(this.#path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return this.#fd;
  }
}

function isOfLog(frame: { salt1: number; salt2: number }, header: WALHeader): boolean {
  return frame.salt1 === header.salt1 && frame.salt2 === header.salt2;
}

/**
 * Advances the cumulative checksum over the covered bytes of a frame header, without the kernel.
 */
function stepChecksum(
  frameHeader: Uint8Array,
  order: ChecksumOrder,
  { s0, s1 }: WALChecksumState,
): WALChecksumState {
  const view = new DataView(frameHeader.buffer, frameHeader.byteOffset, FRAME_CHECKSUMMED_BYTES);
  const first = (view.getUint32(0, order === 'little-endian') + s0 + s1) >>> 0;
  const second = (view.getUint32(4, order === 'little-endian') + s1 + first) >>> 0;
  return { s0: first, s1: second };
}
