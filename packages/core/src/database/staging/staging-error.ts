/** What the operating system refuses in the staging folder, as an error with a code and a next step. */

import { isError, messageOf, ReplicationError } from '../../error.ts';

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);

/** Whether a volume, or what may be taken of it, is full. */
export function isFull(error: unknown): boolean {
  if (isError(error)) return error.code === 'STAGING_FULL';
  return FULL.has((error as { code?: unknown } | undefined)?.code);
}

/** Whether the operating system has refused something. */
export function isSystemError(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return !isError(error) && typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
}

/** Whether staging has refused something, or had no room for it. */
export function isStagingError(error: unknown): error is ReplicationError {
  return isError(error, 'STAGING_FULL') || isError(error, 'STAGING_FAILED');
}

/** STAGING_FULL or STAGING_FAILED. What no system has refused is a fault of ours, and stays as it is. */
export function toStagingError(what: string, error: unknown): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (isError(error) || typeof code !== 'string') return error;
  const next = isFull(error)
    ? 'free space on this volume, or set meta-path'
    : 'check the permissions of the folder and its volume, or set meta-path';
  return new ReplicationError(
    isFull(error) ? 'STAGING_FULL' : 'STAGING_FAILED',
    `${what}: ${messageOf(error)}; ${next}`,
    { cause: error },
  );
}
