import { expect, test } from 'vitest';
import { Destination } from '../../src/replica/destination.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { FakeClock } from './fake-clock.ts';

const SIZE = 100_000;

async function bucket(
  clock: FakeClock,
  readBytesPerSecond: number | undefined,
): Promise<Destination> {
  const client = memoryClient();
  for (const key of ['a', 'b']) await client.put(key, bodyFromBytes(new Uint8Array(SIZE)));
  return new Destination(client, { access: 'read', readBytesPerSecond, clock });
}

async function readAll(
  { client }: Destination,
  key: string,
  signal?: AbortSignal,
): Promise<number> {
  const { body } = await client.get(key, { signal });
  let sizeBytes = 0;
  for await (const chunk of body) sizeBytes += chunk.length;
  return sizeBytes;
}

test('all reads together stay within the limit, and every byte arrives', async () => {
  const clock = new FakeClock();
  const destination = await bucket(clock, 50_000);
  const both = Promise.all([readAll(destination, 'a'), readAll(destination, 'b')]);
  expect(await clock.run(both)).toEqual([SIZE, SIZE]);
  expect(clock.monotonic()).toBeCloseTo(4_000, -1);
});

test('a local file is not opened past the limit', () => {
  const client = {
    ...memoryClient(),
    openLocal: () => Promise.resolve({ sizeBytes: 0, descriptor: 0, close: async () => undefined }),
  };
  const open = new Destination(client).replica('');
  const limited = new Destination(client, { readBytesPerSecond: 1 }).replica('');
  expect([typeof open.openLocalFile, typeof limited.openLocalFile]).toEqual([
    'function',
    'undefined',
  ]);
});

test('without a limit nothing waits', async () => {
  const clock = new FakeClock();
  expect(await readAll(await bucket(clock, undefined), 'a')).toBe(SIZE);
  expect(clock.monotonic()).toBe(0);
});

test('an abort ends the wait', async () => {
  const clock = new FakeClock();
  const destination = await bucket(clock, 1);
  const controller = new AbortController();
  const reading = readAll(destination, 'a', controller.signal);
  controller.abort(new Error('stop'));
  await expect(reading).rejects.toThrow('stop');
});
