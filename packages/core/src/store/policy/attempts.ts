/**
 * The number of attempts of a call, and the delay between them. The only place that decides this.
 *
 *  code                   attempts            delay before the n-th retry
 *  REPLICA_FULL           FULL_ATTEMPTS_MAX   FULL_DELAY_MS * 2^(n-1)
 *  silent read            SILENT_READS_MAX    as below; a dead server is reported after about a minute
 *  other retryable codes  attemptsMax         DELAY_MS * 2^(n-1), at most DELAY_MS_MAX
 *  all others             1                   -
 *
 * Half of each delay is random, so that many databases do not retry at the same time. A delay requested by
 * the server is respected, unless it is longer than RETRY_AFTER_MS_MAX.
 */

import { isError, ReplicationError } from '../../error.ts';
import { sleep } from '../abort.ts';
import { Semaphore } from '../semaphore.ts';
import { systemTimers, type TimerClock } from '../timers.ts';

/** Maximum number of concurrent calls of a client: enough to hide a latency of 100 ms, few enough for providers that limit sockets. */
export const CALLS_MAX = 16;

/** About 4 s in total. The engine waits for longer outages and reports them. */
export const ATTEMPTS_MAX = 5;
export const DELAY_MS = 250;
export const DELAY_MS_MAX = 10_000;
/** Space may become free within seconds: one retry. The engine waits for a disk that stays full. */
export const FULL_ATTEMPTS_MAX = 2;
export const FULL_DELAY_MS = 5_000;
/** Maximum delay that a server may request. A longer one fails the call; the error contains the delay. */
export const RETRY_AFTER_MS_MAX = 30_000;
/** A read fails after this long without a byte. Slow links send something; dead links send nothing. */
export const STALL_MS_MAX = 30_000;
/** Maximum number of consecutive reads without any data. A restore can then try another destination. */
const SILENT_READS_MAX = 2;
/** Maximum silence of a write: buffered parts may take this long over a slow link. */
export const SILENCE_MS_MAX = 300_000;
/** After this much progress, the count of failures starts again. */
export const PROGRESS_BYTES = 65_536;

export interface RetryEvent {
  /** The call that failed: "open level 0 0000…". */
  readonly what: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: ReplicationError;
}

export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly stallMs: number;
  readonly silenceMs: number;
  /** Limits concurrent attempts. Waiting for a slot counts as neither a stall nor silence. */
  readonly slots: Semaphore;
  readonly clock: TimerClock;
  /** 0 to 1, like Math.random. */
  readonly random: () => number;
  /** Called before each delay, so that every retry is logged. */
  readonly onRetry: (event: RetryEvent) => void;
}

export function retryPolicy(options: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    attemptsMax: ATTEMPTS_MAX,
    stallMs: STALL_MS_MAX,
    silenceMs: SILENCE_MS_MAX,
    slots: new Semaphore(CALLS_MAX),
    clock: systemTimers,
    random: Math.random,
    onRetry: () => undefined,
    ...options,
  };
}

/** The delay after the `failures`-th consecutive failure, or undefined to give up. Pure. */
export function planRetry(
  error: unknown,
  failures: number,
  policy: Pick<RetryPolicy, 'attemptsMax' | 'random'>,
): number | undefined {
  if (!isError(error) || !error.retryable) return undefined;
  const isFull = error.code === 'REPLICA_FULL';
  if (failures >= (isFull ? FULL_ATTEMPTS_MAX : policy.attemptsMax)) return undefined;
  const doubled = (isFull ? FULL_DELAY_MS : DELAY_MS) * 2 ** (failures - 1);
  const delayMs = Math.min(doubled, DELAY_MS_MAX) * (0.5 + policy.random() / 2);
  const askedMs = error.retryAfterMs ?? 0;
  return askedMs > RETRY_AFTER_MS_MAX ? undefined : Math.max(delayMs, askedMs);
}

/** The attempts of one call. */
export class Attempts {
  readonly #policy: RetryPolicy;
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #bytes = 0;
  #silences = 0;

  constructor(policy: RetryPolicy, what: string, signal: AbortSignal | undefined) {
    this.#policy = policy;
    this.#what = what;
    this.#signal = signal;
  }

  /** Returns when it is time for the next attempt. Throws if there is none. */
  async afterFailure(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#bytes = 0;
    if (this.#silences >= SILENT_READS_MAX) throw error;
    const delayMs = planRetry(error, this.#failures, this.#policy);
    if (delayMs === undefined || !isError(error)) throw error;
    this.#policy.onRetry({ what: this.#what, attempt: this.#failures, delayMs, error });
    await sleep(this.#policy.clock, delayMs, this.#signal);
  }

  /** Counts received bytes. A few bytes between failures do not make a call endless. */
  received(bytes: number): void {
    this.#silences = 0;
    this.#bytes += bytes;
    if (this.#bytes >= PROGRESS_BYTES) this.#failures = 0;
  }

  /** Counts a read without data for `policy.stallMs`. Returns the error to fail with. */
  recordSilence(): ReplicationError {
    this.#silences += 1;
    return silenceError(this.#what, this.#policy.stallMs);
  }
}

export function silenceError(what: string, silenceMs: number): ReplicationError {
  const message =
    `${what}: no response for ${silenceMs / 1_000} s; check the address, the server, and the ` +
    'network in between';
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
}
