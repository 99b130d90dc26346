/** A verified change of a warm copy: some pages, and the size afterwards. */

import type { LastFile } from './position.ts';
import type { TXID } from '../ltx/txid.ts';

export interface Change {
  readonly pageSize: number;
  /** Size of the database afterwards, in pages. */
  readonly commit: number;
  /** Page numbers, ascending, without the lock page. */
  pgnos(): Iterable<number>;
  has(pgno: number): boolean;
  /** Fills `into` with a page. */
  read(pgno: number, into: Uint8Array): void;
}

/** The state of the backup that a change leads to. */
export interface TargetState {
  readonly txid: TXID;
  /** 0 if unknown. */
  readonly lineage: bigint;
  readonly timestampMs: number;
  readonly last: LastFile;
}
