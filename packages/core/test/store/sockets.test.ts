import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Sockets, SOCKETS_MAX, type Hold } from '../../src/store/http/sockets.ts';

async function takeAll(sockets: Sockets): Promise<Hold[]> {
  return await Promise.all(Array.from({ length: SOCKETS_MAX }, () => sockets.take([])));
}

/** Whether a promise has settled after everything that does not wait for time. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, turn])) === pending;
}

test('requests wait for a free socket, in order', async () => {
  const sockets = new Sockets();
  const [first, second] = await takeAll(sockets);
  const waiting = [sockets.take([]), sockets.take([])] as const;
  expect(await isPending(waiting[0])).toBe(true);
  first?.release();
  first?.release(); // the second release has no effect
  await waiting[0];
  expect(await isPending(waiting[1])).toBe(true);
  second?.release();
  await waiting[1];
});

test('a stream that nobody reads is parked if others wait, the longest idle first', async () => {
  const sockets = new Sockets();
  const holds = await takeAll(sockets);
  const parked: number[] = [];
  for (const [index, hold] of holds.entries()) {
    hold.idle(() => {
      parked.push(index);
      hold.release();
    });
  }
  holds[0]?.busy();
  const [one, two] = await Promise.all([sockets.take([]), sockets.take([])]);
  expect(parked).toEqual([1, 2]);
  one.release();
  two.release();
});

test('a stream that is being read is not parked, and none is parked without need', async () => {
  const sockets = new Sockets();
  const holds = await takeAll(sockets);
  const parked: Hold[] = [];
  for (const hold of holds) {
    hold.idle(() => parked.push(hold));
    hold.busy();
  }
  const waiting = sockets.take([AbortSignal.timeout(300)]);
  await expect(waiting).rejects.toThrow(/timeout/);
  expect(parked).toEqual([]);
});

test('an abort while waiting takes no socket, and the next request gets it', async () => {
  const sockets = new Sockets();
  const [hold] = await takeAll(sockets);
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const aborted = sockets.take([undefined, controller.signal]);
  const next = sockets.take([]);
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  hold?.release();
  await next;
  await expect(sockets.take([AbortSignal.abort(reason)])).rejects.toBe(reason);
});

describe('a stream that has used up its turn', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Counts how often it was parked. */
  async function reading(sockets: Sockets): Promise<{ next: () => void; parked: () => number }> {
    const hold = await sockets.take([]);
    let parked = 0;
    const next = (): void => {
      hold.busy();
      hold.idle(() => {
        parked += 1;
        hold.release();
      });
    };
    vi.advanceTimersByTime(5_000); // the time to open it does not count
    next();
    hold.busy();
    return { next, parked: () => parked };
  }

  test('is parked between two reads if another request waits', async () => {
    const sockets = new Sockets();
    const { next, parked } = await reading(sockets);
    const others = Array.from({ length: SOCKETS_MAX }, () => sockets.take([]));
    vi.advanceTimersByTime(999);
    next();
    expect(parked()).toBe(0);
    vi.advanceTimersByTime(1);
    next();
    expect(parked()).toBe(1);
    await Promise.all(others);
  });

  test('continues if nobody waits', async () => {
    const { next, parked } = await reading(new Sockets());
    vi.advanceTimersByTime(5_000);
    next();
    expect(parked()).toBe(0);
  });
});
