/** A look at the log that does not settle: for a moment that is usual, for longer it is a failure. */

import type { Clock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import type { Tick } from './follow.ts';

/** Another process recovers the index of a log within this; a log does not restart at every look for so long. */
export const UNSETTLED_MS_MAX = 5_000;

export class Unsettled {
  readonly #clock: Clock;
  readonly #path: string;
  #since: number | undefined;

  constructor(clock: Clock, path: string) {
    this.#clock = clock;
    this.#path = path;
  }

  /** DATABASE_BUSY or WAL_INVALID once no look has settled for UNSETTLED_MS_MAX. */
  saw(tick: Tick): void {
    if (tick.kind !== 'unsettled') {
      this.#since = undefined;
      return;
    }
    const now = this.#clock.monotonic();
    this.#since ??= now;
    if (now - this.#since < UNSETTLED_MS_MAX) return;
    this.#since = undefined;
    const { code, message } = REASONS[tick.why];
    throw new ReplicationError(
      code,
      `follow the WAL of ${this.#path}: for ${UNSETTLED_MS_MAX / 1_000} s ${message}`,
    );
  }
}

export type WhyUnsettled = 'index-held' | 'no-header' | 'restarting';

const REASONS: Readonly<
  Record<WhyUnsettled, { code: 'DATABASE_BUSY' | 'WAL_INVALID'; message: string }>
> = {
  'index-held': {
    code: 'DATABASE_BUSY',
    message:
      'SQLite could not report the last commit, because another process locks the wal-index; ' +
      'look for a stopped process, or one that has set locking_mode=EXCLUSIVE',
  },
  'no-header': {
    code: 'WAL_INVALID',
    message:
      'SQLite reports committed frames, but the -wal file has no valid header; another program ' +
      'wrote or truncated it, and a full snapshot will be taken',
  },
  restarting: {
    code: 'WAL_INVALID',
    message: 'it restarted before each read; a full snapshot will be taken',
  },
};
