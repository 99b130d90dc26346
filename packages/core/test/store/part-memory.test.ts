import { expect, test } from 'vitest';
import { PartMemory } from '../../src/store/http/part-memory.ts';

/** Whether a promise has settled after everything that does not wait for time. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, turn])) === pending;
}

test('a request that does not fit waits until enough memory is released', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(6, []);
  await budget.take(4, []);
  const third = budget.take(5, []);
  expect(await isPending(third)).toBe(true);
  giveBack();
  await third;
});

test('requests are granted in order: a small one does not overtake a large one', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(8, []);
  const large = budget.take(9, []);
  const small = budget.take(1, []);
  expect(await isPending(small)).toBe(true);
  giveBack();
  await Promise.all([large, small]);
});

test('a request above the budget waits for the whole budget', async () => {
  const budget = new PartMemory(10);
  const giveBackSmall = await budget.take(1, []);
  const huge = budget.take(100, []);
  expect(await isPending(huge)).toBe(true);
  giveBackSmall();
  const giveBack = await huge;
  const next = budget.take(1, []);
  expect(await isPending(next)).toBe(true);
  giveBack();
  await next;
});

test('releasing twice releases once', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(10, []);
  giveBack();
  giveBack();
  await budget.take(10, []);
  expect(await isPending(budget.take(1, []))).toBe(true);
});

test('an abort while waiting takes nothing, and the next request is granted', async () => {
  const budget = new PartMemory(10);
  await budget.take(5, []);
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const aborted = budget.take(8, [undefined, controller.signal]);
  const behind = budget.take(5, []);
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await behind;
  await expect(budget.take(1, [AbortSignal.abort(reason)])).rejects.toBe(reason);
});

test('memory is reused for the same size, by one part at a time', () => {
  const budget = new PartMemory(10);
  const memory = budget.borrow(5);
  expect(memory.byteLength).toBe(5);
  budget.recycle(memory);
  expect(budget.borrow(5)).toBe(memory);
  expect(budget.borrow(5)).not.toBe(memory);
  budget.recycle(memory);
  expect(budget.borrow(6).byteLength).toBe(6);
});
