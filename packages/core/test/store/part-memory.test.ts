import { expect, test } from 'vitest';
import { PartMemory } from '../../src/store/http/part-memory.ts';

/** Whether a promise has settled once all that can happen without time has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, turn])) === pending;
}

test('what does not fit waits until enough is given back', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(6, []);
  await budget.take(4, []);
  const third = budget.take(5, []);
  expect(await isPending(third)).toBe(true);
  giveBack();
  await third;
});

test('the order of asking holds: a small one does not overtake a large one', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(8, []);
  const large = budget.take(9, []);
  const small = budget.take(1, []);
  expect(await isPending(small)).toBe(true);
  giveBack();
  await Promise.all([large, small]);
});

test('more than all there is has the budget for itself', async () => {
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

test('bytes are given back once, however often that is said', async () => {
  const budget = new PartMemory(10);
  const giveBack = await budget.take(10, []);
  giveBack();
  giveBack();
  await budget.take(10, []);
  expect(await isPending(budget.take(1, []))).toBe(true);
});

test('an abort while waiting takes nothing, and lets the next one in', async () => {
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

test('memory is used again for the next of its size, and once at a time', () => {
  const budget = new PartMemory(10);
  const memory = budget.borrow(5);
  expect(memory.byteLength).toBe(5);
  budget.recycle(memory);
  expect(budget.borrow(5)).toBe(memory);
  expect(budget.borrow(5)).not.toBe(memory);
  budget.recycle(memory);
  expect(budget.borrow(6).byteLength).toBe(6);
});
