/**
 * One frame of a WAL: 24 bytes, then the page.
 *
 *  off size field
 *    0   4  page number
 *    4   4  database size in pages after this commit; 0 if the frame is not a commit frame
 *    8   8  salts, equal to the header's
 *   16   8  cumulative checksum: over the header's first 24 bytes, then for each frame up to this
 *           one over its first 8 bytes and its page
 *
 * A frame is valid if and only if its salts are the header's and its checksum matches. Only SQLite
 * knows which valid frames are committed (`PRAGMA wal_checkpoint(NOOP)`), because a writer may die
 * between its commit frame and its update of the wal-index.
 */

import type { WALChecksumState } from '../kernel/kernel.ts';
import { FRAME_HEADER_SIZE_BYTES, type WALHeader } from './header.ts';

export interface FrameHeader {
  readonly pgno: number;
  readonly commit: number;
  readonly salt1: number;
  readonly salt2: number;
  readonly checksum: WALChecksumState;
}

export function decodeFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_SIZE_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_SIZE_BYTES);
  return {
    pgno: view.getUint32(0),
    commit: view.getUint32(4),
    salt1: view.getUint32(8),
    salt2: view.getUint32(12),
    checksum: { s0: view.getUint32(16), s1: view.getUint32(20) },
  };
}

/** A position in the log: after `frame` of the log with this header, with this running checksum. */
export interface LogPlace {
  readonly header: WALHeader | undefined;
  readonly frame: number;
  readonly checksum: WALChecksumState;
}
