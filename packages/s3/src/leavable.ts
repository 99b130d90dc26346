/** A source that can be left although it hangs. */

/**
 * The items of `source` until one of the signals aborts: then its reason, at once, even if the
 * source never answers again. What the source still does then is nobody's result.
 *
 * Each item is waited for by a promise of its own. Racing them against one promise of the abort
 * would keep every item alive until the end: a promise remembers all that wait for it.
 */
export async function* leavable<Item>(
  source: AsyncIterable<Item>,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<Item, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let isWaiting = false;
  try {
    for (;;) {
      isWaiting = true;
      const { done, value } = await settled(iterator.next(), signals);
      isWaiting = false;
      if (done === true) return;
      yield value;
    }
  } finally {
    // A generator that hangs in next() cannot return before it has: nobody waits for that.
    const ended = iterator.return?.().then(undefined, () => undefined);
    if (!isWaiting) await ended;
  }
}

/** Settles as `work` does, or with a signal's reason as soon as it aborts. */
async function settled<T>(
  work: Promise<T>,
  signals: readonly (AbortSignal | undefined)[],
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason as Error);
  work.then(resolve, reject);
  for (const signal of signals) {
    if (signal?.aborted === true) reject(signal.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
  }
  try {
    return await promise;
  } finally {
    for (const signal of signals) signal?.removeEventListener('abort', onAbort);
  }
}
