/** One request to a bucket: how it ends when it is not wanted any more, and what its errors mean. */

import { isError } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';

/**
 * What an abort does to a request that is on its way:
 *   cut     the connection is dropped at once: a read
 *   settle  it may end by itself for SETTLE_MS_MAX before it is cut: a write. A server that has all
 *           of it commits it whether we listen or not; so the name has settled when the call returns
 */
export type WhenAborted = 'cut' | 'settle';

/** An aborted call rejects within a second. */
const SETTLE_MS_MAX = 700;

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
  const { work } = bucket;
  const signals = [...options.signals, work.closing];
  for (const signal of signals) signal?.throwIfAborted();
  const connection = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  let reason: Error | undefined;
  // The SDK does not heed the signal while it looks for credentials: nobody waits for it then.
  const cut = (): void => {
    connection.abort();
    reject(reason);
  };
  const onAbort = (event: Event): void => {
    reason ??= (event.target as AbortSignal).reason as Error;
    if (options.whenAborted === 'cut') cut();
    else timer ??= setTimeout(cut, SETTLE_MS_MAX);
  };
  for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await Promise.race([work.keep(send(connection.signal)), over]);
    if (reason !== undefined) throw reason;
    return result;
  } catch (error) {
    throw reason ?? (isError(error) ? error : toReplicationError(error, what));
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
  }
}
