/**
 * How often a call is tried, and how long we wait between. The only place that decides this.
 *
 *  code            tries                 wait before the n-th retry
 *  REPLICA_FULL    FULL_ATTEMPTS_MAX     FULL_DELAY_MS * 2^(n-1)
 *  silence of a read    SILENT_READS_MAX      as other codes: a dead server is told of after about a minute
 *  other † codes   attemptsMax           DELAY_MS * 2^(n-1), at most DELAY_MS_MAX
 *  the rest        1                     -
 *
 * Half of each wait is random, so that many databases do not come back at once. A wait that the
 * other side asked for is kept, unless it is longer than a call should hang.
 */

import { isError, ReplicationError } from '../../error.ts';
import { sleep } from '../abort.ts';
import { Semaphore } from '../semaphore.ts';
import { systemTimers, type TimerClock } from '../timers.ts';

/** Calls of one client on their way at once. Enough to hide a latency of 100 ms; few enough for providers that count sockets. */
export const CALLS_MAX = 16;

/** Together about 4 s: an outage beyond that is the engine's to wait for, in the open. */
export const ATTEMPTS_MAX = 5;
export const DELAY_MS = 250;
export const DELAY_MS_MAX = 10_000;
/** Space that came free within seconds is worth one more try; a full disk is the engine's again. */
export const FULL_ATTEMPTS_MAX = 2;
export const FULL_DELAY_MS = 5_000;
/** A call does not hang longer because the other side said so; the error carries the number. */
export const RETRY_AFTER_MS_MAX = 30_000;
/** No byte for so long is a failure. Slow links send something; dead ones send nothing. */
export const STALL_MS_MAX = 30_000;
/** Reads in a row of which nothing came: whoever waits for a restore can try another destination. */
const SILENT_READS_MAX = 2;
/** A write may be silent while buffered parts go over a slow link; longer is a dead one. */
export const SILENCE_MS_MAX = 300_000;
/** So much progress makes an earlier failure history: attempts count from one again. */
export const PROGRESS_BYTES = 65_536;

export interface RetryEvent {
  /** What failed: "open level 0 0000…" */
  readonly what: string;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: ReplicationError;
}

export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly stallMs: number;
  readonly silenceMs: number;
  /** For attempts at once. Waiting for one counts as neither a stall nor silence. */
  readonly slots: Semaphore;
  readonly clock: TimerClock;
  /** 0 to 1, as Math.random. */
  readonly random: () => number;
  /** Told before each wait, so that nothing is retried in silence. */
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

/** How long to wait after the `failures`-th failure in a row, or undefined to give up. Pure. */
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

  /** Returns when it is time for another attempt; throws when there is none. */
  async afterFailure(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#bytes = 0;
    if (this.#silences >= SILENT_READS_MAX) throw error;
    const delayMs = planRetry(error, this.#failures, this.#policy);
    if (delayMs === undefined || !isError(error)) throw error;
    this.#policy.onRetry({ what: this.#what, attempt: this.#failures, delayMs, error });
    await sleep(this.#policy.clock, delayMs, this.#signal);
  }

  /** Bytes have come. Trickles between failures do not make an endless call. */
  received(bytes: number): void {
    this.#silences = 0;
    this.#bytes += bytes;
    if (this.#bytes >= PROGRESS_BYTES) this.#failures = 0;
  }

  /** A read of which nothing came for `policy.stallMs`. Gives the error to fail with. */
  silent(): ReplicationError {
    this.#silences += 1;
    return silenceError(this.#what, this.#policy.stallMs);
  }
}

export function silenceError(what: string, silenceMs: number): ReplicationError {
  const message =
    `${what}: nothing came back for ${silenceMs / 1_000} s; check the address, the server, and the ` +
    'network on the way there';
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
}
