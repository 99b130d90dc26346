/** Slots held by attempts (retry.ts). */

import { expect, test } from 'vitest';

import type { RetryPolicy } from '../../src/store/policy/attempts.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { sleep } from '../../src/store/abort.ts';
import { Semaphore } from '../../src/store/semaphore.ts';
import { plain } from '../support/files-view.ts';
import { retry } from '../../src/store/policy/retry.ts';
import { bodyOf, bytesOf, fakePolicy, memory, readKey, at } from './fixtures.ts';

function withSlots(client: ReplicaClient, slots: number, options: Partial<RetryPolicy> = {}) {
  const fake = fakePolicy({ slots: new Semaphore(slots), ...options });
  return { ...fake, limited: retry(client, fake.policy) };
}

test('streams that are read hold no slot', async () => {
  const { client } = memory();
  await client.put(at(0, 1), bodyOf(bytesOf(5_000)));
  const { limited } = withSlots(client, 1);
  const first = await limited.get(at(0, 1));
  const second = await limited.get(at(0, 1));
  const iterator = first.body[Symbol.asyncIterator]();
  await iterator.next();
  expect(Buffer.concat(await Array.fromAsync(second.body)).byteLength).toBe(5_000);
  for await (const file of limited.list('db/ltx/0/')) {
    expect(await readKey(limited, file.key)).toEqual(bytesOf(5_000));
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
  await client.put(at(0, 1), bodyOf(bytesOf(5)));
  const { limited } = withSlots(
    {
      ...plain(client),
      async *list(prefix) {
        yield* await counting(async () => client.list(prefix));
      },
      get: (...given) => counting(() => client.get(...given)),
      put: (...given) => counting(() => client.put(...given)),
      delete: (...given) => counting(() => client.delete(...given)),
    },
    3,
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => [
      limited.get(at(0, 1)),
      limited.put(at(1, index + 1), bodyOf(bytesOf(5))),
      limited.delete([at(2, 1)]),
      Array.fromAsync(limited.list('db/ltx/0/')),
    ]).flat(),
  );
  expect(most).toBe(3);
});

test('waiting for a slot counts as neither silence nor a stall', async () => {
  const { client } = memory();
  await client.put(at(0, 1), bodyOf(bytesOf(5)));
  const { limited, clock, events, policy } = withSlots(client, 1, { stallMs: 100, silenceMs: 100 });
  // Ten times the longest allowed silence.
  const holding = policy.slots.run(undefined, () => sleep(clock, 1_000));
  const waiting = Promise.all([
    Array.fromAsync(limited.list('db/ltx/0/')),
    readKey(limited, at(0, 1)),
    limited.put(at(0, 2), bodyOf(bytesOf(5))),
    limited.delete([at(0, 7)]),
  ]);
  await clock.run(holding);
  expect(await waiting).toHaveLength(4);
  expect(events).toEqual([]);
});

test('an abandoned call keeps its slot until it has ended', async () => {
  const { client } = memory();
  const { promise: hanging, resolve: end } = Promise.withResolvers<void>();
  const slots = new Semaphore(1);
  const { limited, clock } = withSlots({ ...plain(client), delete: () => hanging }, 1, {
    slots,
    silenceMs: 100,
    attemptsMax: 1,
  });
  const failing = limited.delete([at(0, 1)]);
  let ran = false;
  const other = slots.run(undefined, async () => void (ran = true));
  await expect(clock.run(failing)).rejects.toThrow('no response for');
  expect(ran).toBe(false);
  end();
  await other;
  expect(ran).toBe(true);
});
