/** Clocks with timers: what waits takes one, so that tests need not wait. */

import { systemClock, type Clock } from '../clock.ts';

export interface TimerClock extends Clock {
  /** Rings once, `ms` from now. Returns what cancels it. */
  after(ms: number, ring: () => void): () => void;
}

export const systemTimers: TimerClock = {
  ...systemClock,
  after(ms, ring) {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export async function sleep(clock: TimerClock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(reasonOf(signal));
  const cancel = clock.after(ms, resolve);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}

export interface Bounds {
  readonly clock: TimerClock;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
  /** What to reject with when the time is over. */
  readonly late: () => Error;
}

/**
 * Settles as `work` does, unless the signal aborts or the time is over before. Whatever becomes of
 * `work` after that is no unhandled rejection, and nobody's result.
 */
export async function inTime<T>(work: Promise<T>, bounds: Bounds): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => reject(reasonOf(bounds.signal));
  const cancel = bounds.clock.after(bounds.ms, () => reject(bounds.late()));
  bounds.signal?.addEventListener('abort', onAbort, { once: true });
  if (bounds.signal?.aborted === true) onAbort();
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    cancel();
    bounds.signal?.removeEventListener('abort', onAbort);
  }
}

/** The reason of an aborted signal, as it is: callers compare it by identity. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason as Error;
}
