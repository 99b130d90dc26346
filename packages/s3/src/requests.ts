/** One request to a bucket, whose errors have our codes. */

import type { ReplicationError, RequestOptions } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  { work }: Bucket,
  what: string,
  options: Omit<RequestOptions, 'toError'>,
  send: (abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return await work.request({ ...options, toError }, send);
}
