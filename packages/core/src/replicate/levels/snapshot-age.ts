/**
 * Age of the newest snapshot at a destination. Ages are differences of one clock: the monotonic clock
 * for files that this process wrote, the server's clock for listed files. Each write returns the
 * server's time. Until then our wall clock is compared with the server's, which is a guess: a clock
 * that is ahead makes every snapshot look too old.
 */

import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import type { Clock } from '../../clock.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';

export interface ListedSnapshot {
  readonly txid: bigint;
  /** By the server's clock. */
  readonly modifiedAtMs: number;
}

export interface AgedSnapshot {
  readonly txid: bigint;
  readonly ageMs: number;
  /** Remaining time during which the age is a guess that the next write may correct. */
  readonly guessForMs: number;
}

/** After a start, a write is expected within this time if there is anything to send. */
const GUESS_MS = 30_000;

export class SnapshotAge {
  readonly #clock: Clock;
  readonly #startedAt: number;
  /** Read once, so that later steps of the wall clock have no effect. */
  readonly #wallAtStart: number;
  #server: { readonly timeMs: number; readonly at: number } | undefined;
  #written: { readonly txid: bigint; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#wallAtStart = clock.now();
  }

  /** Records a file that was just written. */
  wrote(file: Pick<LTXFileInfo, 'level' | 'maxTXID' | 'modifiedAt'>): void {
    const at = this.#clock.monotonic();
    this.#server = { timeMs: file.modifiedAt.getTime(), at };
    if (file.level === LEVEL_SNAPSHOT) this.#written = { txid: file.maxTXID, at };
  }

  of({ txid, modifiedAtMs }: ListedSnapshot): AgedSnapshot {
    const now = this.#clock.monotonic();
    if (this.#written?.txid === txid) {
      return { txid, ageMs: now - this.#written.at, guessForMs: 0 };
    }
    const known = this.#server ?? { timeMs: this.#wallAtStart, at: this.#startedAt };
    const ageMs = Math.max(0, known.timeMs + (now - known.at) - modifiedAtMs);
    const isGuess = this.#server === undefined;
    const guessForMs = isGuess ? Math.max(0, this.#startedAt + GUESS_MS - now) : 0;
    return { txid, ageMs, guessForMs };
  }
}
