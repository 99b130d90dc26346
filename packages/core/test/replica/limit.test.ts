import { expect, test } from 'vitest';

import { limit, Limiter } from '../../src/replica/limit.ts';
import { bodyOf, bytesOf, memory, readAll, ref } from './fixtures.ts';

/** Work that ends when it is told to. */
function gate(): { work: () => Promise<void>; open: () => void; started: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let started = false;
  return {
    work: () => ((started = true), promise),
    open: resolve,
    started: () => started,
  };
}

test('so many run at once, and the others in the order of asking', async () => {
  const limiter = new Limiter(2);
  const gates = [gate(), gate(), gate(), gate()];
  const running = gates.map(({ work }) => limiter.run(undefined, work));
  const started = (): boolean[] => gates.map((each) => each.started());
  await Promise.resolve();
  expect(started()).toEqual([true, true, false, false]);
  gates[1]?.open();
  await running[1];
  await Promise.resolve(); // the slot is handed over in the next turn
  expect(started()).toEqual([true, true, true, false]);
  for (const each of gates) each.open();
  await Promise.all(running);
  expect(started()).toEqual([true, true, true, true]);
});

test('a failure gives its slot back', async () => {
  const limiter = new Limiter(1);
  await expect(limiter.run(undefined, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  await expect(limiter.run(undefined, async () => 'ran')).resolves.toBe('ran');
});

test('an abort while waiting takes no slot, and loses none', async () => {
  const limiter = new Limiter(1);
  const first = gate();
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const running = limiter.run(undefined, first.work);
  const aborted = limiter.run(controller.signal, async () => 'ran');
  const last = limiter.run(undefined, async () => 'ran');
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  first.open();
  await running;
  await expect(last).resolves.toBe('ran');
  await expect(limiter.run(AbortSignal.abort(reason), async () => 'ran')).rejects.toBe(reason);
  await expect(limiter.run(undefined, async () => 'ran')).resolves.toBe('ran');
});

test('streams that are read hold no slot', async () => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5_000)));
  const limited = limit(client, new Limiter(1));
  const first = await limited.openFile(ref(0, 1));
  const second = await limited.openFile(ref(0, 1));
  const iterator = first.body[Symbol.asyncIterator]();
  await iterator.next();
  expect(Buffer.concat(await Array.fromAsync(second.body)).byteLength).toBe(5_000);
  for await (const file of limited.listFiles(0)) {
    expect(await readAll(limited, file)).toEqual(bytesOf(5_000));
  }
});

test('all kinds of calls share the slots', async () => {
  const { client } = memory();
  let atOnce = 0;
  let most = 0;
  const counting = async <T>(work: Promise<T>): Promise<T> => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    const result = await work;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    atOnce -= 1;
    return result;
  };
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5)));
  const limited = limit(
    {
      ...client,
      listFiles: (level) => client.listFiles(level),
      openFile: (...given) => counting(client.openFile(...given)),
      writeFile: (...given) => counting(client.writeFile(...given)),
      deleteFiles: (...given) => counting(client.deleteFiles(...given)),
    },
    new Limiter(3),
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => [
      limited.openFile(ref(0, 1)),
      limited.writeFile(ref(1, index + 1), bodyOf(bytesOf(5))),
      limited.deleteFiles([ref(2, 1)]),
    ]).flat(),
  );
  expect(most).toBe(3);
});
