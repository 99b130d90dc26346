/**
 * At most SOCKETS_MAX requests of a destination at once, whatever the number of its replicas and of
 * files that are open. A file that is being read holds its socket; one that nobody has read from
 * for a while, or that has had its turn, is parked when others wait: its connection is dropped, and
 * it goes on with another request when it is read again.
 */

/** Of one destination, as the contract has it: as many as core has calls on their way. */
export const SOCKETS_MAX = 16;
/** A reader that is slower than this between two reads pays a request when others wait. */
const IDLE_MS = 50;
/** One that is fast pays a request for each turn. It is long next to what a request takes. */
const TURN_MS = 1_000;

/** A stream's hold on its socket. */
export interface Hold {
  /** From now on somebody waits for its bytes: it keeps its socket. */
  busy(): void;
  /** From now on nobody does. `park` drops its connection and releases the hold, maybe at once. */
  idle(park: () => void): void;
  /** Safe to call twice. */
  release(): void;
}

interface Idle {
  readonly since: number;
  readonly park: () => void;
}

export class Sockets {
  #free = SOCKETS_MAX;
  /** In the order of asking. */
  readonly #waiting = new Set<() => void>();
  /** In the order of becoming idle. */
  readonly #idle = new Map<Hold, Idle>();
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when there is a socket to be had. An abort while waiting takes none. */
  async take(signals: readonly (AbortSignal | undefined)[]): Promise<Hold> {
    for (const signal of signals) signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signals);
    let turnSince: number | undefined;
    let isHeld = true;
    const hold: Hold = {
      busy: () => void this.#idle.delete(hold),
      idle: (park) => {
        this.#idle.delete(hold);
        if (!isHeld) return;
        const now = performance.now();
        turnSince ??= now; // from when it could be read on
        if (this.#waiting.size > 0 && now - turnSince >= TURN_MS) park();
        else this.#idle.set(hold, { since: now, park });
      },
      release: () => {
        this.#idle.delete(hold);
        if (isHeld) this.#giveBack();
        isHeld = false;
      },
    };
    return hold;
  }

  async #wait(signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (event: Event): void => {
      // One that was handed over in this very moment is not lost: then `resolve` came first.
      if (this.#waiting.delete(resolve)) reject((event.target as AbortSignal).reason as Error);
    };
    this.#waiting.add(resolve);
    this.#timer ??= setInterval(() => this.#parkIdle(), IDLE_MS);
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      for (const signal of signals) signal?.removeEventListener('abort', onAbort);
      if (this.#waiting.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }

  /** One for each that waits, those first that have been idle for longest. */
  #parkIdle(): void {
    const before = performance.now() - IDLE_MS;
    const parked = [...this.#idle.values()].filter(({ since }) => since <= before);
    for (const { park } of parked.slice(0, this.#waiting.size)) park();
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
