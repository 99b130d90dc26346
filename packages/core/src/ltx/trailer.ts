/**
 * The last 16 bytes of an LTX file.
 *
 *  off size field
 *    0   8  post-apply checksum: 0 with NoChecksum, else the database checksum, with bit 63
 *    8   8  file checksum, with bit 63
 */

import { ReplicationError } from '../error.ts';
import { CHECKSUM_FLAG } from './checksum.ts';
import { FLAG_NO_CHECKSUM } from './header.ts';

/** Size of a trailer. */
export const TRAILER_SIZE_BYTES = 16;
/** The file checksum, at the end of the trailer, does not cover its own bytes. */
export const FILE_CHECKSUM_SIZE_BYTES = 8;

/** The trailer of an LTX file: two checksums with bit 63 set, or 0n. */
export interface LTXTrailer {
  readonly postApplyChecksum: bigint;
  readonly fileChecksum: bigint;
}

/** The 16 bytes of a trailer. */
export function encodeTrailer(trailer: LTXTrailer): Uint8Array {
  const bytes = new Uint8Array(TRAILER_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, trailer.postApplyChecksum);
  view.setBigUint64(8, trailer.fileChecksum);
  return bytes;
}

/**
 * LTX_TRUNCATED for less than 16 bytes; LTX_INVALID if a checksum lacks its flag, or must not be
 * set.
 */
export function decodeTrailer(bytes: Uint8Array, flags: number): LTXTrailer {
  if (bytes.length < TRAILER_SIZE_BYTES) {
    throw new ReplicationError('LTX_TRUNCATED', `LTX trailer has ${bytes.length} of 16 bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, TRAILER_SIZE_BYTES);
  const postApplyChecksum = view.getBigUint64(0);
  const fileChecksum = view.getBigUint64(8);
  if ((fileChecksum & CHECKSUM_FLAG) === 0n) {
    throw new ReplicationError('LTX_INVALID', 'LTX trailer: file checksum without its flag bit');
  }
  const isTracked = (flags & FLAG_NO_CHECKSUM) === 0;
  if (isTracked !== ((postApplyChecksum & CHECKSUM_FLAG) !== 0n)) {
    throw new ReplicationError(
      'LTX_INVALID',
      'LTX trailer: post-apply checksum and flags disagree',
    );
  }
  if (!isTracked && postApplyChecksum !== 0n) {
    throw new ReplicationError('LTX_INVALID', 'LTX trailer: post-apply checksum is not allowed');
  }
  return { postApplyChecksum, fileChecksum };
}
