/** Runs the work for one destination one step at a time, with retries and backoff, until closed. */

import type { Clock } from '../../clock.ts';
import { type ErrorCode, isError, messageOf } from '../../error.ts';
import type { Random } from '../../random.ts';
import { Wakeup } from '../waits.ts';

export type StepResult =
  /** A file was written. */
  | 'worked'
  /** The destination was listed. Whether it accepts files is not known yet. */
  | 'answered'
  /** The destination has everything that is staged. */
  | 'idle'
  /** The next file to send does not exist yet. */
  | 'waiting'
  /** There is something else to do now. Failures are neither cleared nor counted. */
  | 'changed';

export interface UploadFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** HTTP status of the answer, if any. */
  readonly status: number | undefined;
  /** Unix time in ms. */
  readonly atMs: number;
  /** The same moment, by the monotonic clock. */
  readonly failedAt: number;
}

export interface UploadQueueContext {
  /** Does the next piece of work. After 'idle' or 'waiting' the queue sleeps until it is woken. */
  readonly step: (signal: AbortSignal) => Promise<StepResult>;
  /** Time after which the queue runs a step even if it is not woken. */
  readonly dueInMs: () => number;
  /** A try succeeded after failures, of which `last` was the last. */
  readonly onRecovered: (last: UploadFailure) => void;
  /** A try failed. The next one follows after `waitMs`. */
  readonly onFailure: (error: unknown, waitMs: number) => void;
  /** Pause after the last failure, if it is not the usual one. */
  readonly pauseMs?: (() => number | undefined) | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

export class UploadQueue {
  readonly #context: UploadQueueContext;
  readonly #wakeup = new Wakeup();
  /** Of the running step: most queues are idle most of the time. */
  #abort: AbortController | undefined;
  #isClosed = false;
  #failure: UploadFailure | undefined;
  /** Failures since a file was last written or nothing was left to send. */
  #failures = 0;
  /** Those since another queue was seen to succeed. */
  #failuresBeside: number | undefined;
  /** Time of the first of them, by the monotonic clock. */
  #failingSince: number | undefined;
  #activity: 'trying' | 'pausing' | 'idle' = 'idle';
  /** Since when the next file to send has not existed. */
  #waitingSince: number | undefined;
  #pauseMsMax = Infinity;
  /** When the current step began or last made progress, by the monotonic clock. */
  #movedAt = -Infinity;
  #running: Promise<void> | undefined;

  constructor(context: UploadQueueContext) {
    this.#context = context;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The last failure, until a success clears it. */
  get failure(): UploadFailure | undefined {
    return this.#failure;
  }

  /** Consecutive failures. A successful listing does not reset the count, a written file does. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * The failures that `isRefused` counts for a queue beside another one: those since that one wrote a file. A
   * destination that is down refuses nothing, and while the database is idle nothing else shows that it is.
   */
  get failingBeside(): Failing {
    return { failure: this.#failure, failures: this.#failuresBeside ?? 0 };
  }

  get failingSince(): number | undefined {
    return this.#failingSince;
  }

  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  get isTrying(): boolean {
    return this.#activity === 'trying';
  }

  /** Since when the running step has made no progress; undefined if none is running. */
  get stalledSince(): number | undefined {
    return this.isTrying ? this.#movedAt : undefined;
  }

  /** Bytes were transferred or an answer arrived. */
  moved(): void {
    this.#movedAt = this.#context.clock.monotonic();
  }

  /** Wakes the queue: there may be something to do. */
  wake(): void {
    if (this.#activity !== 'pausing') this.#wakeup.notify();
  }

  /** Ends a pause after a failure. */
  retryNow(): void {
    this.#wakeup.notify();
  }

  /** A drain began: failures are timed from now on, and most pauses are limited to `pauseMsMax`. */
  startDrain(pauseMsMax: number): void {
    const now = this.#context.clock.monotonic();
    if (this.#failingSince !== undefined) this.#failingSince = now;
    if (this.#waitingSince !== undefined) this.#waitingSince = now;
    this.#pauseMsMax = pauseMsMax;
    this.#wakeup.notify();
  }

  /** Takes over the failure of another queue, which was sending a file of this queue's kind. */
  copyFailure({ failure, failures, failingSince }: UploadQueue): void {
    this.#failure = failure;
    this.#failures = failures;
    this.#failuresBeside = failures;
    this.#failingSince = failingSince;
  }

  /** Another queue has written a file: what fails from now on is not an outage. */
  otherWrote(): void {
    if (this.#failures > 0) this.#failuresBeside ??= 0;
  }

  /** Another queue has recovered from `last`: what failed meanwhile was not refused, unless `last` was copied. */
  outageEnded(last: UploadFailure): void {
    if (this.#failure === last) return;
    this.#failures = Math.min(this.#failures, 1);
    if (this.#failuresBeside !== undefined) this.#failuresBeside = 0;
  }

  /** Another queue has written what this one could not. */
  clearFailure(): void {
    this.#forgetFailures();
    this.#recover();
  }

  /** Aborts the running step. The queue goes on with the next one. */
  interrupt(reason: unknown): void {
    if (!this.#isClosed && this.isTrying) this.#abort?.abort(reason);
  }

  /** Aborts the running step. Resolves when it has ended. */
  async close(reason: unknown): Promise<void> {
    this.#isClosed = true;
    this.#abort?.abort(reason);
    this.#wakeup.notify();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const { count } = this.#wakeup;
      const next = await this.#try();
      if (next === 'again') continue;
      if (next === 'asleep') await this.#wakeup.since(count, this.#context.dueInMs());
      else await this.#wakeup.since(next.count, next.pauseMs);
    }
  }

  async #try(): Promise<'again' | 'asleep' | { readonly pauseMs: number; readonly count: number }> {
    const abort = new AbortController();
    const { signal } = abort;
    this.#abort = abort;
    try {
      this.#activity = 'trying';
      this.moved();
      const result = await this.#context.step(signal);
      this.#settle(result);
      const isDone = result === 'idle' || result === 'waiting';
      return isDone && !signal.aborted ? 'asleep' : 'again';
    } catch (error) {
      if (signal.aborted) return 'again'; // closed, or interrupted
      this.#fail(error);
      this.#activity = 'pausing';
      const pauseMs = this.#nextPauseMs();
      this.#context.onFailure(error, pauseMs);
      return { pauseMs, count: this.#wakeup.count };
    } finally {
      this.#abort = undefined;
    }
  }

  #fail(error: unknown): void {
    const { clock } = this.#context;
    const { code, status } = isError(error) ? error : UNKNOWN;
    const failedAt = clock.monotonic();
    this.#failure = { code, status, message: messageOf(error), atMs: clock.now(), failedAt };
    this.#failures += 1;
    if (this.#failuresBeside !== undefined) this.#failuresBeside += 1;
    this.#failingSince ??= failedAt;
  }

  #forgetFailures(): void {
    this.#failures = 0;
    this.#failuresBeside = undefined;
    this.#failingSince = undefined;
  }

  #nextPauseMs(): number {
    const { random, pauseMs } = this.#context;
    const special = pauseMs?.();
    if (special !== undefined) return special;
    if (this.#failure !== undefined && OF_OTHERS.has(this.#failure.code)) {
      return backoffMs(this.#failures, random, CONFLICT_BACKOFF_MS_MAX); // even during a drain
    }
    const isDenied = this.#failure !== undefined && DENIALS.has(this.#failure.code);
    const maxMs = isDenied ? Math.max(this.#pauseMsMax, DENIED_PAUSE_MS_MAX) : this.#pauseMsMax;
    return Math.min(backoffMs(this.#failures, random), maxMs);
  }

  #settle(result: StepResult): void {
    this.#activity = 'idle';
    if (result === 'waiting') this.#waitingSince ??= this.#context.clock.monotonic();
    const isDone = result === 'worked' || result === 'idle';
    if (isDone) {
      this.#forgetFailures();
      this.#waitingSince = undefined;
    }
    if (this.#failure === undefined) return;
    const isOver = isDone || (result === 'answered' && !ONLY_A_WRITE_ENDS.has(this.#failure.code));
    if (isOver) this.#recover();
  }

  #recover(): void {
    const last = this.#failure;
    if (last === undefined) return;
    this.#failure = undefined;
    this.#context.onRecovered(last);
  }
}

const UNKNOWN = { code: 'REPLICA_UNKNOWN', status: undefined } as const;

/** Errors that a successful listing does not clear, only a written file. */
const ONLY_A_WRITE_ENDS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_CONFLICT',
  'REPLICA_NOT_LISTED',
]);

/** Only a person can change these, or a permission that is spreading: asking twice a second would not help. */
const DENIALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_DESTINATION_NOT_FOUND',
  'REPLICA_HOST_UNTRUSTED',
  'REPLICA_NO_IDENTITY',
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNAUTHENTICATED',
]);
/** During a drain: some seven tries within its 30 s, and the last ones not long before its end. */
const DENIED_PAUSE_MS_MAX = 8_000;

/** Somebody else writes there, which a retry does not change. */
const OF_OTHERS: ReadonlySet<ErrorCode> = new Set(['REPLICA_CONFLICT', 'REPLICA_IN_USE']);

/** Wait after `failures` consecutive failures: doubling with jitter, up to `maxMs`. */
export function backoffMs(
  failures: number,
  random: Random,
  maxMs: number = BACKOFF_MS_MAX,
): number {
  const full = Math.min(maxMs, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (0.5 + random.fraction() / 2));
}

const BACKOFF_MS_MIN = 500;
/** Maximum time to notice that a destination is back. */
export const BACKOFF_MS_MAX = 30_000;
/** Each conflict costs a full image above the taken name, so repeated conflicts are retried rarely. */
const CONFLICT_BACKOFF_MS_MAX = 600_000;

// --- whether a destination permanently refuses a kind of file; pure ---

/** Errors that a retry will not fix: no permission, no space, file too large. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNAUTHENTICATED',
  'REPLICA_FULL',
  'REPLICA_UNSUPPORTED',
  'REPLICA_CONFLICT',
  'REPLICA_UNKNOWN', // an answer that we do not recognize
]);
const STATUS_TOO_LARGE = 413;
/** A refusal may be temporary, so it counts only after this many in a row. */
const REFUSALS_MIN = 3;
/**
 * After this many consecutive failures of any kind (about 4 minutes) it is not an outage, since
 * other files arrive.
 */
const FAILURES_MIN = 12;

/** Why a destination refuses snapshots, and the last one it refused. */
export interface SnapshotRefusal extends UploadFailure {
  readonly txid: bigint;
}

export interface Failing {
  readonly failure: UploadFailure | undefined;
  /** Consecutive failures. */
  readonly failures: number;
}

export function isRefused({ failure, failures }: Failing): boolean {
  if (failure === undefined) return false;
  const isRefusal = REFUSALS.has(failure.code) || failure.status === STATUS_TOO_LARGE;
  return failures >= (isRefusal ? REFUSALS_MIN : FAILURES_MIN);
}
