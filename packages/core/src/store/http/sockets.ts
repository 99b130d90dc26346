/**
 * Limits a client to SOCKETS_MAX concurrent requests, for any number of replicas and open objects. An object
 * that is being read keeps its socket. If others wait, an object that has not been read for a while, or that
 * has used up its turn, is parked: its connection is dropped, and the next read sends a new request.
 */

import { Semaphore } from '../semaphore.ts';

/** The same as core's limit of concurrent calls. */
export const SOCKETS_MAX = 16;

/** A reader that pauses longer than this between two reads may lose its socket to others. */
const IDLE_MS = 50;
/** A fast reader may lose its socket after this time. It is long compared to the time of a request. */
const TURN_MS = 1_000;

/** A stream's hold on its socket. */
export interface Hold {
  /** A read has begun: the stream keeps its socket. */
  busy(): void;
  /** No read is pending. `park` drops the connection and releases the hold; it may be called at once. */
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
  /** In the order in which they became idle. */
  readonly #idle = new Map<Hold, Idle>();
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when a socket is free. An abort while waiting takes none. */
  async take(signals: readonly (AbortSignal | undefined)[]): Promise<Hold> {
    const taking = this.#slots.take(signals);
    if (this.#slots.waiting > 0) this.#timer ??= setInterval(() => this.#parkIdle(), IDLE_MS);
    let releaseSlot: () => void;
    try {
      releaseSlot = await taking;
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
        turnSince ??= now; // the turn begins with the first read
        if (this.#slots.waiting > 0 && now - turnSince >= TURN_MS) park();
        else this.#idle.set(hold, { since: now, park });
      },
      release: () => {
        isHeld = false;
        this.#idle.delete(hold);
        releaseSlot();
      },
    };
    return hold;
  }

  /** Parks one stream for each waiting request, the longest idle first. */
  #parkIdle(): void {
    const before = performance.now() - IDLE_MS;
    const parked = [...this.#idle.values()].filter(({ since }) => since <= before);
    for (const { park } of parked.slice(0, this.#slots.waiting)) park();
  }
}
