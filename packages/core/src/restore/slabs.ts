/**
 * The buffers in which bytes go from the network to a thread: a fixed number, handed over and back,
 * used over and over. They are what bounds the memory of decoding.
 *
 * They are not shared memory: copying into that takes V8 several times as long.
 */

/** Several batches of the kernel. */
export const SLAB_BYTES: number = 2 * 1024 * 1024;
/** Several of the largest page frame, for restores that need no threads. */
export const SMALL_SLAB_BYTES: number = 256 * 1024;

export type Slab = Uint8Array<ArrayBuffer>;

export class Slabs {
  readonly #free: Slab[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #signal: AbortSignal;
  readonly #sizeBytes: number;
  #unmade: number;

  constructor(count: number, sizeBytes: number, signal: AbortSignal) {
    this.#unmade = count;
    this.#sizeBytes = sizeBytes;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wakeAll(), { once: true });
  }

  /** One that nobody uses. Rejects with the signal's reason. */
  async take(): Promise<Slab> {
    for (;;) {
      this.#signal.throwIfAborted();
      const slab = this.#free.pop() ?? this.#make();
      if (slab !== undefined) return slab;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  give(slab: Slab): void {
    this.#free.push(slab);
    this.#waiting.shift()?.();
  }

  #make(): Slab | undefined {
    if (this.#unmade === 0) return undefined;
    this.#unmade -= 1;
    return new Uint8Array(this.#sizeBytes);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
