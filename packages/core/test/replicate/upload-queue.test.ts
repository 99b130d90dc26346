/** Failures and retries of an upload queue. */

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ReplicationError, type ErrorCode } from '../../src/error.ts';
import {
  backoffMs,
  UploadQueue,
  type StepResult,
  type UploadFailure,
} from '../../src/replicate/destination/upload-queue.ts';
import { StoppedClock } from './scene.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A queue whose steps return the given results in order, then 'idle'. */
function queueOf(...results: (StepResult | ErrorCode)[]): {
  queue: UploadQueue;
  pauses: number[];
  recovered: () => number;
} {
  const pauses: number[] = [];
  let recovered = 0;
  const queue = new UploadQueue({
    async step() {
      const result = results.shift() ?? 'idle';
      if (result === result.toLowerCase()) return result as StepResult;
      throw new ReplicationError(result as ErrorCode, 'on purpose');
    },
    dueInMs: () => Infinity,
    onRecovered: () => (recovered += 1),
    onFailure: (_, pauseMs) => void pauses.push(pauseMs),
    clock: new StoppedClock(),
    random: { fraction: () => 1, bits64: () => 1n },
  });
  onTestFinished(() => queue.close(new Error('the test is over')));
  queue.start();
  return { queue, pauses, recovered: () => recovered };
}

const DAY_MS = 24 * 3_600_000;

test('a successful listing does not reset the backoff; only a written file does', async () => {
  const fails: (StepResult | ErrorCode)[] = [];
  for (let i = 0; i < 14; i++) fails.push('REPLICA_CONFLICT', 'answered');
  const { queue, pauses } = queueOf(...fails, 'REPLICA_CONFLICT', 'worked', 'REPLICA_UNAVAILABLE');
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(pauses.slice(0, 4)).toEqual([500, 1000, 2000, 4000]);
  expect(pauses.slice(-3)).toEqual([600_000, 600_000, 500]);
  expect(queue.failures).toBe(0);
});

test('listings between other failures do not reset the backoff either', async () => {
  const { pauses } = queueOf(
    'REPLICA_CHANGED',
    'answered',
    'REPLICA_CHANGED',
    'answered',
    'REPLICA_CHANGED',
    'answered',
  );
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(pauses).toEqual([500, 1000, 2000]);
});

describe('a failure', () => {
  test.for<[ErrorCode, StepResult, 'ends' | 'lasts']>([
    ['REPLICA_UNAVAILABLE', 'answered', 'ends'],
    ['REPLICA_UNAVAILABLE', 'worked', 'ends'],
    ['REPLICA_UNAVAILABLE', 'idle', 'ends'],
    ['REPLICA_UNAVAILABLE', 'waiting', 'lasts'],
    ['REPLICA_CONFLICT', 'answered', 'lasts'],
    ['REPLICA_NOT_LISTED', 'answered', 'lasts'],
    ['REPLICA_CONFLICT', 'worked', 'ends'],
    ['REPLICA_NOT_LISTED', 'idle', 'ends'],
  ])('%s, then %s: it %s', async ([code, result, how]) => {
    const { queue, recovered } = queueOf(code, result, 'waiting');
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(queue.failure?.code).toBe(how === 'ends' ? undefined : code);
    expect(recovered()).toBe(how === 'ends' ? 1 : 0);
  });

  test('is timed from the first one, and again from the start of a drain', async () => {
    const { queue } = queueOf('REPLICA_CONFLICT', 'answered', 'waiting');
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(queue.failingSince).toBe(1_000_000);
    expect(queue.waitingSince).toBe(1_000_000);
  });
});

test('only a drain shortens the pause after a failure; a wake-up does not', async () => {
  const { queue, pauses } = queueOf('REPLICA_UNAVAILABLE', 'REPLICA_UNAVAILABLE', 'worked');
  await vi.advanceTimersByTimeAsync(0);
  queue.wake();
  await vi.advanceTimersByTimeAsync(499);
  expect(pauses).toEqual([500]);
  await vi.advanceTimersByTimeAsync(1);
  expect(pauses).toEqual([500, 1000]);
  queue.startDrain(7);
  await vi.advanceTimersByTimeAsync(0);
  expect(queue.failures).toBe(0);
});

test.for<[ErrorCode, number]>([
  ['REPLICA_UNAUTHENTICATED', 7],
  ['REPLICA_PERMISSION_DENIED', 7],
  ['REPLICA_DESTINATION_NOT_FOUND', 7],
  ['REPLICA_UNAVAILABLE', 61],
])('%s is tried %i times in a drain of 30 s', async ([code, tries]) => {
  const { queue, pauses } = queueOf(...Array.from({ length: 100 }, () => code));
  queue.startDrain(500);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(pauses).toHaveLength(tries);
});

test('a pause doubles up to half a minute, and is shortened by up to half at random', () => {
  const pauseMs = (failures: number, fraction: number): number =>
    backoffMs(failures, { fraction: () => fraction, bits64: () => 1n });
  const longest = [1, 2, 3, 6, 7, 8, 100, 10_000].map((failures) => pauseMs(failures, 1));
  expect(longest).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  expect([1, 2, 7].map((failures) => pauseMs(failures, 0))).toEqual([250, 500, 15_000]);
  expect(pauseMs(7, 0.5)).toBe(22_500);
});

test('a pause ends early on request, and the next one is longer all the same', async () => {
  const { queue, pauses } = queueOf('REPLICA_UNAVAILABLE', 'REPLICA_UNAVAILABLE', 'worked');
  await vi.advanceTimersByTimeAsync(0);
  queue.retryNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(pauses).toEqual([500, 1_000]);
});

test('failures count as a refusal only while another queue writes files', async () => {
  const failures = Array.from({ length: 6 }, () => 'REPLICA_UNAVAILABLE' as const);
  const { queue, pauses } = queueOf(...failures, 'worked', ...failures);
  const until = async (count: number): Promise<number> => {
    while (pauses.length < count) await vi.advanceTimersByTimeAsync(100);
    return queue.failingBeside.failures;
  };
  expect(await until(3)).toBe(0);
  queue.otherWrote();
  expect(await until(5)).toBe(2);
  const other = { ...queue.failure, message: 'another' } as UploadFailure;
  queue.outageEnded(other);
  expect(await until(6)).toBe(1);
  queue.clearFailure();
  expect(await until(9)).toBe(0);
});
