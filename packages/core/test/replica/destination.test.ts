import { describe, expect, test } from 'vitest';

import { isError } from '../../src/error.ts';
import { CLOSE_MS_MAX, type Destination } from '../../src/store/backend.ts';
import { deleteAll } from '../../src/replica/delete-all.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { MemoryStore } from '../../src/store/memory-place.ts';
import { wrapDestination } from '../../src/replica/destination.ts';
import { chaos, type Fault } from '../../src/store/chaos.ts';
import {
  bodyOf,
  bytesOf,
  countListeners,
  error,
  fakePolicy,
  readAll,
  ref,
  withCode,
} from '../store/fixtures.ts';

function chaotic(inner: Destination, ...faults: readonly Fault[]): Destination {
  return { ...inner, replica: (path) => chaos(inner.replica(path), ...faults).client };
}

describe('a wrapped destination', () => {
  test('mends what a network does', async () => {
    const { clock, events, policy } = fakePolicy();
    const unavailable = error('REPLICA_UNAVAILABLE');
    const flaky = chaotic(
      memoryDestination({ chunkBytes: 1_000 }),
      { on: 'writeFile', at: 'commit', error: unavailable },
      { on: 'openFile', after: 1, at: 2, error: 'end' },
      { on: 'listFiles', after: 1, at: 1, error: unavailable },
      { on: 'deleteFiles', error: unavailable },
    );
    const replica = wrapDestination(flaky, policy).replica('db');
    const bytes = bytesOf(5_000);
    const round = async (): Promise<void> => {
      await replica.writeFile(ref(0, 1), bodyOf(bytes), { condition: 'if-absent' });
      await replica.writeFile(ref(0, 2), bodyOf(bytes));
      expect(await readAll(replica, ref(0, 1))).toEqual(bytes);
      expect(await readAll(replica, ref(0, 1))).toEqual(bytes);
      expect(await Array.fromAsync(replica.listFiles(0))).toHaveLength(2);
      await replica.deleteFiles([ref(0, 1)]);
    };
    await clock.run(round());
    expect(events.map(({ error: { code } }) => code).toSorted()).toEqual([
      'REPLICA_TRUNCATED',
      'REPLICA_UNAVAILABLE',
      'REPLICA_UNAVAILABLE',
      'REPLICA_UNAVAILABLE',
    ]);
    expect(clock.pending).toBe(0);
  });

  test('reads ranges where the backend has none, and resumes them', async () => {
    const { clock, policy } = fakePolicy();
    const inner = memoryDestination({ chunkBytes: 1_000, capabilities: {} });
    const bytes = bytesOf(5_000);
    await inner.replica('db').writeFile(ref(0, 1), bodyOf(bytes));
    const flaky = chaotic(inner, { on: 'openFile', at: 3, error: error('REPLICA_UNAVAILABLE') });
    const destination = wrapDestination(flaky, policy);
    expect(destination.capabilities.ranges).toBeUndefined();
    for (const range of [{ start: 0 }, { start: 1_500, end: 4_100 }, { start: 4_999 }]) {
      const read = readAll(destination.replica('db'), ref(0, 1), { range });
      expect(await clock.run(read)).toEqual(bytes.slice(range.start, range.end));
    }
  });

  test('reads no further than a range goes where the backend has none', async () => {
    let given = 0;
    const inner = memoryDestination({ capabilities: {} });
    const counting: Destination = {
      ...inner,
      replica: (path) => ({
        ...chaos(inner.replica(path)).client,
        async openFile() {
          const body = async function* (): AsyncGenerator<Uint8Array> {
            for (; given < 100; given += 1) yield bytesOf(10);
          };
          return { sizeBytes: 1_000, body: body() };
        },
      }),
    };
    const range = { start: 15, end: 25 };
    const read = readAll(wrapDestination(counting).replica('db'), ref(0, 1), { range });
    expect((await read).byteLength).toBe(10);
    expect(given).toBeLessThan(4);
  });

  test('shares one limiter among its replicas and objects', async () => {
    const inner = memoryDestination();
    let atOnce = 0;
    let most = 0;
    const slow: Destination = {
      ...inner,
      replica(path) {
        const client = inner.replica(path);
        return {
          ...chaos(client).client,
          async writeFile(...given) {
            atOnce += 1;
            most = Math.max(most, atOnce);
            await new Promise((resolve) => {
              setImmediate(resolve);
            });
            atOnce -= 1;
            return await client.writeFile(...given);
          },
        };
      },
    };
    const destination = wrapDestination(slow, { callsMax: 2 });
    const writes = ['a', 'b', 'c', 'd', 'e'].map((path) =>
      destination.replica(path).writeFile(ref(0, 1), bodyOf(bytesOf(9))),
    );
    await Promise.all(writes);
    expect(most).toBe(2);
  });

  test('has objects if and only if the backend has', async () => {
    const memory = memoryDestination();
    const without: Destination = {
      name: memory.name,
      capabilities: memory.capabilities,
      replica: (path) => memory.replica(path),
      close: () => memory.close(),
    };
    expect(wrapDestination(without)).not.toHaveProperty('objects');
    const objects = wrapDestination(memory).objects?.('db');
    await objects?.put('lock.json', Buffer.from('x'));
    const entries = await Array.fromAsync(objects?.list('') ?? []);
    expect(entries.map((entry) => entry.name)).toEqual(['lock.json']);
    await expect(objects?.put('LOCK', Buffer.from('x'))).rejects.toEqual(
      withCode('REPLICA_UNSUPPORTED'),
    );
    const large = Buffer.alloc(1_048_577);
    await expect(objects?.put('large', large)).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
  });

  test('refuses conditions on objects that are not claimed', async () => {
    const objects = wrapDestination(memoryDestination({ capabilities: {} })).objects?.('db');
    const put = objects?.put('lock.json', Buffer.from('x'), { condition: 'if-absent' });
    await expect(put).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
  });
});

describe('closing', () => {
  test('ends what waits between two attempts, and is there for "await using"', async () => {
    const { clock, policy } = fakePolicy();
    const down = error('REPLICA_UNAVAILABLE');
    let write: Promise<unknown> | undefined;
    {
      await using destination = wrapDestination(
        chaotic(memoryDestination(), { on: 'writeFile', times: 99, error: down }),
        policy,
      );
      write = destination.replica('db').writeFile(ref(0, 1), bodyOf(bytesOf(9)));
      write.catch(() => undefined);
      await Promise.resolve();
    }
    await expect(clock.run(write)).rejects.toEqual(withCode('REPLICA_CLOSED'));
    expect(clock.now()).toBeLessThan(1_000);
  });

  test('says so when the backend does not end', async () => {
    const { clock, policy } = fakePolicy();
    const hanging = { ...memoryDestination(), close: () => Promise.withResolvers<never>().promise };
    const closed = clock.run(wrapDestination(hanging, policy).close());
    await expect(closed).rejects.toThrow(`not closed in ${CLOSE_MS_MAX} ms`);
    expect(clock.now()).toBe(CLOSE_MS_MAX);
  });

  test('leaves no listener on signals that live on', async () => {
    const { signal, count } = countListeners();
    const destination = wrapDestination(memoryDestination({ chunkBytes: 10 }));
    const replica = destination.replica('db');
    await replica.writeFile(ref(0, 1), bodyOf(bytesOf(100)), { signal });
    await readAll(replica, ref(0, 1), { signal });
    for await (const _ of (await replica.openFile(ref(0, 1), { signal })).body) break;
    await Array.fromAsync(replica.listFiles(0, { signal }));
    await replica.deleteFiles([ref(0, 1)], { signal });
    const missing = await replica.openFile(ref(0, 1), { signal }).catch((e: unknown) => e);
    expect(isError(missing, 'REPLICA_NOT_FOUND')).toBe(true);
    expect(count()).toBe(0);
  });
});

test('deleting all takes the LTX files of a replica, and nothing else', async () => {
  const store = new MemoryStore();
  const destination = wrapDestination(memoryDestination({ store }));
  const replica = destination.replica('db');
  for (let txid = 1; txid <= 1_003; txid += 1) {
    await replica.writeFile(ref(0, txid), bodyOf(bytesOf(1)));
  }
  await replica.writeFile(ref(9, 1, 7), bodyOf(bytesOf(1)));
  await destination.replica('db/other').writeFile(ref(0, 1), bodyOf(bytesOf(1)));
  await destination.objects?.('db').put('lock.json', Buffer.from('x'));
  expect(await deleteAll(replica)).toBe(1_004);
  expect([...store.objects.keys()].toSorted()).toEqual([
    'db/lock.json',
    'db/other/ltx/0/0000000000000001-0000000000000001.ltx',
  ]);
  expect(await deleteAll(replica)).toBe(0);
});
