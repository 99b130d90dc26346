/** One request of a backend: how it ends when it is not wanted any more, and what its errors mean. */

import { isError, type ReplicationError } from '../error.ts';
import type { Work } from './work.ts';

/**
 * What an abort does to a request that is on its way:
 *   cut     the connection is dropped at once: a read
 *   settle  it may end by itself for SETTLE_MS_MAX before it is cut: a write. A server that has all
 *           of it commits it whether we listen or not; so the name has settled when the call returns
 */
export type WhenAborted = 'cut' | 'settle';

/** An aborted call rejects within a second. */
const SETTLE_MS_MAX = 700;

export interface RequestOptions {
  /** Any of these ends it, as closing does. */
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly whenAborted: WhenAborted;
  /** Gives what the vendor's SDK throws a code. */
  readonly toError: (error: unknown) => ReplicationError;
}

/**
 * Sends a request that belongs to `work` until it has ended. `connection` aborts when its connection
 * is to be dropped. Rethrows an abort's reason untouched; gives everything else a code.
 */
export async function sendRequest<Result>(
  work: Work,
  options: RequestOptions,
  send: (connection: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const signals = [...options.signals, work.closing];
  for (const signal of signals) signal?.throwIfAborted();
  const connection = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  let reason: Error | undefined;
  // SDKs do not heed the signal while they look for credentials: nobody waits for it then.
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
    throw reason ?? (isError(error) ? error : options.toError(error));
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
  }
}
