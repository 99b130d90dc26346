/** Requests of the package `webdav`: repeated while a path is locked, and errors with our codes. */

import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { isError, ReplicationError, type ErrorCode } from '@sluice/core/backend';
import {
  codeOfConnection,
  codeOfStatus,
  hintOfConnection,
  readSystemError,
} from '@sluice/core/backend/http';

/** A server locks a path during a request, and after a broken upload until it notices it. */
const LOCKED = 423;
const ATTEMPTS_MAX = 20;
const RETRY_MS = 25;

/** Repeats `work` while it fails because the path is locked, or with one of the statuses `temporary`. */
export async function attempt<T>(
  what: string,
  work: () => Promise<T>,
  temporary: readonly number[] = [],
): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await work();
    } catch (error) {
      (error as { response?: { body?: Readable } }).response?.body?.resume(); // frees the socket
      const isTemporary = [LOCKED, ...temporary].includes(statusOf(error) ?? 0);
      if (!isTemporary || count === ATTEMPTS_MAX) throw toReplicationError(error, what);
      await sleep(RETRY_MS);
    }
  }
}

/** The HTTP status in an error of the package or of `attempt`. */
export function statusOf(error: unknown): number | undefined {
  const { status } = error as { readonly status?: unknown };
  return typeof status === 'number' ? status : undefined;
}

export function toReplicationError(error: unknown, what: string): ReplicationError {
  if (isError(error)) return error;
  const status = statusOf(error);
  const { code, message } = readSystemError(error);
  const hint = status === undefined ? hintOfConnection({ code, message }) : '';
  const text = hint === '' ? message : `${message}; ${hint}`;
  return new ReplicationError(codeOf(status, code), `${what}: ${text}`, { status });
}

function codeOf(status: number | undefined, code: string): ErrorCode {
  if (status === undefined) return codeOfConnection(code) ?? 'REPLICA_UNKNOWN';
  if (status === 404) return 'REPLICA_NOT_FOUND';
  return status === LOCKED ? 'REPLICA_UNAVAILABLE' : codeOfStatus(status);
}
