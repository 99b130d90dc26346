/** How it goes with one destination: what was sent, and since when nothing has moved. */

import type { Clock } from '../clock.ts';
import type { UploadFailure, UploadQueue } from './upload-queue.ts';

export class Health {
  readonly #clock: Clock;
  #bytesSent = 0;
  #lastSuccessMs: number | undefined;
  #lastError: UploadFailure | undefined;
  #triedAt: number;
  #movedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#triedAt = clock.monotonic();
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** In ms since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  /** Also where it is over. */
  get lastError(): UploadFailure | undefined {
    return this.#lastError;
  }

  /** When a try began, by the monotonic clock. */
  get triedAt(): number {
    return this.#triedAt;
  }

  /** When bytes last moved there, by the monotonic clock. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** A try begins. */
  tries(): void {
    this.#triedAt = this.#clock.monotonic();
  }

  /** Bytes are moving. */
  moved(): void {
    this.#movedAt = this.#clock.monotonic();
  }

  succeeded(): void {
    this.#lastSuccessMs = this.#clock.now();
  }

  sent(sizeBytes: number): void {
    this.#bytesSent += sizeBytes;
    this.succeeded();
  }

  failed(failure: UploadFailure): void {
    this.#lastError = failure;
  }
}

/** Facts of a destination that somebody waits for. Times are by the monotonic clock. */
export interface Patience {
  readonly now: number;
  readonly timeoutMs: number;
  readonly hangMs: number;
  readonly isMakingImage: boolean;
}

/**
 * Whether whoever waits for a destination should wait no more, because for `timeoutMs`
 *  - nothing has succeeded since the first failure, and no byte is moving there now; or
 *  - what is to be sent was not there, and no image is being made;
 * or because a try that is under way has moved no byte for as long as `silenceMs` allows.
 */
export function isHopeless(
  queue: Pick<UploadQueue, 'isTrying' | 'failingSince' | 'waitingSince'>,
  health: Pick<Health, 'triedAt' | 'movedAt'>,
  { now, timeoutMs, hangMs, isMakingImage }: Patience,
): boolean {
  const isOver = (since: number | undefined, ms = timeoutMs): boolean =>
    since !== undefined && now - since >= ms;
  if (queue.isTrying) {
    const lastSign = Math.max(health.triedAt, health.movedAt);
    if (isOver(lastSign, silenceMs(timeoutMs, hangMs))) return true;
    return isOver(queue.failingSince) && isOver(health.movedAt);
  }
  if (isMakingImage) return false;
  return isOver(queue.failingSince) || isOver(queue.waitingSince);
}

/** A server that works may think for so long before it answers. */
const ANSWER_MS_MAX = 10_000;

/** Who waits briefly for what fails waits briefly for what is silent: twice as long, within bounds. */
function silenceMs(timeoutMs: number, hangMs: number): number {
  return Math.max(timeoutMs, Math.min(hangMs, Math.max(ANSWER_MS_MAX, timeoutMs * 2)));
}
