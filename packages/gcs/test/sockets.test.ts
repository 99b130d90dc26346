import { expect, test } from 'vitest';
import { Sockets, SOCKETS_MAX, type Hold } from '../src/sockets.ts';

async function takeAll(sockets: Sockets): Promise<Hold[]> {
  return await Promise.all(Array.from({ length: SOCKETS_MAX }, () => sockets.take([])));
}

/** Whether a promise has settled once all that can happen without time has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, turn])) === pending;
}

test('who comes when all are taken waits for one to be released, in order', async () => {
  const sockets = new Sockets();
  const [first, second] = await takeAll(sockets);
  const waiting = [sockets.take([]), sockets.take([])] as const;
  expect(await isPending(waiting[0])).toBe(true);
  first?.release();
  first?.release(); // once is enough
  await waiting[0];
  expect(await isPending(waiting[1])).toBe(true);
  second?.release();
  await waiting[1];
});

test('a stream that nobody reads is parked when another waits, the longest idle first', async () => {
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

test('a stream that is being read is not parked, and nothing is without need', async () => {
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

test('an abort while waiting takes none, and the next in line has it', async () => {
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
