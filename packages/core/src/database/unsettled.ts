/** Throws if no look at the log succeeds for too long. A few failed looks in a row are normal. */

import type { Clock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import type { Tick } from './follow.ts';

/** Longer than any recovery of a wal-index, and than a log can restart at every look. */
export const UNSETTLED_MS_MAX = 5_000;

export class Unsettled {
  readonly #clock: Clock;
  readonly #path: string;
  #since: number | undefined;

  constructor(clock: Clock, path: string) {
    this.#clock = clock;
    this.#path = path;
  }

  /** Throws DATABASE_BUSY or WAL_INVALID if no look has settled for UNSETTLED_MS_MAX. */
  observe(tick: Tick): void {
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
