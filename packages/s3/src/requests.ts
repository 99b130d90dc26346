/** One request to a bucket: how it ends when it is not wanted any more, and what its errors mean. */

import { sendRequest, type ReplicationError, type WhenAborted } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  bucket: Bucket,
  what: string,
  options: {
    readonly signals: readonly (AbortSignal | undefined)[];
    readonly whenAborted: WhenAborted;
  },
  send: (abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return await sendRequest(bucket.work, { ...options, toError }, send);
}
