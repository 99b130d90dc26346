import { expect, test } from 'vitest';

import { Semaphore } from '../../src/store/semaphore.ts';
import { quiet } from './fake-clock.ts';

/** Work whose end the test controls. */
function gate(): { work: () => Promise<void>; open: () => void; started: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let started = false;
  return {
    work: () => ((started = true), promise),
    open: resolve,
    started: () => started,
  };
}

test('runs up to its capacity concurrently, and the rest in order', async () => {
  const slots = new Semaphore(2);
  const gates = [gate(), gate(), gate(), gate()];
  const running = gates.map(({ work }) => slots.run(undefined, work));
  const started = (): boolean[] => gates.map((each) => each.started());
  await quiet();
  expect(started()).toEqual([true, true, false, false]);
  gates[1]?.open();
  await running[1];
  await quiet();
  expect(started()).toEqual([true, true, true, false]);
  for (const each of gates) each.open();
  await Promise.all(running);
  expect(started()).toEqual([true, true, true, true]);
});

test('a failure releases its slot', async () => {
  const slots = new Semaphore(1);
  await expect(slots.run(undefined, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  await expect(slots.run(undefined, async () => 'ran')).resolves.toBe('ran');
});

test('an abort while waiting takes no slot, and loses none', async () => {
  const slots = new Semaphore(1);
  const first = gate();
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const running = slots.run(undefined, first.work);
  const aborted = slots.run(controller.signal, async () => 'ran');
  const last = slots.run(undefined, async () => 'ran');
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  first.open();
  await running;
  await expect(last).resolves.toBe('ran');
  await expect(slots.run(AbortSignal.abort(reason), async () => 'ran')).rejects.toBe(reason);
  await expect(slots.run(undefined, async () => 'ran')).resolves.toBe('ran');
});

test('work that throws synchronously releases its slot', async () => {
  const slots = new Semaphore(1);
  const work = (): Promise<void> => {
    throw new Error('at once');
  };
  await expect(slots.run(undefined, work)).rejects.toThrow('at once');
  await expect(slots.run(undefined, async () => 'ran')).resolves.toBe('ran');
});
