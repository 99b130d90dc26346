/** One database, as the application sees it. */

import { systemClock } from '../clock.ts';
import { isError } from '../error.ts';
import type { DurableOptions, DurableReport } from '../replicate/durable/durability.ts';
import type { Reseed } from '../replicate/reseed.ts';
import type { DatabaseStatus } from '../replicate/status/status.ts';
import { notDurable } from './calls.ts';
import type { Supervisor } from './supervisor.ts';
import { traceDurable } from './telemetry.ts';

const TIMEOUT_MS = 30_000;
/** setTimeout accepts at most about 24 days. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;

export class DatabaseCalls {
  readonly #supervisor: Supervisor;
  readonly #path: string;

  constructor(supervisor: Supervisor, path: string) {
    this.#supervisor = supervisor;
    this.#path = path;
  }

  async durable(options: DurableOptions = {}): Promise<DurableReport> {
    const context = { database: this.#path, min: options.min ?? 'all' };
    return await traceDurable(context, () => this.#durable(options));
  }

  async #durable(options: DurableOptions): Promise<DurableReport> {
    const { min, retry, timeoutMs = TIMEOUT_MS, signal } = options;
    const path = this.#path;
    const startedAt = systemClock.monotonic();
    await this.#whenReady(timeoutMs, signal);
    // The process checks the values.
    const leftMs = timeoutMs - (systemClock.monotonic() - startedAt);
    const given = { min, retry, timeoutMs: timeoutMs > 0 ? Math.max(1, leftMs) : timeoutMs };
    const call = { method: 'durable', path, options: given } as const;
    return (await this.#supervisor.call(call, signal)) as DurableReport;
  }

  async status(): Promise<DatabaseStatus> {
    await this.#supervisor.whenReady();
    const call = { method: 'status', path: this.#path } as const;
    return (await this.#supervisor.call(call)) as DatabaseStatus;
  }

  async reseed(destination: string): Promise<Reseed> {
    await this.#supervisor.whenReady();
    const call = { method: 'reseed', path: this.#path, destination } as const;
    return (await this.#supervisor.call(call)) as Reseed;
  }

  /** The process may be starting again. */
  async #whenReady(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const isLimit = Number.isFinite(timeoutMs) && timeoutMs > 0;
    const limit = isLimit ? AbortSignal.timeout(Math.min(timeoutMs, TIMER_MS_MAX)) : undefined;
    const signals = [limit, signal].filter((each) => each !== undefined);
    try {
      await this.#supervisor.whenReady(signals);
    } catch (error) {
      const path = this.#path;
      if (isError(error, 'REPLICA_CLOSED')) throw notDurable(path, 'closed', 'Sluice is closed');
      if (signal?.aborted === true)
        throw notDurable(path, 'aborted', 'the wait was aborted', signal.reason);
      if (limit?.aborted !== true) throw error;
      const why = `the process that replicates did not start within ${timeoutMs / 1_000} s; see the warnings`;
      throw notDurable(path, 'timeout', why);
    }
  }
}
