/** Failures and retries of an upload queue. */

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ReplicationError, type ErrorCode } from '../../src/error.ts';
import { UploadQueue, type StepResult } from '../../src/replicate/destination/upload-queue.ts';
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
