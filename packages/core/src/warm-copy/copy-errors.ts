/** Why a warm copy cannot be followed, and what to do. */

import { messageOf, ReplicationError } from '../error.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { CopyState } from './position.ts';

const RESTORE_AGAIN = 'restore it again: sluice restore -f -force';

export function replacedError(database: string, { txid }: CopyState): ReplicationError {
  return new ReplicationError(
    'DATABASE_REPLACED',
    `follow the backup with ${database}: another program wrote to this copy after TXID ${formatTXID(txid)}, so ` +
      `it is no longer a state of the backup; open it read-only elsewhere, and ${RESTORE_AGAIN}`,
  );
}

export function movedError(database: string): ReplicationError {
  return new ReplicationError(
    'DATABASE_REPLACED',
    `follow the backup with ${database}: the file was moved, removed or replaced; put it back, or ${RESTORE_AGAIN}`,
  );
}

export function promotingError(database: string): ReplicationError {
  return new ReplicationError(
    'DATABASE_REPLACED',
    `follow the backup with ${database}: a promotion of this copy has begun; finish it with ` +
      `"sluice promote ${database}", or ${RESTORE_AGAIN}`,
  );
}

export function lockError(database: string, error: unknown): ReplicationError {
  const code = String((error as { code?: unknown }).code);
  const isDamaged = /^SQLITE_(NOTADB|CORRUPT)/.test(code);
  return new ReplicationError(
    isDamaged ? 'DATABASE_REPLACED' : 'RESTORE_OUTPUT',
    `lock ${database}: SQLite returned ${code}: ${messageOf(error)}; check the disk and the permissions of the ` +
      `folder, or ${RESTORE_AGAIN}`,
    { cause: error },
  );
}
