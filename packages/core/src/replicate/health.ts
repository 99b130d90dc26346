/** How it goes with one destination: its state, what was sent, and since when nothing has moved. */

import type { Clock } from '../clock.ts';
import { isError, messageOf, type ErrorCode } from '../error.ts';
import { transition, type DestinationEvent, type DestinationState } from './state.ts';

export interface LastError {
  readonly code: ErrorCode;
  readonly message: string;
  /** In ms since 1970. */
  readonly atMs: number;
}

export class Health {
  readonly #clock: Clock;
  #state: DestinationState = 'listing';
  #bytesSent = 0;
  #lastSuccessMs: number | undefined;
  #lastError: LastError | undefined;
  #progressedAt: number;
  /** The first failure since the last progress. */
  #failingSince: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#progressedAt = clock.monotonic();
  }

  get state(): DestinationState {
    return this.#state;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** In ms since 1970. */
  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  get lastError(): LastError | undefined {
    return this.#lastError;
  }

  go(event: DestinationEvent): void {
    this.#state = transition(this.#state, event);
  }

  /** Bytes are moving, or a try begins. */
  progressed(): void {
    this.#progressedAt = this.#clock.monotonic();
  }

  succeeded(): void {
    this.progressed();
    this.#failingSince = undefined;
    this.#lastSuccessMs = this.#clock.now();
  }

  sent(sizeBytes: number): void {
    this.#bytesSent += sizeBytes;
  }

  failed(error: unknown): LastError {
    const code = isError(error) ? error.code : 'REPLICA_UNKNOWN';
    this.#lastError = { code, message: messageOf(error), atMs: this.#clock.now() };
    this.#failingSince ??= this.#clock.monotonic();
    return this.#lastError;
  }

  /** Somebody begins to wait: what failed before counts from now on. */
  patienceBegins(): void {
    this.progressed();
    if (this.#failingSince !== undefined) this.#failingSince = this.#clock.monotonic();
  }

  /**
   * Whether whoever waits should wait no more: nothing has succeeded for `timeoutMs` since the first
   * failure, or a try that is under way has moved no byte for HANG_MS_MAX.
   */
  isHopeless(timeoutMs: number, doing: 'trying' | 'waiting'): boolean {
    const now = this.#clock.monotonic();
    if (this.#failingSince !== undefined && now - this.#failingSince >= timeoutMs) return true;
    return doing === 'trying' && now - this.#progressedAt >= Math.max(timeoutMs, HANG_MS_MAX);
  }
}

/** A backend that neither fails nor moves a byte for so long will not do so later. */
const HANG_MS_MAX = 60_000;
