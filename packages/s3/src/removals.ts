/**
 * What failed uploads leave is removed after their calls have ended. A new upload of the same key
 * waits for that: a server that keeps the uploads of a key in one folder (versitygw 1.8) removes
 * the folder from under the new one, and answers it with a 500.
 */

/** A removal that hangs holds up nothing for longer. */
const WAIT_MS_MAX = 2_000;

export class Removals {
  readonly #running = new Map<string, Promise<void>>();

  /** `removal` does not reject. */
  add(key: string, removal: Promise<void>): void {
    const before = this.#running.get(key);
    const all = Promise.all([before, removal]).then(() => {
      if (this.#running.get(key) === all) this.#running.delete(key);
    });
    this.#running.set(key, all);
  }

  /** Resolves when none of this key is under way, or an abort or the time ends the wait. */
  async settled(key: string, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const running = this.#running.get(key);
    if (running === undefined || signals.some((signal) => signal?.aborted)) return;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const timer = setTimeout(end, WAIT_MS_MAX);
    for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
    await Promise.race([running, over]);
    clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', end);
  }
}
