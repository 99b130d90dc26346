/**
 * Calls that cannot be cancelled (of the operating system, of an SSH connection). An aborted call returns
 * soon; the work that it had begun cleans up after itself, and belongs to the client until it closes.
 */

import { setMaxListeners } from 'node:events';

import { ReplicationError } from '../../error.ts';
import { onAbort } from '../abort.ts';
import { CLOSE_MS_MAX } from '../client.ts';

/**
 * How long an aborted call waits for the step that it is at; it must reject within a second. A rename
 * that is on its way is done by then, and the name holds its final content.
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

  /** Throws the signal's reason, or REPLICA_CLOSED. To be called between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /**
   * Settles as `work` does; with the signal's reason when that aborts, once `work` has ended or
   * SETTLE_MS_MAX have passed; at once when the client closes, which waits itself.
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
    this.#keep(
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

  /** Calls `end` when the signal aborts or the client closes. Returns what stops that. */
  onEnd(signal: AbortSignal | undefined, end: () => Promise<void>): () => void {
    return onAbort([signal, this.closing], () => this.#keep(end()));
  }

  /** Ends the calls in flight and waits for their clean-up, for `waitMs` at most. */
  async close(waitMs: number = CLOSE_MS_MAX): Promise<void> {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([Promise.allSettled(this.#running), promise]);
    clearTimeout(timer);
  }

  /** Remembers work until it has ended. Whoever waits for it gets its error. */
  #keep(work: Promise<unknown>): void {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
  }
}
