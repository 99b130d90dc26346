/** Whether a destination holds the backup of the database of this machine. Pure. */

import { ReplicationError } from '../error.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { KnownState } from './verdict.ts';

export interface Records {
  /** The last state known to have been sent there, read before the drill began. */
  readonly sent: KnownState | undefined;
  /** Where the replicator of this machine was, oldest first; the last one was read after the listing. */
  readonly positions: readonly KnownState[];
}

/**
 * RESTORE_GAP if the destination, named `name`, ends before the state that was sent there. REPLICA_CONFLICT if
 * its newest state is not one of the replicator, whose position is always recorded before that state is sent.
 */
export function requireOwn(name: string, newest: KnownState, { sent, positions }: Records): void {
  if (sent !== undefined && sent.txid > newest.txid) {
    throw new ReplicationError(
      'RESTORE_GAP',
      `${name} ends with ${nameOf(newest)}, but ${nameOf(sent)} was sent there: ` +
        'files were deleted, or an older copy was put back; the replicator sends a full snapshot when it starts',
    );
  }
  const last = positions.at(-1);
  if (last !== undefined && last.txid < newest.txid) {
    throw foreignError(
      `${name} ends with ${nameOf(newest)}, but the replicator of this database is only at ${nameOf(last)}`,
    );
  }
  if (sent === undefined || !areDifferent(sent.lineage, newest.lineage)) return;
  // A new lineage may have been sent since the record was read.
  if (positions.some(({ lineage }) => lineage === newest.lineage)) return;
  throw foreignError(
    `${name} ends with ${nameOf(newest)} of lineage ${toHex(newest.lineage)}, but ${nameOf(sent)} of lineage ` +
      `${toHex(sent.lineage)} was sent there`,
  );
}

function foreignError(what: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_CONFLICT',
    `${what}: its files were written by another replicator, for another database or another copy of this one; give each ` +
      'database a path of its own, and restart the replicator, which sends a full snapshot',
  );
}

/** Lineage 0 is unknown. */
function areDifferent(a: bigint, b: bigint): boolean {
  return a !== b && a !== 0n && b !== 0n;
}

function nameOf({ txid }: KnownState): string {
  return `TXID ${formatTXID(txid)}`;
}

function toHex(lineage: bigint): string {
  return lineage.toString(16).padStart(16, '0');
}
