/** One thing after the other to one destination, tried again for as long as the queue is open. */

import type { Clock } from '../../clock.ts';
import { type ErrorCode, isError, messageOf } from '../../error.ts';
import type { Random } from '../../random.ts';
import { Wakeup } from '../waits.ts';

export type StepResult =
  /** A file was written. */
  | 'worked'
  /** The destination was listed: it answers. Whether it takes files is not known yet. */
  | 'answered'
  /** The destination has all that it can have now. */
  | 'idle'
  /** What is to be sent next is not there yet. */
  | 'waiting'
  /** There is another thing to do now. It says neither that a failure is over nor that it lasts. */
  | 'changed';

export interface UploadFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** What the other side answered, where it speaks in numbers (an HTTP status). */
  readonly status: number | undefined;
  /** In ms since 1970. */
  readonly atMs: number;
  /** The same moment, by the monotonic clock. */
  readonly failedAt: number;
}

export interface UploadQueueContext {
  /** Does the next thing. What is 'idle' or 'waiting' is looked at again when it is woken. */
  readonly step: (signal: AbortSignal) => Promise<StepResult>;
  /** In how many ms there may be something to do although nobody wakes the queue. */
  readonly dueInMs: () => number;
  /** A try succeeded after others had failed. */
  readonly onHealed: () => void;
  /** A try failed; the next one follows after `waitMs`. */
  readonly onFailure: (error: unknown, waitMs: number) => void;
  readonly clock: Clock;
  readonly random: Random;
}

export class UploadQueue {
  readonly #context: UploadQueueContext;
  readonly #wakeup = new Wakeup();
  readonly #abort = new AbortController();
  #failure: UploadFailure | undefined;
  /** Failures since a file was written, or everything was there. */
  #failures = 0;
  /** When the first of them was, by the monotonic clock. */
  #failingSince: number | undefined;
  #doing: 'trying' | 'pausing' | 'idle' = 'idle';
  /** Since when what is to be sent is not there. */
  #waitingSince: number | undefined;
  #pauseMsMax = Infinity;
  /** When the present step began, or moved something, by the monotonic clock. */
  #movedAt = -Infinity;
  #running: Promise<void> | undefined;

  constructor(context: UploadQueueContext) {
    this.#context = context;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The last failure, while nothing shows that it is over. */
  get failure(): UploadFailure | undefined {
    return this.#failure;
  }

  /** Failures in a row. That the destination answers ends none: it must take a file. */
  get failures(): number {
    return this.#failures;
  }

  get failingSince(): number | undefined {
    return this.#failingSince;
  }

  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  get isTrying(): boolean {
    return this.#doing === 'trying';
  }

  /** Since when a step that is under way has moved nothing; undefined where none is. */
  get stillSince(): number | undefined {
    return this.isTrying ? this.#movedAt : undefined;
  }

  /** Bytes are moving, or answers come. */
  moved(): void {
    this.#movedAt = this.#context.clock.monotonic();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#doing !== 'pausing') this.#wakeup.notify();
  }

  /** Somebody waits: failures count from now on, and most pauses are at most so long. */
  hurry(pauseMsMax: number): void {
    const now = this.#context.clock.monotonic();
    if (this.#failingSince !== undefined) this.#failingSince = now;
    if (this.#waitingSince !== undefined) this.#waitingSince = now;
    this.#pauseMsMax = pauseMsMax;
    this.#wakeup.notify();
  }

  /** What has failed in the other queue is of this queue's kind. */
  adoptFailure({ failure, failures, failingSince }: UploadQueue): void {
    this.#failure = failure;
    this.#failures = failures;
    this.#failingSince = failingSince;
  }

  /** Stops what is under way. Resolves when nothing runs any more. */
  async close(reason: unknown): Promise<void> {
    this.#abort.abort(reason);
    this.#wakeup.notify();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const { count } = this.#wakeup;
      try {
        this.#doing = 'trying';
        this.moved();
        const result = await this.#context.step(signal);
        this.#settle(result);
        if ((result === 'idle' || result === 'waiting') && !signal.aborted) {
          await this.#wakeup.since(count, this.#context.dueInMs());
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error);
        this.#doing = 'pausing';
        const pauseMs = this.#nextPauseMs();
        this.#context.onFailure(error, pauseMs);
        await this.#wakeup.next(pauseMs);
      }
    }
  }

  #fail(error: unknown): void {
    const { clock } = this.#context;
    const { code, status } = isError(error) ? error : UNKNOWN;
    const failedAt = clock.monotonic();
    this.#failure = { code, status, message: messageOf(error), atMs: clock.now(), failedAt };
    this.#failures += 1;
    this.#failingSince ??= failedAt;
  }

  #nextPauseMs(): number {
    const { random } = this.#context;
    if (this.#failure?.code === 'REPLICA_CONFLICT') {
      return backoffMs(this.#failures, random, CONFLICT_BACKOFF_MS_MAX); // nobody's hurry changes that
    }
    return Math.min(backoffMs(this.#failures, random), this.#pauseMsMax);
  }

  #settle(result: StepResult): void {
    this.#doing = 'idle';
    if (result === 'waiting') this.#waitingSince ??= this.#context.clock.monotonic();
    const isDone = result === 'worked' || result === 'idle';
    if (isDone) {
      this.#failures = 0;
      this.#failingSince = undefined;
      this.#waitingSince = undefined;
    }
    if (this.#failure === undefined) return;
    const isOver = isDone || (result === 'answered' && !ONLY_A_WRITE_ENDS.has(this.#failure.code));
    if (!isOver) return;
    this.#failure = undefined;
    this.#context.onHealed();
  }
}

const UNKNOWN = { code: 'REPLICA_UNKNOWN', status: undefined } as const;

/** That a destination can be listed says nothing about these: only a written file does. */
const ONLY_A_WRITE_ENDS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_CONFLICT',
  'REPLICA_NOT_LISTED',
]);

/** Wait before the next try after `failures` failures in a row: doubling, with jitter, bounded. */
export function backoffMs(
  failures: number,
  random: Random,
  maxMs: number = BACKOFF_MS_MAX,
): number {
  const full = Math.min(maxMs, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (0.5 + random.fraction() / 2));
}

const BACKOFF_MS_MIN = 500;
/** A destination that comes back is noticed within this. */
export const BACKOFF_MS_MAX = 30_000;
/** Each name that is taken costs a full image above it: where all are, they become rare. */
const CONFLICT_BACKOFF_MS_MAX = 600_000;

// --- whether a destination refuses a kind of file permanently; pure ---

/** Answers that another try will not change: no right, no space, too large. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNAUTHENTICATED',
  'REPLICA_FULL',
  'REPLICA_UNSUPPORTED',
  'REPLICA_CONFLICT',
  'REPLICA_UNKNOWN', // an answer that we have no word for
]);
const STATUS_TOO_LARGE = 413;
/** A refusal may be a moment's: it counts when it was said so often in a row. */
const REFUSALS_MIN = 3;
/** Whatever the answer, so many failures in a row are no outage while other files arrive: about 4 minutes. */
const FAILURES_MIN = 12;

/** What a destination answers to snapshots, and to which it did so last. */
export interface SnapshotRefusal extends UploadFailure {
  readonly txid: bigint;
}

export interface Failing {
  readonly failure: UploadFailure | undefined;
  /** Failures in a row. */
  readonly failures: number;
}

export function isRefused({ failure, failures }: Failing): boolean {
  if (failure === undefined) return false;
  const isRefusal = REFUSALS.has(failure.code) || failure.status === STATUS_TOO_LARGE;
  return failures >= (isRefusal ? REFUSALS_MIN : FAILURES_MIN);
}
