/** What diagnostics_channel and OpenTelemetry get. */

import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import path from 'node:path';
import {
  createNoopMeter,
  metrics,
  trace,
  type BatchObservableCallback,
  type Meter,
  type Tracer,
} from '@opentelemetry/api';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { insertRow, openApp, openDatabase } from './support.ts';

/** Keeps what is measured, as an SDK would. */
class RecordingMeter {
  readonly callbacks = new Set<BatchObservableCallback>();
  readonly restarts: number[] = [];

  toMeter(): Meter {
    const gauge = (name: string): { readonly name: string } => ({ name });
    return {
      ...createNoopMeter(),
      createObservableGauge: gauge,
      createCounter: () => ({ add: (value: number) => void this.restarts.push(value) }),
      addBatchObservableCallback: (callback: BatchObservableCallback) =>
        void this.callbacks.add(callback),
      removeBatchObservableCallback: (callback: BatchObservableCallback) =>
        void this.callbacks.delete(callback),
    } as unknown as Meter;
  }

  async collect(): Promise<readonly unknown[]> {
    const found: unknown[] = [];
    const observe = ((
      instrument: { readonly name?: string },
      value: number,
      attributes: object,
    ) => {
      found.push([instrument, value, attributes]);
    }) as Parameters<BatchObservableCallback>[0]['observe'];
    for (const callback of this.callbacks) await callback({ observe });
    return found;
  }
}

test('channels get each event and each call of durable, without anything from rows', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const kinds = new Set<string>();
  const onEvent = (event: unknown): void =>
    void kinds.add((event as { readonly kind: string }).kind);
  subscribe('sluice:event', onEvent);
  const calls: unknown[] = [];
  const durable = tracingChannel('sluice:durable');
  const handlers = { asyncEnd: (context: object) => void calls.push(context) };
  durable.subscribe(handlers as Parameters<typeof durable.subscribe>[0]);
  onTestFinished(() => {
    unsubscribe('sluice:event', onEvent);
    durable.unsubscribe(handlers as Parameters<typeof durable.unsubscribe>[0]);
  });
  const sluice = await openApp(folder);
  insertRow(openDatabase(app));
  const result = await sluice.database(app).durable({ min: 2 });
  await sluice.close();
  expect(calls).toEqual([{ database: app, min: 2, result }]);
  expect([...kinds].sort()).toEqual(['database', 'destination', 'replicated']);
});

test('OpenTelemetry gets spans and gauges, until it is closed', async () => {
  const meter = new RecordingMeter();
  const spans: unknown[] = [];
  const noop = trace.getTracer('none').startSpan('none');
  const tracer = {
    startSpan: () => noop,
    startActiveSpan: (name: string, options: unknown, work: (span: unknown) => unknown) => {
      spans.push([name, options]);
      return work(noop);
    },
  } as unknown as Tracer;
  metrics.setGlobalMeterProvider({ getMeter: () => meter.toMeter() });
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  onTestFinished(() => {
    metrics.disable();
    trace.disable();
  });
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  sluice.on('warning', () => undefined);
  insertRow(openDatabase(app));
  await sluice.database(app).durable();
  expect(spans).toEqual([
    ['sluice.durable', { attributes: { 'sluice.database': app, 'sluice.min': 'all' } }],
  ]);
  const near = { 'sluice.database': app, 'sluice.destination': 'near' };
  expect(await meter.collect()).toEqual([
    [expect.objectContaining({ name: 'sluice.database.healthy' }), 1, { 'sluice.database': app }],
    [expect.objectContaining({ name: 'sluice.destination.lag' }), 0, near],
    [expect.objectContaining({ name: 'sluice.destination.pending' }), 0, near],
    [expect.anything(), 0, { ...near, 'sluice.destination': 'far' }],
    [expect.anything(), 0, { ...near, 'sluice.destination': 'far' }],
  ]);
  process.kill(sluice.pid ?? 0, 'SIGKILL');
  await until('the restart is counted', () => meter.restarts.length === 1);
  await sluice.close();
  expect(meter.callbacks.size).toBe(0);
});
