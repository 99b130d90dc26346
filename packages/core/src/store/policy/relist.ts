/**
 * A listing that outlives its requests. What comes in order within its place (an LTX file's place
 * is its level) can be listed again, and what was seen before is left out.
 */

import { ReplicationError } from '../../error.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import { inTime } from '../timers.ts';
import { linkSignals } from '../link-signals.ts';
import { release } from './stream.ts';

export interface Listing<Entry> {
  /** Lists; may leave out what comes before `last`, the last entry that was seen. */
  readonly open: (last: Entry | undefined, signal: AbortSignal) => AsyncIterable<Entry>;
  readonly place: (entry: Entry) => number;
  readonly isAfter: (entry: Entry, last: Entry) => boolean;
}

/** What one entry counts for as progress: about its bytes in a provider's answer. */
const ENTRY_BYTES = 256;

export async function* listResumable<Entry>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  listing: Listing<Entry>,
): AsyncGenerator<Entry, void, undefined> {
  signal?.throwIfAborted();
  const attempts = new Attempts(policy, what, signal);
  const lastOf = new Map<number, Entry>();
  let last: Entry | undefined;
  for (;;) {
    // What this attempt left out of order is for `checked` to find; only what was seen is skipped.
    const seen = new Map(lastOf);
    const pages = new Pages(what, policy, signal, (linked) => listing.open(last, linked));
    for await (const entry of pages) {
      const place = listing.place(entry);
      const before = seen.get(place);
      if (before !== undefined && !listing.isAfter(entry, before)) continue;
      lastOf.set(place, entry);
      last = entry;
      attempts.received(ENTRY_BYTES);
      yield entry;
    }
    if (pages.failure === undefined) return;
    await attempts.afterFailure(pages.failure.error);
  }
}

/** One attempt: ends early, without throwing, when it fails or nothing comes for too long. */
class Pages<Entry> {
  readonly #what: string;
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #open: (signal: AbortSignal) => AsyncIterable<Entry>;
  failure: { readonly error: unknown } | undefined;

  constructor(
    what: string,
    policy: RetryPolicy,
    signal: AbortSignal | undefined,
    open: (signal: AbortSignal) => AsyncIterable<Entry>,
  ) {
    this.#what = what;
    this.#policy = policy;
    this.#signal = signal;
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, undefined> {
    const { clock, stallMs, slots } = this.#policy;
    const late = (): Error =>
      new ReplicationError(
        'REPLICA_UNAVAILABLE',
        `${this.#what}: nothing came back for ${stallMs} ms`,
      );
    const link = linkSignals(this.#signal);
    const iterator = this.#open(link.signal)[Symbol.asyncIterator]();
    const bounds = { clock, ms: stallMs, signal: this.#signal, late };
    const within = (
      pending: Promise<IteratorResult<Entry>>,
    ): Promise<IteratorResult<Entry> | void> =>
      inTime(pending, bounds).catch((error: unknown) => {
        this.failure = { error };
        link.abort(error); // a hanging request is not told to end before its signal is
      });
    try {
      const slot = await slots.take(this.#signal);
      // The first request has the slot; further pages come as fast as they are read.
      let next = await within(slot.hold(() => iterator.next()));
      while (next !== undefined && next.done !== true) {
        yield next.value;
        next = await within(iterator.next());
      }
    } finally {
      await release(iterator, clock);
      link.unlink();
    }
  }
}
