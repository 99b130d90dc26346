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
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined); // an abort between two items is seen by the next race
  const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason as Error);
  for (const signal of given) {
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort, { once: true });
  }
  const iterator = source[Symbol.asyncIterator]();
  let waiting = false;
  try {
    for (;;) {
      waiting = true;
      const next = await Promise.race([iterator.next(), aborted]);
      waiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    for (const signal of given) signal.removeEventListener('abort', onAbort);
    const ended = iterator.return?.().catch(() => undefined);
    // A generator that hangs in next() cannot return before it: it is not waited for.
    if (!waiting) await ended;
  }
}
