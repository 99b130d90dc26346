/**
 * Calls that cannot be canceled (of the operating system, of an SSH connection). An aborted call returns
 * soon. Its unfinished work cleans up after itself, and the client tracks it until it closes.
 */

import { setMaxListeners } from 'node:events';

import { ReplicationError } from '../../error.ts';
import { onAbort } from '../abort.ts';
import { CLOSE_MS_MAX } from '../client.ts';

/**
 * Maximum time for an aborted call to finish its current step; it must reject within a second. A pending
 * rename is done by then, and the name has its final content.
 */
const SETTLE_MS_MAX = 700;

export class Calls {
  readonly #name: string;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(name: string) {
    this.#name = name;
    setMaxListeners(0, this.#closing.signal); // one for each call and each open file
  }

  /** Aborts, with REPLICA_CLOSED, when the client closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Throws the signal's reason or REPLICA_CLOSED. Call it between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /**
   * Settles like `work`. After an abort, rejects with the signal's reason once `work` has ended or
   * SETTLE_MS_MAX have passed. Rejects at once when the client closes: `close` waits for the work.
   */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    this.check(signal);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => reject(signal?.reason as Error);
    const stops = [
      onAbort([signal], () => {
        timer = setTimeout(end, SETTLE_MS_MAX);
      }),
      onAbort([this.closing], reject),
    ];
    this.#track(
      work().then(
        (result) => (signal?.aborted === true ? end() : resolve(result)),
        (error: unknown) => (signal?.aborted === true ? end() : reject(error)),
      ),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      for (const stop of stops) stop();
    }
  }

  /** Calls `end` when the signal aborts or the client closes. Returns a function that stops listening. */
  onEnd(signal: AbortSignal | undefined, end: () => Promise<void>): () => void {
    return onAbort([signal, this.closing], () => this.#track(end()));
  }

  /** Ends the calls in flight and waits up to `waitMs` for their clean-up. */
  async close(waitMs: number = CLOSE_MS_MAX): Promise<void> {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([Promise.allSettled(this.#running), promise]);
    clearTimeout(timer);
  }

  /** Tracks work until it has ended. Its errors are reported elsewhere. */
  #track(work: Promise<unknown>): void {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
  }
}
