/** Listings for tests of plans: names without files. */

import { toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';

export const EPOCH_MS = 1_700_000_000_000;

/** Time of a TXID with a correct clock: one every ten seconds. */
export function timeOf(txid: bigint | number): Date {
  return new Date(EPOCH_MS + Number(txid) * 10_000);
}

export function file(
  level: number,
  min: number,
  max: number,
  more: Partial<LTXFileInfo> = {},
): LTXFileInfo {
  return {
    level,
    minTXID: toTXID(min),
    maxTXID: toTXID(max),
    sizeBytes: 1000 + (max - min),
    modifiedAt: new Date(0),
    createdAt: timeOf(max),
    ...more,
  };
}

/** "9/1-10 0/11-11" */
export function names(files: readonly LTXFileInfo[]): string {
  return files.map(({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`).join(' ');
}
