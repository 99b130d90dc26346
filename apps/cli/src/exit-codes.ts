/** How the process ends. One table; docs/errors.md prints it. */

import { isError, type ErrorCode } from '@sluice/core';

export interface ExitCode {
  readonly code: number;
  readonly name: string;
  readonly means: string;
}

const row = (code: number, name: string, means: string): ExitCode => ({ code, name, means });

export type ExitName =
  | 'ok'
  | 'failed'
  | 'usage'
  | 'behind'
  | 'noBackup'
  | 'gap'
  | 'denied'
  | 'unreachable'
  | 'exists'
  | 'database';

export const EXIT: Readonly<Record<ExitName, ExitCode>> = {
  ok: row(0, 'ok', 'done; when replication was stopped: every destination has everything'),
  failed: row(1, 'failed', 'anything that has no code of its own'),
  usage: row(2, 'usage', 'a command, flag or configuration that is wrong: nothing was done'),
  behind: row(3, 'behind', 'stopped, and at least one destination does not have everything'),
  noBackup: row(4, 'no-backup', 'there is no backup there, or none for what was asked'),
  gap: row(5, 'gap', 'files that are needed are missing or corrupt'),
  denied: row(6, 'denied', 'access was denied, or the credentials are wrong'),
  unreachable: row(7, 'unreachable', 'a destination cannot be reached, or is not there'),
  exists: row(8, 'exists', 'the target exists, and -force was not given'),
  database: row(
    9,
    'database',
    'the database cannot be followed, or the restored one failed its check',
  ),
};

const OF_ERROR: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  CONFIG_INVALID: EXIT.usage,
  RESTORE_NO_SNAPSHOT: EXIT.noBackup,
  RESTORE_OUT_OF_RANGE: EXIT.noBackup,
  RESTORE_GAP: EXIT.gap,
  RESTORE_TARGET_EXISTS: EXIT.exists,
  RESTORE_INTEGRITY: EXIT.database,
  LTX_INVALID: EXIT.gap,
  LTX_TRUNCATED: EXIT.gap,
  LTX_CHECKSUM_MISMATCH: EXIT.gap,
  LTX_NOT_CONTIGUOUS: EXIT.gap,
  REPLICA_NOT_FOUND: EXIT.gap,
  REPLICA_PERMISSION_DENIED: EXIT.denied,
  REPLICA_UNAUTHENTICATED: EXIT.denied,
  REPLICA_HOST_UNTRUSTED: EXIT.denied,
  REPLICA_DESTINATION_NOT_FOUND: EXIT.unreachable,
  REPLICA_UNAVAILABLE: EXIT.unreachable,
  REPLICA_RATE_LIMITED: EXIT.unreachable,
  DATABASE_NOT_WAL: EXIT.database,
  DATABASE_INVALID: EXIT.database,
  SQLITE_TOO_OLD: EXIT.database,
};

export function exitCodeOf(error: unknown): number {
  if (!isError(error)) return EXIT.failed.code;
  return (OF_ERROR[error.code] ?? EXIT.failed).code;
}
