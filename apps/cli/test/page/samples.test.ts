import { expect, test } from 'vitest';
import type { DatabaseStatus } from '@sluice/core';
import { HISTORY_MS, INTERVAL_MS_MIN, SampleBuffer } from '../../src/page/samples.ts';
import { destination, status } from '../support/status.ts';

const START_MS = 1_700_000_000_000;

function measured(
  seconds: number,
  sent: number,
  more: Partial<DatabaseStatus> = {},
): DatabaseStatus {
  return status('/a.db', {
    commitsSeen: 100 + seconds,
    walBytes: 4_152,
    stagedBytes: 10,
    destinations: [destination('near', { lagSeconds: 0.5, bytesSent: sent })],
    ...more,
  });
}

test('rates are between two readings; the first has none', () => {
  const buffer = new SampleBuffer();
  buffer.add([measured(0, 1_000)], START_MS);
  buffer.add([measured(10, 6_000)], START_MS + 10_000);
  expect(buffer.of('/a.db')).toEqual({
    at: [START_MS / 1_000, START_MS / 1_000 + 10],
    walBytes: [4_152, 4_152],
    stagedBytes: [10, 10],
    commitsPerSecond: [null, 1],
    destinations: [{ name: 'near', lagSeconds: [0.5, 0.5], sentBytesPerSecond: [null, 500] }],
    errors: [],
  });
  expect(buffer.of('/b.db')).toBeUndefined();
});

test('a counter that starts again has no rate', () => {
  const buffer = new SampleBuffer();
  buffer.add([measured(10, 6_000)], START_MS);
  buffer.add([measured(11, 100)], START_MS + 10_000);
  buffer.add([measured(12, 200, { pid: 2 })], START_MS + 20_000);
  expect(buffer.of('/a.db')?.destinations[0]?.sentBytesPerSecond).toEqual([null, null, null]);
});

test('databases and destinations may come and go', () => {
  const buffer = new SampleBuffer();
  buffer.add([measured(0, 0)], START_MS);
  const far = destination('far', { lagSeconds: 7 });
  buffer.add(
    [status('/b.db'), measured(1, 0, { destinations: [far, destination('near')] })],
    START_MS + 10_000,
  );
  const samples = buffer.of('/a.db');
  expect(samples?.destinations.map(({ name, lagSeconds }) => [name, lagSeconds])).toEqual([
    ['far', [null, 7]],
    ['near', [0.5, 0]],
  ]);
  expect(buffer.of('/b.db')?.at).toHaveLength(1);
  buffer.add([measured(2, 0)], START_MS + 20_000);
  expect(buffer.of('/b.db')?.at).toHaveLength(1);
});

test('the memory is bounded, and the newest reading always stays', () => {
  const bytesMax = 2_000;
  const buffer = new SampleBuffer(bytesMax);
  const many = Array.from({ length: 10 }, (_, index) => status(`/t-${index}.db`));
  for (let count = 0; count < 100; count += 1) {
    buffer.add(many, START_MS + count * 10_000);
    expect(buffer.bytes).toBeLessThanOrEqual(bytesMax);
  }
  // 7 numbers for each database with two destinations.
  expect(buffer.of('/t-9.db')?.at).toHaveLength(Math.floor(bytesMax / (10 * 7 * 4)));
  const tiny = new SampleBuffer(1);
  tiny.add(many, START_MS);
  tiny.add(many, START_MS + 1);
  expect(tiny.of('/t-0.db')?.at).toHaveLength(1);
});

test('readings older than six hours are dropped', () => {
  const buffer = new SampleBuffer();
  buffer.add([measured(0, 0)], START_MS);
  buffer.add([measured(1, 0)], START_MS + HISTORY_MS);
  buffer.add([measured(2, 0)], START_MS + HISTORY_MS + 1);
  expect(buffer.of('/a.db')?.at).toHaveLength(2);
});

test('readings are as far apart as their number and their cost need', () => {
  const buffer = new SampleBuffer();
  expect(buffer.intervalMs(0)).toBe(INTERVAL_MS_MIN);
  expect(buffer.intervalMs(100)).toBe(50_000);
  buffer.add(
    Array.from({ length: 5_000 }, (_, index) => status(`/t-${index}.db`)),
    START_MS,
  );
  // 5,000 databases of 28 bytes, in 16 MiB for six hours.
  expect(Math.round(buffer.intervalMs(0) / 1_000)).toBe(180);
});

test('errors count by kind and destination, once each time they occur', () => {
  const buffer = new SampleBuffer();
  const failing = (second: number, code: string): DatabaseStatus => {
    const at = new Date(START_MS + second * 1_000).toISOString();
    return measured(second, 0, {
      destinations: [destination('near', { lastError: { code, message: `no ${second}`, at } })],
    });
  };
  buffer.add([failing(1, 'REPLICA_UNAVAILABLE')], START_MS);
  buffer.add([failing(1, 'REPLICA_UNAVAILABLE')], START_MS + 1);
  buffer.add([failing(2, 'REPLICA_UNAVAILABLE')], START_MS + 2);
  buffer.add([failing(3, 'REPLICA_FULL')], START_MS + 3);
  const { errors } = buffer.of('/a.db') ?? { errors: [] };
  expect(errors.map(({ code, count, message }) => [code, count, message])).toEqual([
    ['REPLICA_UNAVAILABLE', 2, 'no 2'],
    ['REPLICA_FULL', 1, 'no 3'],
  ]);
  for (let kind = 0; kind < 100; kind += 1)
    buffer.add([failing(kind, `CODE_${kind}`)], START_MS + 9);
  expect(buffer.of('/a.db')?.errors.length).toBeLessThanOrEqual(32);
});
