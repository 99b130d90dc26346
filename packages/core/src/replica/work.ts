/**
 * The requests of a destination that are on their way. An aborted call returns soon; what it had
 * begun, and what has to be cleaned up after it, belongs to the destination until it has closed.
 */

import { setMaxListeners } from 'node:events';
import { ReplicationError } from '../error.ts';
import { CLOSE_MS_MAX } from './backend.ts';

/** What is left of CLOSE_MS_MAX is for the sockets. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 1_500;

export class Work {
  readonly #name: string;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();

  constructor(name: string) {
    this.#name = name;
    setMaxListeners(0, this.#closing.signal, this.#ended.signal); // some for each request
  }

  /** Aborts when the destination begins to close: calls end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when it has closed: nothing is sent any more, no clean-up either. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Throws the signal's reason, or REPLICA_CLOSED. To be called between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /** Remembers work until it has ended, however it ends: who waits for it knows of its error. */
  keep<T>(work: Promise<T>): Promise<T> {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
    return work;
  }

  /** Ends the calls in flight and waits for what they leave behind. */
  async close(): Promise<void> {
    const reason = new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`);
    this.#closing.abort(reason);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLEAN_UP_MS_MAX);
    await Promise.race([this.#idle(), late]);
    clearTimeout(timer);
    this.#ended.abort(reason);
  }

  /** What ends may leave something to clean up. */
  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
