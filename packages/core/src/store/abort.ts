/** Signals, deadlines, and work that may not heed them. The only file that races a promise against a signal. */

import { setMaxListeners } from 'node:events';

import type { TimerClock } from './timers.ts';

type Signals = readonly (AbortSignal | undefined)[];

/** The reason of an aborted signal, as it is: callers compare it by identity. */
function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason as Error;
}

/** Calls `onAbort` with the reason when one of the signals aborts, or at once. Returns what stops listening. */
export function onAbort(signals: Signals, listener: (reason: Error) => void): () => void {
  const given = signals.filter((signal) => signal !== undefined);
  const listen = (event: Event): void => listener(reasonOf(event.target as AbortSignal));
  for (const signal of given) signal.addEventListener('abort', listen, { once: true });
  const aborted = given.find((signal) => signal.aborted);
  if (aborted !== undefined) listener(reasonOf(aborted));
  return () => {
    for (const signal of given) signal.removeEventListener('abort', listen);
  };
}

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Aborts this signal alone. */
  abort(reason: unknown): void;
  /** Stops listening to the signals it is linked to. To be called when the work is over. */
  unlink(): void;
}

/**
 * A signal that aborts when one of `sources` does, with that one's reason. Not `AbortSignal.any`:
 * a daemon's signals live as long as it does, and Node 22 keeps a trace of each dependent signal.
 */
export function linkSignals(...sources: Signals): LinkedSignal {
  const controller = new AbortController();
  // Node warns of a leak from 11 listeners on; a restore has more calls in flight than that.
  for (const source of sources) if (source !== undefined) setMaxListeners(0, source);
  setMaxListeners(0, controller.signal);
  const unlink = onAbort(sources, (reason) => controller.abort(reason));
  return { signal: controller.signal, abort: (reason) => controller.abort(reason), unlink };
}

/** Settles as `work` does; with the signal's reason as soon as one aborts. Whatever `work` does then is ignored. */
export async function unlessAborted<T>(work: Promise<T>, signals: Signals): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = onAbort(signals, reject);
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    stop();
  }
}

export interface Deadline {
  readonly clock: TimerClock;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
  /** What to reject with when the time is over. */
  readonly late: () => Error;
}

/** Settles as `work` does, unless the signal aborts or the time is over before. */
export async function inTime<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = deadline.clock.after(deadline.ms, () => reject(deadline.late()));
  try {
    return await unlessAborted(Promise.race([work, promise]), [deadline.signal]);
  } finally {
    cancel();
  }
}

/**
 * Settles as `work` does. After an abort `work` has `graceMs` to clean up; then, or when it settles, the
 * signal's reason is thrown.
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal,
  { clock, graceMs }: { readonly clock: TimerClock; readonly graceMs: number },
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let cancel = (): void => undefined;
  const stop = onAbort([signal], (reason) => {
    cancel = clock.after(graceMs, () => reject(reason));
  });
  work.then(resolve, reject);
  try {
    return await promise;
  } catch (error) {
    throw signal.aborted ? reasonOf(signal) : error;
  } finally {
    cancel();
    stop();
  }
}

/**
 * The items of `source` until one of the signals aborts: then the signal's reason, at once, even if
 * the source never answers again. Whatever the source still does then is ignored.
 */
export async function* untilAborted<Item>(
  source: AsyncIterable<Item>,
  ...signals: Signals
): AsyncGenerator<Item, void, undefined> {
  for (const signal of signals) signal?.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let isWaiting = false;
  try {
    for (;;) {
      isWaiting = true;
      // A promise of its own for each item: one that all items are raced against would keep them all.
      const next = await unlessAborted(iterator.next(), signals);
      isWaiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const ended = iterator.return?.().catch(() => undefined);
    // A generator that hangs in next() cannot return before it: it is not waited for.
    if (!isWaiting) await ended;
  }
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export async function sleep(clock: TimerClock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  try {
    await unlessAborted(promise, [signal]);
  } finally {
    cancel();
  }
}
