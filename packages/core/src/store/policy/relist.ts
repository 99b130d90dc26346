/** A listing that survives failed requests: it is listed again after the last key that was seen. */

import { inTime, linkSignals } from '../abort.ts';
import type { ListOptions, ObjectInfo, ReplicaClient } from '../client.ts';
import { compareKeys } from '../layout.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import { release } from './stream.ts';

/** How much progress one entry counts for: about its bytes in a provider's answer. */
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
    // Keys out of order within one attempt are for `checked` to find. Only those seen before are skipped.
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

/** One attempt: ends early, without throwing, when it fails or nothing comes for too long. */
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
    const late = (): Error => this.#attempts.silent();
    const link = linkSignals(this.#signal);
    const iterator = this.#open(link.signal)[Symbol.asyncIterator]();
    const deadline = { clock, ms: stallMs, signal: this.#signal, late };
    const orFail = (
      pending: Promise<IteratorResult<ObjectInfo>>,
    ): Promise<IteratorResult<ObjectInfo> | void> =>
      inTime(pending, deadline).catch((error: unknown) => {
        this.failure = { error };
        link.abort(error); // a hanging request ends only when its signal aborts
      });
    try {
      const releaseSlot = await slots.take([this.#signal]);
      // The first request has the slot; further pages come as fast as they are read.
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
