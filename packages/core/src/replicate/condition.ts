/** State and errors of one database, and the log lines about them. */

import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../error.ts';
import type { Logger } from '../store/backend.ts';
import type { DatabaseState, StatusError } from './status/status.ts';

export interface ConditionContext {
  /** Path of the database, for messages. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: () => void;
}

export class Condition {
  readonly #context: ConditionContext;
  #state: DatabaseState = 'opening';
  #error: StatusError | undefined;
  #snapshotError: StatusError | undefined;
  /** Consecutive failures with the same code since a file was last staged. */
  #failures = 0;
  #failingCode: string | undefined;

  constructor(context: ConditionContext) {
    this.#context = context;
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Why it is not followed; undefined while it is. */
  get error(): StatusError | undefined {
    return this.#error;
  }

  /** Why the last requested snapshot could not be made. Cleared when one is made. */
  get snapshotError(): StatusError | undefined {
    return this.#snapshotError;
  }

  setState(state: DatabaseState): void {
    this.#state = state;
    this.#context.onChange();
  }

  setWaiting(why: string): void {
    this.setState('waiting');
    this.#context.logger.info(`waiting: ${why}`);
  }

  /** The log uses `failures` to print the first error of a kind and then only a few of its repeats. */
  fail({ code, message }: { readonly code: ErrorCode; readonly message: string }): void {
    const { path, logger } = this.#context;
    this.#failures = code === this.#failingCode ? this.#failures + 1 : 1;
    this.#failingCode = code;
    this.#error = this.toStatusError(code, message);
    this.setState('failing');
    logger.error(message, { target: path, code, failures: this.#failures });
  }

  /** The database was opened. */
  opened(): void {
    this.#error = undefined;
  }

  /** A file was staged, so earlier failures are over. */
  staged(): void {
    this.#failures = 0;
    this.#failingCode = undefined;
    this.#error = undefined;
  }

  /**
   * A snapshot could not be made and will be retried. Replication does not depend on it. Logged
   * once per code.
   */
  snapshotFailed(code: ErrorCode, message: string, nextTryMs: number): void {
    const { logger, onChange } = this.#context;
    if (this.#snapshotError?.code !== code) {
      const what = `cannot make a full snapshot; replication continues without it: ${message}`;
      logger.warn(what, { code, nextTryMs });
    }
    this.#snapshotError = this.toStatusError(code, message);
    onChange();
  }

  snapshotMade(): void {
    this.#snapshotError = undefined;
  }

  toStatusError(code: string, message: string): StatusError {
    return { code, message, at: new Date(this.#context.clock.now()).toISOString() };
  }
}

// --- backoff for local work: the wait doubles until a try succeeds ---

export interface RetryLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

export class Retry {
  readonly #clock: Clock;
  readonly #limits: RetryLimits;
  #lastMs = 0;
  #notBefore = -Infinity;

  constructor(clock: Clock, limits: RetryLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether the last try failed. */
  get isFailing(): boolean {
    return this.#lastMs > 0;
  }

  /** Time until the next try is allowed; 0 if it is allowed now. */
  get waitMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }

  /** Returns the wait before the next try. */
  failed(): number {
    const { minMs, maxMs } = this.#limits;
    this.#lastMs = Math.min(Math.max(minMs, this.#lastMs * 2), maxMs);
    this.#notBefore = this.#clock.monotonic() + this.#lastMs;
    return this.#lastMs;
  }

  succeeded(): void {
    this.#lastMs = 0;
    this.#notBefore = -Infinity;
  }
}
