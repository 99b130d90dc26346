import { expect, test } from 'vitest';
import { Destination } from '../../src/replica/destination.ts';
import { bodyFromBytes, readBytes } from '../../src/store/body.ts';
import { memoryClient } from '../../src/store/memory.ts';
import type { RateLimits } from '../../src/store/policy/limit-rate.ts';
import { FakeClock } from './fake-clock.ts';

const SIZE = 100_000;
const BYTES = new Uint8Array(SIZE).map((_, index) => index % 251);

function limited(clock: FakeClock, limits: RateLimits): Destination {
  return new Destination(memoryClient(), { limits, clock });
}

test('all uploads together stay within the limit, and every byte arrives', async () => {
  const clock = new FakeClock();
  const { client } = limited(clock, { uploadBytesPerSecond: 50_000 });
  const both = Promise.all(['a', 'b'].map((key) => client.put(key, bodyFromBytes(BYTES))));
  await clock.run(both);
  // The last piece of a body is not waited for.
  expect(clock.monotonic()).toBeGreaterThan(3_500);
  expect(clock.monotonic()).toBeLessThanOrEqual(4_000);
  const { body } = await client.get('b');
  expect(Buffer.compare(await readBytes(body, SIZE), BYTES)).toBe(0);
});

test('reads are not slowed by a limit of uploads', async () => {
  const clock = new FakeClock();
  const { client } = limited(clock, { uploadBytesPerSecond: SIZE });
  await clock.run(client.put('a', bodyFromBytes(BYTES)));
  const before = clock.monotonic();
  const { body } = await client.get('a');
  await readBytes(body, SIZE);
  expect(clock.monotonic()).toBe(before);
});

test('calls of all kinds are evenly spaced', async () => {
  const clock = new FakeClock();
  const { client } = limited(clock, { requestsPerSecond: 2 });
  const calls = async (): Promise<void> => {
    await client.put('a', bodyFromBytes(BYTES));
    await client.get('a');
    for await (const { key } of client.list('')) expect(key).toBe('a');
    await client.delete(['a']);
    await client.put('b', bodyFromBytes(BYTES));
  };
  await clock.run(calls());
  expect(clock.monotonic()).toBe(2_000);
});

test('an abort ends the wait', async () => {
  const clock = new FakeClock();
  const { client } = limited(clock, { requestsPerSecond: 1 });
  await client.delete([]);
  const controller = new AbortController();
  const deleting = client.delete(['a'], { signal: controller.signal });
  controller.abort(new Error('stop'));
  await expect(deleting).rejects.toThrow('stop');
});
