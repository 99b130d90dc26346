import { describe, expect, test } from 'vitest';

import { isError } from '../../src/error.ts';
import { Destination } from '../../src/replica/destination.ts';
import { CLOSE_MS_MAX, type ReplicaClient } from '../../src/store/client.ts';
import { plain } from '../support/files-view.ts';
import { chaos, type Fault } from '../../src/store/chaos.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { Replica } from '../../src/replica/replica.ts';
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

function chaotic(inner: ReplicaClient, ...faults: readonly Fault[]): ReplicaClient {
  return chaos(inner, ...faults).client;
}

describe('a wrapped destination', () => {
  test('recovers from faults of the network', async () => {
    const { clock, events, policy } = fakePolicy();
    const unavailable = error('REPLICA_UNAVAILABLE');
    const flaky = chaotic(
      memoryClient({ chunkBytes: 1_000 }),
      { on: 'put', at: 'commit', error: unavailable },
      { on: 'get', after: 1, at: 2, error: 'end' },
      { on: 'list', after: 1, at: 1, error: unavailable },
      { on: 'delete', error: unavailable },
    );
    const replica = new Destination(flaky, policy).replica('db');
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

  test('reads ranges without support by the backend, and resumes them', async () => {
    const { clock, policy } = fakePolicy();
    const inner = memoryClient({ chunkBytes: 1_000, capabilities: {} });
    const bytes = bytesOf(5_000);
    await new Replica(inner, 'db').writeFile(ref(0, 1), bodyOf(bytes));
    const flaky = chaotic(inner, { on: 'get', at: 3, error: error('REPLICA_UNAVAILABLE') });
    const destination = new Destination(flaky, policy);
    expect(destination.capabilities.ranges).toBeUndefined();
    for (const range of [{ start: 0 }, { start: 1_500, end: 4_100 }, { start: 4_999 }]) {
      const read = readAll(destination.replica('db'), ref(0, 1), { range });
      expect(await clock.run(read)).toEqual(bytes.slice(range.start, range.end));
    }
  });

  test('reads only to the end of a range without support by the backend', async () => {
    let given = 0;
    const inner = memoryClient({ capabilities: {} });
    const counting: ReplicaClient = {
      ...plain(inner),
      async get() {
        const body = async function* (): AsyncGenerator<Uint8Array> {
          for (; given < 100; given += 1) yield bytesOf(10);
        };
        return { sizeBytes: 1_000, body: body() };
      },
    };
    const range = { start: 15, end: 25 };
    const read = readAll(new Destination(counting).replica('db'), ref(0, 1), { range });
    expect((await read).byteLength).toBe(10);
    expect(given).toBeLessThan(4);
  });

  test('shares one limit among its replicas', async () => {
    const inner = memoryClient();
    let atOnce = 0;
    let most = 0;
    const slow: ReplicaClient = {
      ...plain(inner),
      async put(...given) {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        atOnce -= 1;
        return await inner.put(...given);
      },
    };
    const destination = new Destination(slow, { callsMax: 2 });
    const writes = ['a', 'b', 'c', 'd', 'e'].map((path) =>
      destination.replica(path).writeFile(ref(0, 1), bodyOf(bytesOf(9))),
    );
    await Promise.all(writes);
    expect(most).toBe(2);
  });

  test('stores small objects by name, and refuses invalid names before anything is sent', async () => {
    const store = new MemoryStore();
    const { objects } = new Destination(memoryClient({ store })).replica('db');
    await objects.put('lock.json', Buffer.from('x'));
    const entries = await Array.fromAsync(objects.list(''));
    expect(entries.map((entry) => entry.name)).toEqual(['lock.json']);
    const F = '0000000000000001-0000000000000001.ltx';
    const wrong = [
      '',
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/./b',
      'LOCK',
      'a b',
      `0000/${F}`,
      `ltx/0/${F}`,
    ];
    for (const name of wrong) {
      const put = objects.put(name, Buffer.from('x'));
      await expect(put).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
    }
    const large = Buffer.alloc(1_048_577);
    await expect(objects.put('large', large)).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
    expect([...store.objects.keys()]).toEqual(['db/lock.json']);
  });

  test('refuses conditions that are not claimed', async () => {
    const { objects } = new Destination(memoryClient({ capabilities: {} })).replica('db');
    for (const condition of ['if-absent', { version: 'v1' }] as const) {
      const put = objects.put('lock.json', Buffer.from('x'), { condition });
      await expect(put).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
    }
    const stale = objects.delete('lock.json', { version: 'v1' });
    await expect(stale).rejects.toEqual(withCode('REPLICA_UNSUPPORTED'));
  });
});

describe('closing', () => {
  test('ends calls that wait for a retry, and works with "await using"', async () => {
    const { clock, policy } = fakePolicy();
    const down = error('REPLICA_UNAVAILABLE');
    let write: Promise<unknown> | undefined;
    {
      await using destination = new Destination(
        chaotic(memoryClient(), { on: 'put', times: 99, error: down }),
        policy,
      );
      write = destination.replica('db').writeFile(ref(0, 1), bodyOf(bytesOf(9)));
      write.catch(() => undefined);
      await Promise.resolve();
    }
    await expect(clock.run(write)).rejects.toEqual(withCode('REPLICA_CLOSED'));
    expect(clock.now()).toBeLessThan(1_000);
  });

  test('fails if the backend does not close in time', async () => {
    const { clock, policy } = fakePolicy();
    const hanging = {
      ...plain(memoryClient()),
      close: () => Promise.withResolvers<never>().promise,
    };
    const closed = clock.run(new Destination(hanging, policy).close());
    await expect(closed).rejects.toThrow(`not closed in ${CLOSE_MS_MAX} ms`);
    expect(clock.now()).toBe(CLOSE_MS_MAX);
  });

  test('leaves no listener on long-lived signals', async () => {
    const { signal, count } = countListeners();
    const destination = new Destination(memoryClient({ chunkBytes: 10 }));
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
