/** So many at once, and no more after one has failed. */

export class Slots {
  #free: number;
  readonly #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.resolve();
  }

  /** Whoever waits, or comes later, is told. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
