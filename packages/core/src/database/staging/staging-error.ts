/** Converts system errors in the staging folder into errors with a code and a next step. */

import { isError, messageOf, ReplicationError } from '../../error.ts';

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);

/** Whether the error means that the volume, or the part of it for staging, is full. */
export function isFull(error: unknown): boolean {
  if (isError(error)) return error.code === 'STAGING_FULL';
  return FULL.has((error as { code?: unknown } | undefined)?.code);
}

/** Whether the error comes from the operating system. */
export function isSystemError(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return !isError(error) && typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
}

/** Whether the error is STAGING_FULL or STAGING_FAILED. */
export function isStagingError(error: unknown): error is ReplicationError {
  return isError(error, 'STAGING_FULL') || isError(error, 'STAGING_FAILED');
}

/** Converts a system error into STAGING_FULL or STAGING_FAILED. Other errors are returned unchanged. */
export function toStagingError(action: string, error: unknown): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (isError(error) || typeof code !== 'string') return error;
  const next = isFull(error)
    ? 'free space on this volume, or set meta-path'
    : 'check the permissions of the folder and its volume, or set meta-path';
  return new ReplicationError(
    isFull(error) ? 'STAGING_FULL' : 'STAGING_FAILED',
    `${action}: ${messageOf(error)}; ${next}`,
    { cause: error },
  );
}
