/** How the process ends: one table. docs/errors.md says it to people; a test holds both together. */

import { isError, type ErrorCode } from '@sluice/core/backend';

export const EXIT_CODES = {
  /** Done. Where replication was stopped: every destination has everything. */
  ok: 0,
  /** Anything that has no number of its own. */
  failed: 1,
  /** The command, a flag or the configuration is wrong: nothing was done. */
  usage: 2,
  /** Stopped, or asked for its status, and at least one destination does not have everything. */
  behind: 3,
  /** There is no backup there. */
  noBackup: 4,
  /** Files that are needed are missing or damaged. */
  damaged: 5,
  /** Access was denied, or the credentials are wrong. */
  denied: 6,
  /** The destination cannot be reached, or its bucket or folder is not there. */
  unreachable: 7,
  /** The target exists, and -force was not given. */
  targetExists: 8,
  /** The database cannot be followed, or the restored one failed its integrity check. */
  database: 9,
  /** There is a backup, but none of the moment or the TXID that was asked for. */
  outOfRange: 10,
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** How the process ends where this error ends it. */
export const EXIT_OF_ERROR: Readonly<Record<ErrorCode, ExitName>> = {
  LTX_INVALID: 'damaged',
  LTX_UNSUPPORTED: 'damaged',
  LTX_TRUNCATED: 'damaged',
  LTX_CHECKSUM_MISMATCH: 'damaged',
  LTX_NOT_CONTIGUOUS: 'damaged',
  WAL_INVALID: 'database',
  WAL_UNSUPPORTED: 'database',
  DATABASE_NOT_WAL: 'database',
  DATABASE_BUSY: 'database',
  DATABASE_INVALID: 'database',
  SQLITE_TOO_OLD: 'failed',
  STAGING_FULL: 'failed',
  STAGING_FAILED: 'failed',
  REPLICA_NOT_FOUND: 'damaged',
  REPLICA_DESTINATION_NOT_FOUND: 'unreachable',
  REPLICA_PERMISSION_DENIED: 'denied',
  REPLICA_UNAUTHENTICATED: 'denied',
  REPLICA_HOST_UNTRUSTED: 'denied',
  REPLICA_CONFLICT: 'failed',
  REPLICA_FULL: 'failed',
  REPLICA_RATE_LIMITED: 'unreachable',
  REPLICA_UNAVAILABLE: 'unreachable',
  REPLICA_TRUNCATED: 'damaged',
  REPLICA_CHANGED: 'damaged',
  REPLICA_RANGE: 'damaged',
  REPLICA_UNSUPPORTED: 'failed',
  REPLICA_CLOSED: 'failed',
  REPLICA_UNKNOWN: 'failed',
  RESTORE_NO_SNAPSHOT: 'noBackup',
  RESTORE_GAP: 'damaged',
  RESTORE_OUT_OF_RANGE: 'outOfRange',
  RESTORE_TARGET_EXISTS: 'targetExists',
  RESTORE_INTEGRITY: 'database',
  RESTORE_OUTPUT: 'failed',
  CONFIG_INVALID: 'usage',
};

export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[isError(error) ? (EXIT_OF_ERROR[error.code] ?? 'failed') : 'failed'];
}
