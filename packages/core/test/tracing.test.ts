import { trace, type Tracer } from '@opentelemetry/api';
import { expect, onTestFinished, test } from 'vitest';
import { traceSpans } from '../src/library/spans.ts';
import { CHANNELS, traced } from '../src/tracing.ts';

function recordSpans(): unknown[] {
  const ended: unknown[] = [];
  const tracer = {
    startSpan: (name: string, options: object) => {
      let status: unknown;
      return {
        setStatus: (given: unknown) => void (status = given),
        end: () => void ended.push({ name, ...options, status }),
      };
    },
  } as unknown as Tracer;
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  onTestFinished(() => trace.disable());
  return ended;
}

test('work is a span that ends with it, and has its error', async () => {
  const ended = recordSpans();
  const stop = await traceSpans();
  onTestFinished(stop);
  const gate = Promise.withResolvers<string>();
  const work = traced('sync', { database: '/a', level: 0, from: undefined }, () => gate.promise);
  await Promise.resolve();
  expect(ended).toEqual([]);
  gate.resolve('done');
  expect(await work).toBe('done');
  const attributes = { 'sluice.database': '/a', 'sluice.level': 0 };
  expect(ended).toEqual([{ name: 'sluice.sync', attributes, status: undefined }]);
  const failing = traced('restore', { output: '/b' }, () => Promise.reject(new Error('no space')));
  await expect(failing).rejects.toThrow('no space');
  expect(ended[1]).toEqual({
    name: 'sluice.restore',
    attributes: { 'sluice.output': '/b' },
    status: { code: 2, message: 'no space' },
  });
});

test('without a subscriber nothing is traced, and nothing is after the end', async () => {
  const ended = recordSpans();
  const stop = await traceSpans();
  stop();
  expect(CHANNELS.sync.hasSubscribers).toBe(false);
  expect(await traced('sync', {}, () => Promise.resolve(1))).toBe(1);
  expect(ended).toEqual([]);
});
