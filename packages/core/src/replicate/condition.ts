/** How it goes with one database: its state, why it is not well, and what is said of that. */

import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../error.ts';
import type { Logger } from '../store/backend.ts';
import type { DatabaseState, StatusError } from './status/status.ts';

export interface ConditionContext {
  /** Of the database, for messages. */
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
  /** Failures in a row of one code, since something was staged. */
  #failures = 0;
  #failingCode: string | undefined;

  constructor(context: ConditionContext) {
    this.#context = context;
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Why it is not followed, while that is so. */
  get error(): StatusError | undefined {
    return this.#error;
  }

  /** Why the last snapshot that was asked for could not be made, until one is made. */
  get snapshotError(): StatusError | undefined {
    return this.#snapshotError;
  }

  go(state: DatabaseState): void {
    this.#state = state;
    this.#context.onChange();
  }

  wait(why: string): void {
    this.go('waiting');
    this.#context.logger.info(`waiting: ${why}`);
  }

  /** The log says the first of a kind, and then one now and then: it counts by `failures`. */
  fail({ code, message }: { readonly code: ErrorCode; readonly message: string }): void {
    const { path, logger } = this.#context;
    this.#failures = code === this.#failingCode ? this.#failures + 1 : 1;
    this.#failingCode = code;
    this.#error = this.toStatusError(code, message);
    this.go('failing');
    logger.error(message, { target: path, code, failures: this.#failures });
  }

  /** It is opened: what comes next shows whether that lasts. */
  open(): void {
    this.#error = undefined;
  }

  /** What is committed is staged. */
  staged(): void {
    this.#failures = 0;
    this.#failingCode = undefined;
    this.#error = undefined;
  }

  /** Nothing hangs on a snapshot: it is made later. Said once, until one is made. */
  missSnapshot(code: ErrorCode, message: string, nextTryMs: number): void {
    const { logger, onChange } = this.#context;
    if (this.#snapshotError?.code !== code) {
      const what = `cannot make a full snapshot; replication continues without it: ${message}`;
      logger.warn(what, { code, nextTryMs });
    }
    this.#snapshotError = this.toStatusError(code, message);
    onChange();
  }

  madeSnapshot(): void {
    this.#snapshotError = undefined;
  }

  toStatusError(code: string, message: string): StatusError {
    return { code, message, at: new Date(this.#context.clock.now()).toISOString() };
  }
}

// --- retries of local work: the wait doubles, and a success ends it ---

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

  /** In how many ms the next try may be made; 0 where it may be now. */
  get waitMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }

  /** Gives the wait. */
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
