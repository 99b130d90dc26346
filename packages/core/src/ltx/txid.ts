/** Transaction numbers: 64 bits, from 1, written as 16 lower-case hex digits (ltx-format section 6). */

import { ReplicationError } from '../error.ts';

/** A transaction number, 1 to 2^64-1. Branded by a string key: two copies of this package agree. */
export type TXID = bigint & { readonly __sluice: 'TXID' };

export const TXID_MAX: TXID = 0xffff_ffff_ffff_ffffn as TXID;

/** The TXID of `value`. LTX_INVALID when it is not between 1 and 2^64-1. */
export function toTXID(value: bigint | number): TXID {
  const txid = BigInt(value);
  if (txid < 1n || txid > TXID_MAX) {
    throw new ReplicationError('LTX_INVALID', `TXID ${txid} is not between 1 and 2^64-1`);
  }
  return txid as TXID;
}

/** `0000…` as 16 lower-case hex digits. Order of strings is order of numbers. */
export function formatTXID(txid: bigint): string {
  return txid.toString(16).padStart(16, '0');
}

/** Parses exactly 16 hex digits, else LTX_INVALID. Upper case is accepted, as in Litestream. */
export function parseTXID(text: string): TXID {
  if (!/^[0-9a-fA-F]{16}$/.test(text)) {
    throw new ReplicationError('LTX_INVALID', `TXID "${text}" is not 16 hex digits`);
  }
  return toTXID(BigInt(`0x${text}`));
}

/** The highest of some, 0 where there is none. */
export function highestOf(...txids: readonly (bigint | undefined)[]): bigint {
  return txids.reduce<bigint>((a, b) => (b !== undefined && b > a ? b : a), 0n);
}

export function nextTXID(txid: bigint): TXID {
  return toTXID(txid + 1n);
}
