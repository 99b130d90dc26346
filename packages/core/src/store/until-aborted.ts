/** A stream that can be left although it hangs. */

/**
 * The items of `source` until one of the signals aborts: then the signal's reason, at once, even if
 * the source never answers again. What the source still does then is nobody's result.
 */
export async function* untilAborted<Item>(
  source: AsyncIterable<Item>,
  ...signals: readonly (AbortSignal | undefined)[]
): AsyncGenerator<Item, void, undefined> {
  const given = signals.filter((signal) => signal !== undefined);
  for (const signal of given) signal.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let waiting = false;
  try {
    for (;;) {
      waiting = true;
      const next = await unlessAborted(iterator.next(), given);
      waiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const ended = iterator.return?.().catch(() => undefined);
    // A generator that hangs in next() cannot return before it: it is not waited for.
    if (!waiting) await ended;
  }
}

/** A promise of its own for each item: one that all items are raced against would keep them all. */
async function unlessAborted<Value>(
  work: Promise<Value>,
  signals: readonly AbortSignal[],
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason as Error);
  for (const signal of signals) {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  }
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }
}
