import { expect, test } from 'vitest';
import { Containment } from '../../src/store/policy/contained.ts';
import { Destination } from '../../src/replica/destination.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { forward } from '../../src/store/policy/forward.ts';
import { Connection } from '../../src/replicate/destination/connection.ts';

const { signal } = new AbortController();

test('an idle destination reports an escaped error once, and is opened again after that', async () => {
  const containments: Containment[] = [];
  let broken = 0;
  const connection = new Connection({
    open: () => {
      const containment = new Containment('memory');
      containments.push(containment);
      const destination = new Destination(memoryClient(), { containment });
      return Promise.resolve({
        client: destination.replica('db'),
        capabilities: destination.capabilities,
        broken: destination.broken,
      });
    },
    onBroken: () => (broken += 1),
  });
  const first = await connection.open(signal);
  expect(await connection.open(signal)).toBe(first);
  containments[0]?.escaped(new Error('late'));
  expect(broken).toBe(1);
  expect(connection.replica).toBeUndefined();
  await expect(connection.open(signal)).rejects.toThrow(/escaped from its backend: late/);
  expect(await connection.open(signal)).not.toBe(first);
  // A call reports the second error, so it is opened again at once.
  containments[1]?.escaped(new Error('in a call'));
  connection.failed(containments[1]?.broken.reason);
  await connection.open(signal);
  expect(containments).toHaveLength(3);
});

test('a call in flight and a later one fail with the escaped error, also after the close', async () => {
  const containment = new Containment('memory');
  const never = new Promise<never>(() => undefined);
  const bare = { ...forward(memoryClient()), put: () => never };
  const destination = new Destination(bare, { containment });
  const body = { sizeBytes: 0, open: () => (async function* () {})() };
  const message = /an error escaped from its backend: late/;
  const writing = destination.client.put('a', body);
  const refused = expect(writing).rejects.toThrow(message);
  await Promise.resolve();
  containment.escaped(new Error('late'));
  await destination.close();
  await refused;
  await expect(destination.client.get('a')).rejects.toThrow(message);
});
