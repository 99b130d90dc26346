/**
 * Checks what follows the pages of an LTX file, as it comes: the index, its length, the trailer,
 * and nothing more. How long that must be is known from the pages.
 */

import { ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { toFileChecksum } from './checksum.ts';
import type { IndexDigest } from './expected-index.ts';
import { INDEX_LENGTH_SIZE_BYTES } from './page-index.ts';
import { decodeTrailer, TRAILER_SIZE_BYTES, type LTXTrailer } from './trailer.ts';

const AFTER_INDEX_BYTES: number = INDEX_LENGTH_SIZE_BYTES + TRAILER_SIZE_BYTES;
/** Of the last 24 bytes: all but the file checksum itself. */
const HASHED_AFTER_INDEX_BYTES: number = AFTER_INDEX_BYTES - 8;

export class FileEnd {
  readonly #kernel: Pick<Kernel, 'crc64'>;
  readonly #expected: IndexDigest;
  /** The last 24 bytes that came. */
  readonly #last: Uint8Array = new Uint8Array(AFTER_INDEX_BYTES);
  #crc: bigint;
  #indexCRC = 0n;
  #sizeBytes = 0;

  /** `crc`: of what the file checksum covers so far, the end of the pages included. */
  constructor(kernel: Pick<Kernel, 'crc64'>, crc: bigint, expected: IndexDigest) {
    this.#kernel = kernel;
    this.#crc = crc;
    this.#expected = expected;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** LTX_INVALID for more bytes than there can be. */
  push(bytes: Uint8Array): void {
    const indexBytes = Math.max(0, this.#expected.sizeBytes - this.#sizeBytes);
    const index = bytes.subarray(0, indexBytes);
    if (index.length > 0) {
      this.#crc = this.#kernel.crc64(index, this.#crc);
      this.#indexCRC = this.#kernel.crc64(index, this.#indexCRC);
    }
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > this.#expected.sizeBytes + AFTER_INDEX_BYTES) {
      throw invalid('more bytes follow its pages than their index and a trailer have');
    }
    this.#keepLast(bytes);
  }

  /** LTX_TRUNCATED, LTX_CHECKSUM_MISMATCH or LTX_INVALID unless the file ended here, whole and right. */
  finish(flags: number): LTXTrailer {
    const missing = this.#expected.sizeBytes + AFTER_INDEX_BYTES - this.#sizeBytes;
    if (missing > 0) throw this.#tooShort(missing);
    const crc = this.#kernel.crc64(this.#last.subarray(0, HASHED_AFTER_INDEX_BYTES), this.#crc);
    const trailer = this.#last.subarray(INDEX_LENGTH_SIZE_BYTES);
    const { fileChecksum, ...rest } = decodeTrailer(trailer, flags);
    if (toFileChecksum(crc) !== fileChecksum) {
      throw new ReplicationError(
        'LTX_CHECKSUM_MISMATCH',
        'LTX file: its checksum is not that of its bytes',
      );
    }
    if (this.#indexLength() !== BigInt(this.#expected.sizeBytes)) {
      throw invalid(`the length of its page index is told as ${this.#indexLength()}`);
    }
    if (this.#indexCRC !== this.#expected.crc) throw invalid('its page index is not of its pages');
    return { fileChecksum, ...rest };
  }

  #keepLast(bytes: Uint8Array): void {
    const kept = Math.max(0, AFTER_INDEX_BYTES - bytes.length);
    this.#last.copyWithin(0, AFTER_INDEX_BYTES - kept);
    this.#last.set(bytes.subarray(Math.max(0, bytes.length - AFTER_INDEX_BYTES)), kept);
  }

  #indexLength(): bigint {
    return new DataView(this.#last.buffer).getBigUint64(0);
  }

  /** Cut off, or whole with an index that is too short: then its length says so. */
  #tooShort(missing: number): ReplicationError {
    const told = BigInt(this.#sizeBytes - AFTER_INDEX_BYTES);
    if (told > 0n && this.#indexLength() === told) return invalid('its page index lacks pages');
    return new ReplicationError(
      'LTX_TRUNCATED',
      `LTX file: it is cut off, ${missing} bytes before the end that its pages tell`,
    );
  }
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX file: ${what}`);
}
