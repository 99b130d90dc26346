/**
 * Checksums of LTX files (ltx-format section 2): CRC-64/ISO with the top bit set, so that no
 * checksum is zero. The effective strength is 63 bits.
 */

import { ReplicationError } from '../error.ts';
import { combineCRC64, type Kernel } from '../kernel/kernel.ts';

/** Bit 63, set in every stored checksum. */
export const CHECKSUM_FLAG: bigint = 1n << 63n;

/** The contribution of a page to the database checksum: over its number (u32 BE) and its bytes. */
export function pageChecksum(kernel: Kernel, pgno: number, page: Uint8Array): bigint {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, pgno);
  return CHECKSUM_FLAG | kernel.crc64(page, kernel.crc64(number));
}

/**
 * Adds a page's checksum to the database checksum, or removes it: the sum is the XOR of all pages.
 */
export function togglePage(database: bigint, page: bigint): bigint {
  return CHECKSUM_FLAG | (database ^ page);
}

/** The checksum of a file as stored in its trailer: the CRC with bit 63 set. */
export function toFileChecksum(crc: bigint): bigint {
  return CHECKSUM_FLAG | crc;
}

/** A part of the bytes that a file checksum covers. */
export interface HashedPart {
  /** As if no bytes came before. */
  readonly crc: bigint;
  readonly hashedBytes: number;
}

/** LTX_CHECKSUM_MISMATCH unless the parts of a file, in order, have this checksum. */
export function requireFileChecksum(parts: Iterable<HashedPart>, fileChecksum: bigint): void {
  let whole = 0n;
  for (const { crc, hashedBytes } of parts) whole = combineCRC64(whole, crc, hashedBytes);
  if (toFileChecksum(whole) === fileChecksum) return;
  throw new ReplicationError('LTX_CHECKSUM_MISMATCH', 'its checksum does not match its bytes');
}
