/**
 * What tools for observation get: channels of node:diagnostics_channel, and OpenTelemetry if the application has
 * @opentelemetry/api. Nothing of it comes from the rows of the application.
 *
 *  channel sluice:event             each `SluiceEvent`
 *  tracing channel sluice:durable   each call of `durable`, with `{ database, min }`
 *  span sluice.durable              the same
 *  sluice.database.healthy          1 or 0; 0 too if it is not known
 *  sluice.destination.lag           age in seconds of the oldest commit that a destination lacks
 *  sluice.destination.pending       bytes that are staged for a destination
 *  sluice.process.restarts          restarts of the process that replicates
 */

import { channel, tracingChannel } from 'node:diagnostics_channel';
import type {
  BatchObservableCallback,
  BatchObservableResult,
  Counter,
  Meter,
  ObservableGauge,
} from '@opentelemetry/api';
import { messageOf } from '../error.ts';
import type { DatabaseStatus } from '../replicate/status/status.ts';
import type { SluiceEvent } from './events.ts';

export type API = typeof import('@opentelemetry/api');

export const SCOPE = 'sluice';
const EVENTS = channel('sluice:event');
const DURABLE = tracingChannel<'sluice:durable', DurableContext>('sluice:durable');

interface DurableContext {
  readonly database: string;
  readonly min: number | 'all';
}

/** What a database's status is; undefined if the process that replicates does not answer. */
export type ReadStatuses = () => Promise<ReadonlyMap<string, DatabaseStatus | undefined>>;

let loading: Promise<API | undefined> | undefined;

/** undefined if the application does not have it. */
export async function loadAPI(): Promise<API | undefined> {
  loading ??= import('@opentelemetry/api').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    process.emitWarning(`load @opentelemetry/api: ${messageOf(error)}; there is no telemetry`);
    return undefined;
  });
  return await loading;
}

/** Runs a call of `durable` in a span. */
export async function traceDurable<Result>(
  context: DurableContext,
  work: () => Promise<Result>,
): Promise<Result> {
  const run = DURABLE.hasSubscribers ? () => DURABLE.tracePromise(work, context) : work;
  const api = await loadAPI();
  if (api === undefined) return await run();
  const { database, min } = context;
  const attributes = { 'sluice.database': database, 'sluice.min': String(min) };
  return await api.trace
    .getTracer(SCOPE)
    .startActiveSpan('sluice.durable', { attributes }, (span) =>
      run()
        .catch((error: unknown) => {
          const message = messageOf(error);
          span.setStatus({ code: api.SpanStatusCode.ERROR, message });
          throw error;
        })
        .finally(() => span.end()),
    );
}

/** The instruments of one `Sluice`. */
export class Telemetry {
  readonly #meter: Meter;
  readonly #restarts: Counter;
  readonly #healthy: ObservableGauge;
  readonly #lag: ObservableGauge;
  readonly #pending: ObservableGauge;
  readonly #observe: BatchObservableCallback;

  private constructor({ metrics }: API, read: ReadStatuses) {
    const meter = metrics.getMeter(SCOPE);
    this.#meter = meter;
    this.#restarts = meter.createCounter('sluice.process.restarts');
    this.#healthy = meter.createObservableGauge('sluice.database.healthy');
    this.#lag = meter.createObservableGauge('sluice.destination.lag', { unit: 's' });
    this.#pending = meter.createObservableGauge('sluice.destination.pending', { unit: 'By' });
    this.#observe = async (result) => this.#record(result, await read());
    meter.addBatchObservableCallback(this.#observe, this.#observed);
  }

  /** undefined if the application does not have OpenTelemetry. */
  static async open(read: ReadStatuses): Promise<Telemetry | undefined> {
    const api = await loadAPI();
    return api === undefined ? undefined : new Telemetry(api, read);
  }

  /** Its events go to the counters. */
  count(event: SluiceEvent): void {
    if (event.kind === 'restarted') this.#restarts.add(1);
  }

  close(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#observed);
  }

  get #observed(): ObservableGauge[] {
    return [this.#healthy, this.#lag, this.#pending];
  }

  #record(
    result: BatchObservableResult,
    statuses: ReadonlyMap<string, DatabaseStatus | undefined>,
  ): void {
    for (const [database, status] of statuses) {
      const of = { 'sluice.database': database };
      result.observe(this.#healthy, status?.healthy === true ? 1 : 0, of);
      for (const { name, lagSeconds, pendingBytes } of status?.destinations ?? []) {
        const at = { ...of, 'sluice.destination': name };
        result.observe(this.#lag, lagSeconds, at);
        result.observe(this.#pending, pendingBytes, at);
      }
    }
  }
}

/** For `diagnostics_channel`. */
export function publishEvent(event: SluiceEvent): void {
  if (EVENTS.hasSubscribers) EVENTS.publish(event);
}
