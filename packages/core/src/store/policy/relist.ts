/** A listing that survives failed requests: it resumes after the last key that was received. */

import { inTime, linkSignals } from '../abort.ts';
import type { ListOptions, ObjectInfo, ReplicaClient } from '../client.ts';
import { compareKeys } from '../layout.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import { release } from './stream.ts';

/** Progress counted for one entry: about its size in a provider's response. */
const ENTRY_BYTES = 256;

interface Relisting extends ListOptions {
  readonly what: string;
}

export async function* listResumable(
  client: ReplicaClient,
  prefix: string,
  { what, ...options }: Relisting,
  policy: RetryPolicy,
): AsyncGenerator<ObjectInfo, void, undefined> {
  options.signal?.throwIfAborted();
  const attempts = new Attempts(policy, what, options.signal);
  let last = options.startAfter;
  for (;;) {
    // Skips only keys of earlier attempts. `checked` detects keys that are out of order within an attempt.
    const seen = last;
    const attempt = new ListAttempt(attempts, policy, options.signal, (signal) =>
      client.list(prefix, { ...options, startAfter: seen, signal }),
    );
    for await (const object of attempt) {
      if (seen !== undefined && compareKeys(object.key, seen) <= 0) continue;
      if (last === undefined || compareKeys(object.key, last) > 0) last = object.key;
      attempts.received(ENTRY_BYTES);
      yield object;
    }
    if (attempt.failure === undefined) return;
    await attempts.afterFailure(attempt.failure.error);
  }
}

/** One attempt. Ends early, without throwing, if it fails or stalls. */
class ListAttempt {
  readonly #attempts: Attempts;
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #open: (signal: AbortSignal) => AsyncIterable<ObjectInfo>;
  failure: { readonly error: unknown } | undefined;

  constructor(
    attempts: Attempts,
    policy: RetryPolicy,
    signal: AbortSignal | undefined,
    open: (signal: AbortSignal) => AsyncIterable<ObjectInfo>,
  ) {
    this.#attempts = attempts;
    this.#policy = policy;
    this.#signal = signal;
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ObjectInfo, void, undefined> {
    const { clock, stallMs, slots } = this.#policy;
    const timeoutError = (): Error => this.#attempts.recordSilence();
    const link = linkSignals(this.#signal);
    const iterator = this.#open(link.signal)[Symbol.asyncIterator]();
    const deadline = { clock, ms: stallMs, signal: this.#signal, timeoutError };
    const orFail = (
      pending: Promise<IteratorResult<ObjectInfo>>,
    ): Promise<IteratorResult<ObjectInfo> | void> =>
      inTime(pending, deadline).catch((error: unknown) => {
        this.failure = { error };
        link.abort(error); // a hanging request ends only when its signal aborts
      });
    try {
      const releaseSlot = await slots.take([this.#signal]);
      // Only the first request holds a slot; the reader sets the pace of further pages.
      let next = await orFail(iterator.next().finally(releaseSlot));
      while (next !== undefined && next.done !== true) {
        yield next.value;
        next = await orFail(iterator.next());
      }
    } finally {
      await release(iterator, clock);
      link.unlink();
    }
  }
}
