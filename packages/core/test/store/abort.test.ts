import { getEventListeners } from 'node:events';
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, test } from 'vitest';
import { onAbortOfShared, untilAborted } from '../../src/store/abort.ts';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield new Uint8Array(1_000).fill(index);
}

/** Never yields. */
const hanging: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => await new Promise(() => undefined) }),
};

test('yields the items of the source', async () => {
  const { signal } = new AbortController();
  const given = await Array.fromAsync(untilAborted(chunks(5), signal, undefined));
  expect(given.map((chunk) => chunk[0])).toEqual([0, 1, 2, 3, 4]);
});

test('holds no reference to earlier items', async () => {
  const { signal } = new AbortController();
  const given: WeakRef<Uint8Array>[] = [];
  for await (const chunk of untilAborted(chunks(200), signal)) {
    given.push(new WeakRef(chunk));
    if (given.length < 200) continue;
    await new Promise((resolve) => setImmediate(resolve)); // running code may hold the latest item
    collectGarbage();
    const alive = given.filter((ref) => ref.deref() !== undefined);
    expect(alive.length).toBeLessThan(10);
  }
});

describe('an abort', () => {
  test('ends the wait for a source that hangs', async () => {
    const controller = new AbortController();
    const reason = new Error('not wanted');
    const reading = Array.fromAsync(untilAborted(hanging, undefined, controller.signal));
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test('closes a source that does not hang', async () => {
    const controller = new AbortController();
    const reason = new Error('not wanted');
    let closed = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* chunks(9);
      } finally {
        closed = true;
      }
    };
    const reading = async (): Promise<void> => {
      for await (const _ of untilAborted(source(), controller.signal)) controller.abort(reason);
    };
    await expect(reading()).rejects.toBe(reason);
    await expect.poll(() => closed).toBe(true);
  });
});

test('errors of the source are thrown, and leaving early closes it', async () => {
  const failure = new Error('the disk is gone');
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks(1);
    throw failure;
  };
  await expect(Array.fromAsync(untilAborted(failing()))).rejects.toBe(failure);
  let closed = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks(9);
    } finally {
      closed = true;
    }
  };
  for await (const _ of untilAborted(source())) break;
  expect(closed).toBe(true);
});

test('thousands that wait for a signal are one listener of it, and all of them are called', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const called: number[] = [];
  for (let index = 0; index < 1_000; index++) onAbortOfShared(signal, () => called.push(index));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  controller.abort();
  expect(called).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  onAbortOfShared(signal, () => called.push(1_000));
  expect(called).toHaveLength(1_001); // at once, and only the last one
});
