/**
 * Work that nobody lets us cancel (the operating system, an SSH connection). An aborted call returns soon; what it
 * had begun cleans up after itself, and belongs to the destination until it closes.
 */

import { setMaxListeners } from 'node:events';

import { ReplicationError } from '../../error.ts';
import { CLOSE_MS_MAX } from '../backend.ts';

/**
 * An aborted call rejects within a second. So long it waits for the step that it is at: a rename that
 * is on its way is done then, and the name holds what it will hold.
 */
const SETTLE_MS_MAX = 700;

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

  /**
   * Settles as `work` does; with the signal's reason when that aborts, once `work` has ended or
   * SETTLE_MS_MAX have passed; at once when the destination closes, which waits itself.
   */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    this.check(signal);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => reject(signal?.reason as Error);
    const onAbort = (): void => {
      timer = setTimeout(end, SETTLE_MS_MAX);
    };
    const onClose = (): void => reject(this.#closing.signal.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#closing.signal.addEventListener('abort', onClose, { once: true });
    const running = work();
    this.#keep(
      running.then(
        (result) => (signal?.aborted === true ? end() : resolve(result)),
        (error: unknown) => (signal?.aborted === true ? end() : reject(error)),
      ),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
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
