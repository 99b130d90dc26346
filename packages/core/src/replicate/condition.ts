/** State and errors of one database, and the log lines about them. */

import type { Clock } from '../clock.ts';
import type { BeginOrder } from '../database/engine.ts';
import type { EngineEvent, OpenedEvent } from '../database/events.ts';
import { type ErrorCode, isError, messageOf, ReplicationError } from '../error.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Logger } from '../store/backend.ts';
import { describeBeginning, describeComparison } from './beginning.ts';
import type { ImageRequests } from './image-requests.ts';
import type { StagedFiles } from './staged-files.ts';
import type { DatabaseState, StatusError } from './status/status.ts';

export interface ConditionContext {
  /** Path of the database, for messages. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: () => void;
}

/** Time between two log lines about a full disk. */
const FULL_LOG_MS = 600_000;

export class Condition {
  readonly #context: ConditionContext;
  #state: DatabaseState = 'opening';
  #error: StatusError | undefined;
  #snapshotError: StatusError | undefined;
  /** Consecutive failures with the same code since a file was last staged. */
  #failures = 0;
  #failingCode: string | undefined;
  /** When the first of them occurred. */
  #failingSince: string | undefined;
  readonly #errors = new Map<string, number>();
  /** When it was last logged that the staging disk is full, by the monotonic clock. */
  #fullLoggedAt = -Infinity;
  /** Whether the log says that the staging disk is full. */
  #isFullInLog = false;

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

  /** Number of failures by code. */
  get errors(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#errors);
  }

  #count(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  /** It is decided how replication begins. */
  beginning(
    { mode, ...order }: BeginOrder,
    { after, proved }: Pick<OpenedEvent, 'after' | 'proved'>,
  ): void {
    const { logger } = this.#context;
    const level = after === 'idle' && mode === 'resume' ? 'debug' : 'info';
    if (mode !== 'image') logger[level](describeBeginning({ ...order, mode }, proved));
    this.setState(mode === 'resume' ? 'following' : 'imaging');
  }

  imaging({ why, txid }: { readonly why: string; readonly txid: bigint }): void {
    this.setState('imaging');
    this.#context.logger.info(`taking a full snapshot: ${why}`, { txid: formatTXID(txid) });
  }

  compared(event: EngineEvent & { readonly kind: 'compared' }): void {
    this.#context.logger.info(describeComparison(event), { txid: formatTXID(event.txid) });
    this.setState('following');
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

  /**
   * The log uses `failures` to print the first error of a kind and then only a few of its repeats. A full disk may
   * last for days, and fail each commit: it is logged at most each FULL_LOG_MS, also if there is room in between.
   */
  fail({ code, message }: { readonly code: ErrorCode; readonly message: string }): void {
    const { path, logger, clock } = this.#context;
    const error = this.toStatusError(code, message);
    if (code !== this.#failingCode) {
      this.#failures = 0;
      this.#failingSince = error.at;
    }
    this.#failures += 1;
    this.#failingCode = code;
    this.#count(code);
    this.#error = { ...error, since: this.#failingSince };
    this.setState('failing');
    const isRepeat = this.#isRepeat(code);
    logger[isRepeat ? 'debug' : 'error'](message, { target: path, code, failures: this.#failures });
    if (code !== 'STAGING_FULL' || isRepeat) return;
    this.#fullLoggedAt = clock.monotonic();
    this.#isFullInLog = true;
  }

  /** Logs a failure beside replication, such as that of the state file. */
  report(error: unknown): void {
    const code = isError(error) ? error.code : undefined;
    if (code !== undefined) this.#count(code);
    this.#context.logger[this.#isRepeat(code) ? 'debug' : 'error'](messageOf(error), { code });
  }

  #isRepeat(code: ErrorCode | undefined): boolean {
    const loggedMs = this.#context.clock.monotonic() - this.#fullLoggedAt;
    return code === 'STAGING_FULL' && loggedMs < FULL_LOG_MS;
  }

  /** The database was opened. */
  opened({ switchedToWAL }: Pick<OpenedEvent, 'switchedToWAL'>): void {
    this.#error = undefined;
    if (switchedToWAL) this.#context.logger.info('the database was switched to WAL mode');
  }

  /** A file was staged, so earlier failures are over. */
  staged(): void {
    this.#failures = 0;
    this.#failingCode = undefined;
    this.#error = undefined;
    if (!this.#isFullInLog) return;
    this.#isFullInLog = false;
    this.#context.logger.info('the staging folder has room again; replication continues');
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
    this.#count(code);
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

/** The engine could not stage something, or does not follow the database any more. */
export function noteFailure(
  event: EngineEvent & { readonly kind: 'full' | 'no-snapshot' | 'failed' },
  condition: Condition,
  staged: Pick<StagedFiles, 'onNoRoom' | 'onNoSnapshotRoom'>,
  images: Pick<ImageRequests, 'failed' | 'requestDropped'>,
): void {
  switch (event.kind) {
    case 'full':
      condition.fail(new ReplicationError('STAGING_FULL', event.message));
      staged.onNoRoom();
      return;
    case 'no-snapshot':
      condition.snapshotFailed(event.code, event.message, images.failed());
      if (event.code === 'STAGING_FULL') staged.onNoSnapshotRoom();
      return;
    case 'failed':
      condition.fail(event);
      images.requestDropped();
      if (event.code === 'STAGING_FULL') staged.onNoRoom();
      return;
  }
}
