/** Proves a file that was decoded in ranges: order, completeness, and the checksum of the whole. */

import { ReplicationError } from '../error.ts';
import { combineCRC64, type Kernel } from '../kernel/kernel.ts';
import { toFileChecksum } from '../ltx/checksum.ts';
import { isFullImage } from '../ltx/decoder.ts';
import { decodeHeader, isSnapshot, lockPgno, type LTXHeader } from '../ltx/header.ts';
import { decodeTrailer } from '../ltx/trailer.ts';
import type { LTXFileInfo } from '../replica/client.ts';
import { nameOf } from './chain.ts';
import type { Done } from './messages.ts';

export type RangeDone = Done & { readonly kind: 'range' };

export class LargeFileProof {
  readonly #file: LTXFileInfo;
  readonly #kernel: Kernel;
  readonly header: LTXHeader;
  readonly #ranges: (RangeDone | undefined)[] = [];
  #crc: bigint;
  #restCRC = 0n;
  #restBytes = 0;

  /** LTX_NOT_CONTIGUOUS where its pages are not of `pageSize` bytes, as the newest file's are. */
  constructor(file: LTXFileInfo, headerBytes: Uint8Array, kernel: Kernel, pageSize: number) {
    this.#file = file;
    this.#kernel = kernel;
    this.header = decodeHeader(headerBytes);
    if (this.header.pageSize !== pageSize) {
      throw new ReplicationError(
        'LTX_NOT_CONTIGUOUS',
        `${nameOf(file)}: its pages have ${this.header.pageSize} bytes, those of the newest file ${pageSize}`,
      );
    }
    this.#crc = kernel.crc64(headerBytes);
  }

  /** The place of the next range, in the order of the file. */
  reserve(): number {
    return this.#ranges.push(undefined) - 1;
  }

  add(place: number, range: RangeDone): void {
    this.#ranges[place] = range;
  }

  /** What follows the pages, in order, up to and without the trailer. */
  addRest(bytes: Uint8Array): void {
    this.#restCRC = this.#kernel.crc64(bytes, this.#restCRC);
    this.#restBytes += bytes.length;
  }

  /** Call when all ranges are there. Gives how many pages the file has. */
  finish(trailerBytes: Uint8Array): number {
    const trailer = decodeTrailer(trailerBytes, this.header.flags);
    let pageCount = 0;
    let last = 0;
    for (const range of this.#ranges) {
      if (range === undefined) throw this.#invalid('a range of it was not decoded');
      if (range.firstPgno <= last) throw this.#invalid('its pages do not ascend');
      last = range.lastPgno;
      pageCount += range.pageCount;
      this.#crc = combineCRC64(this.#crc, range.crc, range.hashedBytes);
    }
    this.#crc = combineCRC64(this.#crc, this.#restCRC, this.#restBytes);
    this.#crc = this.#kernel.crc64(trailerBytes.subarray(0, 8), this.#crc);
    if (toFileChecksum(this.#crc) !== trailer.fileChecksum) {
      throw new ReplicationError(
        'LTX_CHECKSUM_MISMATCH',
        `${nameOf(this.#file)}: its checksum is not that of its bytes; restore from another destination`,
      );
    }
    if (last > this.header.commit) throw this.#invalid(`it has page ${last} beyond its end`);
    if (isSnapshot(this.header) && !isFullImage(this.header, pageCount)) {
      const lock = lockPgno(this.header.pageSize);
      throw this.#invalid(
        `a snapshot of ${this.header.commit} pages has ${pageCount} (lock page ${lock})`,
      );
    }
    return pageCount;
  }

  #invalid(what: string): ReplicationError {
    return new ReplicationError('LTX_INVALID', `${nameOf(this.#file)}: ${what}`);
  }
}
