/** Work that must not overlap: one thing at a time for each key. */

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Runs `work` after everything that was given before with the same key. If `signal` is aborted before its turn, it rejects
   * with the reason at once, and `work` is never run.
   */
  async run<Result>(
    key: string,
    work: () => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const begun = Promise.withResolvers<void>();
    const onAbort = (): void => begun.reject(signal?.reason as Error);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(async () => {
      signal?.throwIfAborted();
      begun.resolve();
      return await work();
    });
    const settled = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(key) === settled) this.#last.delete(key);
      });
    this.#last.set(key, settled);
    try {
      await begun.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    return await turn;
  }

  /** Resolves when nothing is left. */
  async settled(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
