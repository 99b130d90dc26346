/**
 * At most SOCKETS_MAX requests of a client at once, whatever the number of replicas and of objects that are
 * open. An object that is being read holds its socket. One that nobody has read from for a while, or that
 * has had its turn, is parked when others wait: its connection is dropped, and it goes on with another
 * request when it is read again.
 */

import { Semaphore } from '../semaphore.ts';

/** As many as core has calls on their way. */
export const SOCKETS_MAX = 16;

/** A reader that is slower than this between two reads pays a request when others wait. */
const IDLE_MS = 50;
/** A fast reader pays a request for each turn. It is long next to the time that a request takes. */
const TURN_MS = 1_000;

/** A stream's hold on its socket. */
export interface Hold {
  /** Somebody now waits for its bytes: it keeps its socket. */
  busy(): void;
  /** Nobody waits for its bytes now. `park` drops its connection and releases the hold, maybe at once. */
  idle(park: () => void): void;
  /** Safe to call twice. */
  release(): void;
}

interface Idle {
  readonly since: number;
  readonly park: () => void;
}

export class Sockets {
  readonly #slots = new Semaphore(SOCKETS_MAX);
  /** In the order of becoming idle. */
  readonly #idle = new Map<Hold, Idle>();
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when there is a socket. An abort while waiting takes none. */
  async take(signals: readonly (AbortSignal | undefined)[]): Promise<Hold> {
    const taking = this.#slots.take(signals);
    if (this.#slots.waiting > 0) this.#timer ??= setInterval(() => this.#parkIdle(), IDLE_MS);
    let give: () => void;
    try {
      give = await taking;
    } finally {
      if (this.#slots.waiting === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
    let turnSince: number | undefined;
    let isHeld = true;
    const hold: Hold = {
      busy: () => void this.#idle.delete(hold),
      idle: (park) => {
        this.#idle.delete(hold);
        if (!isHeld) return;
        const now = performance.now();
        turnSince ??= now; // from when it could be read on
        if (this.#slots.waiting > 0 && now - turnSince >= TURN_MS) park();
        else this.#idle.set(hold, { since: now, park });
      },
      release: () => {
        isHeld = false;
        this.#idle.delete(hold);
        give();
      },
    };
    return hold;
  }

  /** Parks one for each that waits, those first that have been idle for longest. */
  #parkIdle(): void {
    const before = performance.now() - IDLE_MS;
    const parked = [...this.#idle.values()].filter(({ since }) => since <= before);
    for (const { park } of parked.slice(0, this.#slots.waiting)) park();
  }
}
