/** One thing after the other to one destination, tried again for as long as the lane is open. */

import { backoffMs } from './state.ts';
import { Wakeup } from './wakeup.ts';

export interface LaneContext {
  /** Does the next thing. 'idle' where there is none until the lane is woken. */
  readonly step: (signal: AbortSignal) => Promise<'worked' | 'idle'>;
  readonly onSuccess: () => void;
  /** A try failed; the next one follows after `waitMs`. */
  readonly onFailure: (error: unknown, failures: number, waitMs: number) => void;
  readonly random: () => number;
}

export class Lane {
  readonly #context: LaneContext;
  readonly #wakeup = new Wakeup();
  readonly #abort = new AbortController();
  #failures = 0;
  #waitMsMax = Infinity;
  #running: Promise<void> | undefined;

  constructor(context: LaneContext) {
    this.#context = context;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#failures === 0) this.#wakeup.notify();
  }

  /** From now on a failure is followed by the next try after at most so long: somebody waits. */
  hurry(waitMsMax: number): void {
    this.#waitMsMax = waitMsMax;
    this.#wakeup.notify();
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
      const woken = this.#wakeup.next();
      try {
        const result = await this.#context.step(signal);
        if (this.#failures > 0 || result === 'worked') this.#context.onSuccess();
        this.#failures = 0;
        if (result === 'idle' && !signal.aborted) await woken;
      } catch (error) {
        if (signal.aborted) return;
        this.#failures += 1;
        const waitMs = Math.min(backoffMs(this.#failures, this.#context.random), this.#waitMsMax);
        this.#context.onFailure(error, this.#failures, waitMs);
        await this.#wakeup.next(waitMs);
      }
    }
  }
}
