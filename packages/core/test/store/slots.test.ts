/** Slots as attempts hold them (retry.ts). */

import { expect, test } from 'vitest';

import type { RetryPolicy } from '../../src/store/policy/attempts.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { sleep } from '../../src/store/timers.ts';
import { Limiter } from '../../src/store/policy/limit.ts';
import { retry, retryObjects } from '../../src/store/policy/retry.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { bodyOf, bytesOf, fakePolicy, memory, readAll, ref } from './fixtures.ts';

function withSlots(client: ReplicaClient, slots: number, options: Partial<RetryPolicy> = {}) {
  const fake = fakePolicy({ slots: new Limiter(slots), ...options });
  return { ...fake, limited: retry(client, 'memory://db', fake.policy) };
}

test('streams that are read hold no slot', async () => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5_000)));
  const { limited } = withSlots(client, 1);
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
  const counting = async <T>(work: () => Promise<T>): Promise<T> => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    atOnce -= 1;
    return await work();
  };
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5)));
  const { limited } = withSlots(
    {
      ...client,
      async *listFiles(level) {
        yield* await counting(async () => client.listFiles(level));
      },
      openFile: (...given) => counting(() => client.openFile(...given)),
      writeFile: (...given) => counting(() => client.writeFile(...given)),
      deleteFiles: (...given) => counting(() => client.deleteFiles(...given)),
    },
    3,
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => [
      limited.openFile(ref(0, 1)),
      limited.writeFile(ref(1, index + 1), bodyOf(bytesOf(5))),
      limited.deleteFiles([ref(2, 1)]),
      Array.fromAsync(limited.listFiles(0)),
    ]).flat(),
  );
  expect(most).toBe(3);
});

test('whoever waits for a slot is neither silent nor stalled', async () => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5)));
  const { limited, clock, events, policy } = withSlots(client, 1, { stallMs: 100, silenceMs: 100 });
  const objects = retryObjects(
    memoryDestination().objects?.('db') ?? expect.unreachable(),
    'memory://db',
    policy,
  );
  // Ten times as long as anything may be silent.
  const holding = policy.slots.run(undefined, () => sleep(clock, 1_000));
  const waiting = Promise.all([
    Array.fromAsync(limited.listFiles(0)),
    readAll(limited, ref(0, 1)),
    limited.writeFile(ref(0, 2), bodyOf(bytesOf(5))),
    objects.put('lock.json', bytesOf(3)),
    Array.fromAsync(objects.list('')),
  ]);
  await clock.run(holding);
  expect(await waiting).toHaveLength(5);
  expect(events).toEqual([]);
});

test('a call that never ends keeps its slot until it has, though nobody waits for it', async () => {
  const { client } = memory();
  const { promise: hanging, resolve: end } = Promise.withResolvers<void>();
  const slots = new Limiter(1);
  const { limited, clock } = withSlots({ ...client, deleteFiles: () => hanging }, 1, {
    slots,
    silenceMs: 100,
    attemptsMax: 1,
  });
  const failing = limited.deleteFiles([ref(0, 1)]);
  let ran = false;
  const other = slots.run(undefined, async () => void (ran = true));
  await expect(clock.run(failing)).rejects.toThrow('nothing came back');
  expect(ran).toBe(false);
  end();
  await other;
  expect(ran).toBe(true);
});
