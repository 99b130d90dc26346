/** Maps error codes to exit codes. */

import { isError, type ErrorCode } from '@sluice/core/backend';
import { EXIT_CODES, type ExitName } from './exit-codes.ts';

/** The exit code of a process that ends with this error. */
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
  DATABASE_REPLACED: 'database',
  DATABASE_DENIED: 'database',
  SQLITE_TOO_OLD: 'failed',
  STAGING_FULL: 'failed',
  STAGING_FAILED: 'failed',
  STAGING_IN_USE: 'database',
  NOT_DURABLE: 'behind',
  NOT_RUNNING: 'notRunning',
  REPLICA_NOT_FOUND: 'damaged',
  REPLICA_DESTINATION_NOT_FOUND: 'unreachable',
  REPLICA_PERMISSION_DENIED: 'denied',
  REPLICA_UNAUTHENTICATED: 'denied',
  REPLICA_HOST_UNTRUSTED: 'denied',
  REPLICA_NO_IDENTITY: 'denied',
  REPLICA_CONFLICT: 'failed',
  REPLICA_IN_USE: 'fenced',
  REPLICA_NOT_LISTED: 'failed',
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
  RESTORE_DAMAGED: 'damaged',
  RESTORE_OUT_OF_RANGE: 'outOfRange',
  RESTORE_AMBIGUOUS: 'ambiguous',
  RESTORE_TARGET_EXISTS: 'targetExists',
  RESTORE_INTEGRITY: 'database',
  RESTORE_OUTPUT: 'failed',
  CONFIG_INVALID: 'usage',
};

export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[isError(error) ? (EXIT_OF_ERROR[error.code] ?? 'failed') : 'failed'];
}
