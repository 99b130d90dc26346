/**
 * Verifies the end of an LTX file as it arrives: the index names exactly the page frames that came
 * before it and its length is correct; a trailer follows, and nothing after it.
 *
 * The expected index is kept as a length and a CRC, so it uses no memory, however many pages there
 * are.
 */

import { ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { HashedPart } from './checksum.ts';
import { AFTER_INDEX_BYTES } from './file.ts';
import { encodeEntries, entriesBytesMax, INDEX_LENGTH_SIZE_BYTES } from './page-index.ts';
import { decodeTrailer, FILE_CHECKSUM_SIZE_BYTES, type LTXTrailer } from './trailer.ts';

export interface IndexDigest {
  /** Includes the final zero byte. */
  readonly sizeBytes: number;
  readonly crc: bigint;
}

/** Digest of the index that a file must have, computed from its page frames. */
export class ExpectedIndex {
  readonly #kernel: Pick<Kernel, 'crc64'>;
  #pending: Uint8Array = new Uint8Array(0);
  #pendingBytes = 0;
  #sizeBytes = 0;
  #crc = 0n;

  constructor(kernel: Pick<Kernel, 'crc64'>) {
    this.#kernel = kernel;
  }

  /** Adds consecutive frames, the first at `offset`. Does not call the kernel: `flush` does. */
  add(pgnos: ArrayLike<number>, sizes: ArrayLike<number>, offset: number): void {
    const room = entriesBytesMax(pgnos.length);
    if (this.#pending.length < room) this.#pending = new Uint8Array(room);
    this.#pendingBytes = encodeEntries(this.#pending, pgnos, sizes, offset);
  }

  /**
   * Hashes the added entries. Call it before the next `add`, when the kernel's output is no longer
   * needed.
   */
  flush(): void {
    if (this.#pendingBytes === 0) return;
    this.#hash(this.#pending.subarray(0, this.#pendingBytes));
    this.#pendingBytes = 0;
  }

  finish(): IndexDigest {
    this.flush();
    this.#hash(new Uint8Array(1));
    return { sizeBytes: this.#sizeBytes, crc: this.#crc };
  }

  #hash(bytes: Uint8Array): void {
    this.#crc = this.#kernel.crc64(bytes, this.#crc);
    this.#sizeBytes += bytes.length;
  }
}

export class FileEnd {
  readonly #kernel: Pick<Kernel, 'crc64'>;
  readonly #expected: IndexDigest;
  /** The last 24 bytes pushed. */
  readonly #last: Uint8Array = new Uint8Array(AFTER_INDEX_BYTES);
  #indexCRC = 0n;
  #sizeBytes = 0;

  constructor(kernel: Pick<Kernel, 'crc64'>, expected: IndexDigest) {
    this.#kernel = kernel;
    this.#expected = expected;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** LTX_INVALID if there are more bytes than the file can have. */
  push(bytes: Uint8Array): void {
    const indexBytes = Math.max(0, this.#expected.sizeBytes - this.#sizeBytes);
    const index = bytes.subarray(0, indexBytes);
    if (index.length > 0) this.#indexCRC = this.#kernel.crc64(index, this.#indexCRC);
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > this.#expected.sizeBytes + AFTER_INDEX_BYTES) {
      throw invalid('there are more bytes after its pages than an index and a trailer');
    }
    this.#keepLast(bytes);
  }

  /** LTX_TRUNCATED if bytes are missing; LTX_INVALID for an invalid trailer. */
  readTrailer(flags: number): LTXTrailer {
    const missing = this.#expected.sizeBytes + AFTER_INDEX_BYTES - this.#sizeBytes;
    if (missing > 0) throw this.#tooShort(missing);
    return decodeTrailer(this.#last.subarray(INDEX_LENGTH_SIZE_BYTES), flags);
  }

  /** The part of these bytes that the file checksum covers. Call after `readTrailer`. */
  hashed(): HashedPart {
    const covered = AFTER_INDEX_BYTES - FILE_CHECKSUM_SIZE_BYTES;
    return {
      crc: this.#kernel.crc64(this.#last.subarray(0, covered), this.#indexCRC),
      hashedBytes: this.#expected.sizeBytes + covered,
    };
  }

  /** LTX_INVALID unless the index names exactly the pages. Call after `readTrailer`. */
  checkIndex(): void {
    const length = this.#indexLength();
    if (length !== BigInt(this.#expected.sizeBytes)) {
      throw invalid(
        `its page index claims a length of ${length} bytes, but has ${this.#expected.sizeBytes}`,
      );
    }
    if (this.#indexCRC !== this.#expected.crc) {
      throw invalid('its page index does not name exactly its pages');
    }
  }

  #keepLast(bytes: Uint8Array): void {
    const kept = Math.max(0, AFTER_INDEX_BYTES - bytes.length);
    this.#last.copyWithin(0, AFTER_INDEX_BYTES - kept);
    this.#last.set(bytes.subarray(Math.max(0, bytes.length - AFTER_INDEX_BYTES)), kept);
  }

  #indexLength(): bigint {
    return new DataView(this.#last.buffer).getBigUint64(0);
  }

  /**
   * The file is cut off, or it is complete and its index is too short, as the index length shows.
   */
  #tooShort(missing: number): ReplicationError {
    const indexBytes = BigInt(this.#sizeBytes - AFTER_INDEX_BYTES);
    if (indexBytes > 0n && this.#indexLength() === indexBytes) {
      return invalid('pages are missing from its page index');
    }
    return new ReplicationError(
      'LTX_TRUNCATED',
      `LTX file: it is cut off: ${missing} bytes are missing at its end`,
    );
  }
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX file: ${what}`);
}
