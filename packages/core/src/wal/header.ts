/**
 * The first 32 bytes of a WAL (SQLite, "The Write-Ahead Log" file format; all integers big-endian).
 *
 *  off size field
 *    0   4  magic: 0x377f0682 (checksums over little-endian words) or 0x377f0683 (big-endian)
 *    4   4  version: 3007000
 *    8   4  page size: 512 to 65536
 *   12   4  checkpoint sequence number
 *   16   4  salt 1
 *   20   4  salt 2
 *   24   8  checksum of bytes 0 to 23
 *
 * Valid if and only if magic, version and page size have these values and the checksum matches. An
 * invalid header is not an error: it is being written, or the log is empty.
 */

import { type Kernel, type WALChecksumState } from '../kernel/kernel.ts';
import { ReplicationError } from '../error.ts';

export const WAL_HEADER_SIZE_BYTES = 32;
export const FRAME_HEADER_SIZE_BYTES = 24;
/** The part of a frame header that its checksum covers: page number and commit. */
export const FRAME_CHECKSUMMED_BYTES = 8;

export type ChecksumOrder = 'little-endian' | 'big-endian';

export interface WALHeader {
  readonly order: ChecksumOrder;
  readonly pageSize: number;
  readonly checkpointSequence: number;
  readonly salt1: number;
  readonly salt2: number;
  /** The start value of the frames' cumulative checksum. */
  readonly checksum: WALChecksumState;
}

/**
 * The header in `bytes`, or undefined if it is not valid. WAL_UNSUPPORTED for an unknown version.
 */
export function decodeWALHeader(bytes: Uint8Array, kernel: Kernel): WALHeader | undefined {
  if (bytes.length < WAL_HEADER_SIZE_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_HEADER_SIZE_BYTES);
  const magic = view.getUint32(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return undefined;
  const order: ChecksumOrder = magic === 0x377f0682 ? 'little-endian' : 'big-endian';
  const checksum = kernel.walChecksum(bytes.subarray(0, 24), order);
  if (checksum.s0 !== view.getUint32(24) || checksum.s1 !== view.getUint32(28)) return undefined;
  const version = view.getUint32(4);
  if (version !== 3007000) {
    throw new ReplicationError(
      'WAL_UNSUPPORTED',
      `the WAL has format version ${version}, but only 3007000 is supported`,
    );
  }
  const pageSize = view.getUint32(8);
  if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  return {
    order,
    pageSize,
    checkpointSequence: view.getUint32(12),
    salt1: view.getUint32(16),
    salt2: view.getUint32(20),
    checksum,
  };
}

/** Whether both are headers of the same log: a restart of the log changes the salts. */
export function isSameLog(a: WALHeader | undefined, b: WALHeader | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.salt1 === b.salt1 &&
    a.salt2 === b.salt2 &&
    a.pageSize === b.pageSize &&
    a.checksum.s0 === b.checksum.s0 &&
    a.checksum.s1 === b.checksum.s1
  );
}

/** Bytes of one frame: its header and its page. */
export function frameSizeBytes(pageSize: number): number {
  return FRAME_HEADER_SIZE_BYTES + pageSize;
}

/** Offset of frame `number` (from 1) in the file. */
export function frameOffset(number: number, pageSize: number): number {
  return WAL_HEADER_SIZE_BYTES + (number - 1) * frameSizeBytes(pageSize);
}
