/** Signals and deadlines, also for work that ignores them. The only file that races a promise against a signal. */

import { setMaxListeners } from 'node:events';

import type { TimerClock } from './timers.ts';

type Signals = readonly (AbortSignal | undefined)[];

/** The reason of an aborted signal, unchanged: callers compare it by identity. */
function reasonOf(signal: AbortSignal | undefined): Error {
  return signal?.reason as Error;
}

/** Calls `listener` with the reason when a signal aborts, or at once if one has. Returns a function that stops listening. */
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

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `listener` when a signal aborts that thousands wait for as long as it lives: a signal with many listeners of
 * its own takes that much longer to add and remove the one of each call.
 */
export function onAbortOfShared(signal: AbortSignal, listener: () => void): void {
  const known = waiting.get(signal);
  if (known !== undefined && !signal.aborted) {
    known.add(listener);
    return;
  }
  const listeners = new Set([listener]);
  waiting.set(signal, listeners);
  onAbort([signal], () => {
    for (const each of listeners) each();
  });
}

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Aborts this signal alone. */
  abort(reason: unknown): void;
  /** Stops listening to the source signals. Call it when the work is done. */
  unlink(): void;
}

/**
 * A signal that aborts when one of `sources` does, with the same reason. Not `AbortSignal.any`: the
 * signals of a daemon live as long as the process, and Node 22 never frees all of a dependent signal.
 */
export function linkSignals(...sources: Signals): LinkedSignal {
  const controller = new AbortController();
  // Node warns about a leak at 11 listeners; a restore has more calls in flight.
  for (const source of sources) if (source !== undefined) setMaxListeners(0, source);
  setMaxListeners(0, controller.signal);
  const unlink = onAbort(sources, (reason) => controller.abort(reason));
  return { signal: controller.signal, abort: (reason) => controller.abort(reason), unlink };
}

/** Settles like `work`, or rejects with the signal's reason as soon as one aborts. `work` is then ignored. */
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
  /** Creates the error for a timeout. */
  readonly timeoutError: () => Error;
}

/** Settles like `work`, unless the signal aborts or the time expires first. */
export async function inTime<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = deadline.clock.after(deadline.ms, () => reject(deadline.timeoutError()));
  try {
    return await unlessAborted(Promise.race([work, promise]), [deadline.signal]);
  } finally {
    cancel();
  }
}

/**
 * Settles like `work`. After an abort, `work` has `graceMs` to clean up. When it settles or the time
 * expires, the signal's reason is thrown.
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
 * The items of `source`. Throws the signal's reason as soon as one of the signals aborts, even if the
 * source hangs. The source is then ignored.
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
      // One promise per item: a shared promise in a race would keep all items in memory.
      const next = await unlessAborted(iterator.next(), signals);
      isWaiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const ended = iterator.return?.().catch(() => undefined);
    // A generator that hangs in next() cannot return before that: do not wait for it.
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
