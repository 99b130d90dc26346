/**
 * Work that nobody lets us cancel (the operating system, an SSH connection). An aborted call returns at once; what it
 * had begun cleans up after itself, and belongs to the destination until it closes.
 */

import { setMaxListeners } from 'node:events';

import { ReplicationError } from '../error.ts';
import { CLOSE_MS_MAX } from './backend.ts';

export class Tasks {
  readonly #name: string;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(name: string) {
    this.#name = name;
    setMaxListeners(0, this.#closing.signal); // one for each call and each open file
  }

  /** Aborts, with REPLICA_CLOSED, when the destination closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Throws the signal's reason, or REPLICA_CLOSED. To be called between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /** Settles as `work` does, or at once when the signal aborts or the destination closes. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    this.check(signal);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onAbort = (): void => reject(signal?.reason as Error);
    const onClose = (): void => reject(this.#closing.signal.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#closing.signal.addEventListener('abort', onClose, { once: true });
    this.#keep(work().then(resolve, reject));
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#closing.signal.removeEventListener('abort', onClose);
    }
  }

  /** Calls `end` when the signal aborts or the destination closes, unless told to stop before. */
  onEnd(signal: AbortSignal | undefined, end: () => Promise<void>): () => void {
    const onAbort = (): void => this.#keep(end());
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#closing.signal.addEventListener('abort', onAbort, { once: true });
    return () => {
      signal?.removeEventListener('abort', onAbort);
      this.#closing.signal.removeEventListener('abort', onAbort);
    };
  }

  /** Ends the calls in flight and waits for what they leave behind, so long at most. */
  async close(waitMs: number = CLOSE_MS_MAX): Promise<void> {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([Promise.allSettled(this.#running), promise]);
    clearTimeout(timer);
  }

  /** Remembers work until it has ended, however it ends: who waits for it knows of its error. */
  #keep(work: Promise<unknown>): void {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
  }
}
