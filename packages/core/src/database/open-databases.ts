/**
 * Limits how many databases one thread has open at the same time. An open database takes more than a megabyte, a closed
 * one some kilobytes. Nothing waits for ever: databases that are written to stay open, however many they are.
 */

import { IdlePolls } from './idle/idle-polls.ts';

/** There are up to four threads. What they have opened at the same time stays with the allocator of the system. */
const OPEN_DATABASES_MAX = 8;
/** The next database is opened after this time, however many are open. */
const TURN_MS_MAX = 250;
/** While as many are open, a database is closed after this time without commits. */
const CROWDED_IDLE_MS = 30_000;
/** The same for a database that nothing was committed to since it was opened. */
const CROWDED_UNUSED_MS = 200;

export class OpenDatabases {
  /** Of those that are closed. */
  readonly idlePolls: IdlePolls = new IdlePolls();
  readonly #max: number;
  #count = 0;
  #turns: Promise<void> = Promise.resolve();
  #onLeft: () => void = () => undefined;

  constructor(max: number = OPEN_DATABASES_MAX) {
    this.#max = max;
  }

  /** Resolves when a database may be opened. Counts it as open, unless it is not wanted any more: then returns false. */
  async enterInTurn(isWanted: () => boolean): Promise<boolean> {
    const before = this.#turns;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turns = promise;
    await before;
    try {
      if (isWanted()) await this.#room();
      if (!isWanted()) return false;
      this.enter();
      return true;
    } finally {
      resolve();
    }
  }

  /** A database is opened now. */
  enter(): void {
    this.#count += 1;
  }

  /** A database that was counted is closed, or could not be opened. */
  leave(): void {
    this.#count -= 1;
    this.#onLeft();
  }

  /** After what time without commits a database is closed. 0: never. */
  idleCloseMs(configuredMs: number, since: 'used' | 'unused'): number {
    if (this.#count < this.#max) return configuredMs;
    return Math.min(configuredMs, since === 'used' ? CROWDED_IDLE_MS : CROWDED_UNUSED_MS);
  }

  async #room(): Promise<void> {
    if (this.#count < this.#max) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onLeft = resolve;
    const timer = setTimeout(resolve, TURN_MS_MAX);
    await promise;
    clearTimeout(timer);
  }
}
