/**
 * A fixed number of buffers that carry bytes from the network to the decoder threads and are
 * reused. They limit the memory of decoding.
 *
 * They are not shared memory: V8 takes several times as long to copy into that.
 */

/** Holds several batches of the kernel. */
export const SLAB_BYTES: number = 2 * 1024 * 1024;
/** Holds several of the largest page frames, for restores that need no threads. */
export const SMALL_SLAB_BYTES: number = 256 * 1024;

export type Slab = Uint8Array<ArrayBuffer>;

export class Slabs {
  readonly #free: Slab[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #signal: AbortSignal;
  readonly #sizeBytes: number;
  #remaining: number;

  constructor(count: number, sizeBytes: number, signal: AbortSignal) {
    this.#remaining = count;
    this.#sizeBytes = sizeBytes;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wakeAll(), { once: true });
  }

  /** Waits for a free slab. Rejects with the signal's reason. */
  async acquire(): Promise<Slab> {
    for (;;) {
      this.#signal.throwIfAborted();
      const slab = this.#free.pop() ?? this.#make();
      if (slab !== undefined) return slab;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  release(slab: Slab): void {
    this.#free.push(slab);
    this.#waiting.shift()?.();
  }

  #make(): Slab | undefined {
    if (this.#remaining === 0) return undefined;
    this.#remaining -= 1;
    return new Uint8Array(this.#sizeBytes);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
