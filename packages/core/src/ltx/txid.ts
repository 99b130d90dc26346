/** Transaction IDs: 64 bits, from 1, written as 16 lower-case hex digits (ltx-format section 6). */

import { ReplicationError } from '../error.ts';

/**
 * A transaction ID, 1 to 2^64-1. Branded with a string key, so that two copies of this package
 * agree.
 */
export type TXID = bigint & { readonly __sluice: 'TXID' };

/** The highest TXID. */
export const TXID_MAX: TXID = 0xffff_ffff_ffff_ffffn as TXID;

/** Converts `value`. LTX_INVALID unless it is between 1 and 2^64-1. */
export function toTXID(value: bigint | number): TXID {
  const txid = BigInt(value);
  if (txid < 1n || txid > TXID_MAX) {
    throw new ReplicationError(
      'LTX_INVALID',
      `TXID ${formatTXID(txid)} is not between 1 and 2^64-1`,
    );
  }
  return txid as TXID;
}

/** 16 lower-case hex digits, the only form in which people see a TXID. Sorts like the number. */
export function formatTXID(txid: bigint): string {
  return txid.toString(16).padStart(16, '0');
}

/** Parses exactly 16 hex digits, else LTX_INVALID. Accepts upper case, as Litestream does. */
export function parseTXID(text: string): TXID {
  if (!/^[0-9a-fA-F]{16}$/.test(text)) {
    throw new ReplicationError('LTX_INVALID', `TXID "${text}" is not 16 hex digits`);
  }
  return toTXID(BigInt(`0x${text}`));
}

/** The highest of `txids`; 0 if there is none. */
export function highestOf(...txids: readonly (bigint | undefined)[]): bigint {
  return txids.reduce<bigint>((a, b) => (b !== undefined && b > a ? b : a), 0n);
}

/** The following TXID. LTX_INVALID after `TXID_MAX`. */
export function nextTXID(txid: bigint): TXID {
  return toTXID(txid + 1n);
}
