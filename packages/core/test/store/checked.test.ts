import { describe, expect, test } from 'vitest';

import type { Capabilities, ObjectInfo, ReplicaClient } from '../../src/store/client.ts';
import { checked } from '../../src/store/policy/checked.ts';
import { bodyOf, bytesOf, error, memory, readKey, at, withCode } from './fixtures.ts';
import { plain } from '../support/files-view.ts';
import { FakeClock } from './fake-clock.ts';

const ALL: Capabilities = { ranges: true, conditions: 'any-size', sortedLists: true };

interface Setup {
  readonly client: ReplicaClient;
  readonly clock: FakeClock;
}

function check(inner: ReplicaClient, capabilities = ALL): Setup {
  const clock = new FakeClock();
  return { client: checked({ ...plain(inner), capabilities }, { clock }), clock };
}

/** A client with the given methods. Other methods must not be called. */
function only(methods: Partial<ReplicaClient>): ReplicaClient {
  const never = (): never => {
    throw new Error('nothing must be sent');
  };
  return {
    name: 'mem',
    capabilities: ALL,
    list: never,
    get: never,
    put: never,
    delete: never,
    close: async () => undefined,
    ...methods,
  };
}

function listing(...keys: string[]): ReplicaClient {
  const infos = keys.map((key): ObjectInfo => ({ key, sizeBytes: 1, modifiedAt: new Date() }));
  return only({
    async *list() {
      yield* infos;
    },
  });
}

describe('arguments are checked before anything is sent', () => {
  const { client } = check(only({}));

  test('an empty key', async () => {
    await expect(client.get('')).rejects.toThrow('invariant broken');
    await expect(client.put('', bodyOf(bytesOf(1)))).rejects.toThrow('invariant broken');
    await expect(client.delete([''])).rejects.toThrow('invariant broken');
  });

  test.each([{ start: -1 }, { start: 2, end: 1 }, { start: 0.5 }, { start: Number.NaN }])(
    'range %j',
    async (range) => {
      await expect(client.get(at(0, 1), { range })).rejects.toThrow('invariant broken');
    },
  );

  test('an invalid size', async () => {
    const body = { ...bodyOf(bytesOf(1)), sizeBytes: -1 };
    await expect(client.put(at(0, 1), body)).rejects.toThrow('invariant broken');
  });

  test('a delete without keys sends nothing', async () => {
    await expect(client.delete([])).resolves.toBeUndefined();
  });
});

describe('unclaimed capabilities are refused before the backend', () => {
  const unsupported = withCode('REPLICA_UNSUPPORTED');
  const condition = 'if-absent';

  test('conditions', async () => {
    const { client } = check(only({}), {});
    await expect(client.put(at(0, 1), bodyOf(bytesOf(1)), { condition })).rejects.toEqual(
      unsupported,
    );
  });

  test('conditions above the claimed size', async () => {
    const { client } = check(memory().client, { conditions: { sizeMax: 10 } });
    await expect(client.put(at(0, 1), bodyOf(bytesOf(10)), { condition })).resolves.toBeDefined();
    await expect(client.put(at(0, 2), bodyOf(bytesOf(11)), { condition })).rejects.toEqual(
      unsupported,
    );
  });

  test('conditions on versions', async () => {
    const { client } = check(only({}));
    const condition = { version: 'v1' };
    const put = client.put(at(0, 1), bodyOf(bytesOf(1)), { condition });
    await expect(put).rejects.toEqual(unsupported);
    await expect(client.delete([at(0, 1)], condition)).rejects.toEqual(unsupported);
  });

  test('sizes', async () => {
    const { client } = check(memory().client, { sizeMax: 10 });
    await expect(client.put(at(0, 1), bodyOf(bytesOf(10)))).resolves.toBeDefined();
    await expect(client.put(at(0, 1), bodyOf(bytesOf(11)))).rejects.toEqual(unsupported);
  });

  test('copy exists if and only if the backend has it', async () => {
    const { client } = memory();
    await client.put(at(0, 1), bodyOf(bytesOf(5)));
    await check(client).client.copy?.(at(0, 1), at(1, 1));
    expect(await readKey(client, at(1, 1))).toEqual(bytesOf(5));
    expect(check(only({})).client).not.toHaveProperty('copy');
  });
});

describe('invalid listings end with an error', () => {
  const untrusted = withCode('REPLICA_UNKNOWN');

  test.each([
    ['out of order', listing('a/2', 'a/1')],
    ['the same key twice', listing('a/1', 'a/1')],
    ['another prefix', listing('b/1')],
    ['out of order by bytes, though not by code units', listing('a/\u{1F600}', 'a/\uFFFD')],
  ] as const)('%s', async (_what, inner) => {
    const { client } = check(inner);
    await expect(Array.fromAsync(client.list('a/'))).rejects.toEqual(untrusted);
  });

  test('except for the order, if it is not claimed', async () => {
    const { client } = check(listing('a/2', 'a/1'), {});
    expect(await Array.fromAsync(client.list('a/'))).toHaveLength(2);
  });

  test('"startAfter" is respected even if the backend ignores it', async () => {
    const { client } = check(listing('a/1', 'a/2', 'a/3'));
    const objects = await Array.fromAsync(client.list('a/', { startAfter: 'a/1' }));
    expect(objects.map(({ key }) => key)).toEqual(['a/2', 'a/3']);
  });
});

describe('reads return the requested bytes', () => {
  const truncated = withCode('REPLICA_TRUNCATED');
  const outOfRange = withCode('REPLICA_RANGE');

  async function written(sizeBytes: number): Promise<ReplicaClient> {
    const { client } = memory();
    await client.put(at(0, 1), bodyOf(bytesOf(sizeBytes)));
    return client;
  }

  test('or fail if there are too few or too many', async () => {
    const short = only({ get: async () => ({ sizeBytes: 10, body: one(bytesOf(9)) }) });
    await expect(readKey(check(short).client, at(0, 1))).rejects.toEqual(truncated);
    const long = only({ get: async () => ({ sizeBytes: 10, body: one(bytesOf(11)) }) });
    await expect(readKey(check(long).client, at(0, 1))).rejects.toEqual(
      withCode('REPLICA_UNKNOWN'),
    );
  });

  test('an empty range succeeds if the file exists', async () => {
    const { client } = check(await written(100));
    for (const range of [
      { start: 0, end: 0 },
      { start: 100, end: 100 },
      { start: 100 },
      { start: 100, end: 200 },
    ]) {
      expect(await readKey(client, at(0, 1), { range })).toEqual(bytesOf(0));
    }
    await expect(client.get(at(0, 1), { range: { start: 101, end: 101 } })).rejects.toEqual(
      outOfRange,
    );
    const missing = client.get(at(0, 2), { range: { start: 5, end: 5 } });
    await expect(missing).rejects.toEqual(withCode('REPLICA_NOT_FOUND'));
  });

  test.each(['refuses', 'answers with nothing'])(
    'a start at the end of the file is not an error if the server %s it',
    async (how) => {
      const inner = await written(100);
      const server = only({
        async get(file, options) {
          const { start } = options?.range ?? { start: 0 };
          if (start < 100) return await inner.get(file, options);
          if (how === 'refuses') throw error('REPLICA_RANGE');
          return { sizeBytes: 100, body: one(bytesOf(0)) };
        },
      });
      const { client } = check(server);
      expect(await readKey(client, at(0, 1), { range: { start: 100 } })).toEqual(bytesOf(0));
      await expect(client.get(at(0, 1), { range: { start: 101 } })).rejects.toEqual(outOfRange);
    },
  );

  test('another version than the requested one is not read', async () => {
    const deaf = only({
      get: async () => ({ sizeBytes: 1, version: 'b', body: one(bytesOf(1)) }),
    });
    const opened = check(deaf).client.get(at(0, 1), { version: 'a' });
    await expect(opened).rejects.toEqual(withCode('REPLICA_CHANGED'));
  });

  test('leaving early ends the stream of the backend', async () => {
    let ended = 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield bytesOf(10);
      } finally {
        ended += 1;
      }
    };
    const { client } = check(only({ get: async () => ({ sizeBytes: 1_000, body: body() }) }));
    for await (const _ of (await client.get(at(0, 1))).body) break;
    expect(ended).toBe(1);
  });
});

describe('writes', () => {
  test('a source with the wrong size fails with every backend', async () => {
    const greedy = only({
      async put(key, body) {
        for await (const _ of body.open());
        return { key, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
      },
    });
    const { client } = check(greedy);
    const short = { ...bodyOf(bytesOf(9)), sizeBytes: 10 };
    await expect(client.put(at(0, 1), short)).rejects.toEqual(withCode('LTX_TRUNCATED'));
    const long = { ...bodyOf(bytesOf(11)), sizeBytes: 10 };
    await expect(client.put(at(0, 1), long)).rejects.toEqual(withCode('LTX_INVALID'));
  });

  test("a source's own error is thrown, not the backend's", async () => {
    const failure = new Error('the disk of the source is gone');
    const vague = only({
      async put(_file, body) {
        try {
          for await (const _ of body.open());
        } catch {
          // An SDK reports an aborted request.
        }
        throw error('REPLICA_UNAVAILABLE');
      },
    });
    const source = {
      ...bodyOf(bytesOf(9)),
      async *open() {
        yield bytesOf(1);
        throw failure;
      },
    };
    await expect(check(vague).client.put(at(0, 1), source)).rejects.toBe(failure);
  });

  test('a response with another file or size is an error', async () => {
    const modifiedAt = new Date();
    const short = only({ put: async (key) => ({ key, sizeBytes: 5, modifiedAt }) });
    const written = check(short).client.put(at(0, 1), bodyOf(bytesOf(9)));
    await expect(written).rejects.toEqual(withCode('REPLICA_TRUNCATED'));
    const other = only({ put: async () => ({ key: at(0, 2), sizeBytes: 9, modifiedAt }) });
    const wrong = check(other).client.put(at(0, 1), bodyOf(bytesOf(9)));
    await expect(wrong).rejects.toEqual(withCode('REPLICA_UNKNOWN'));
  });
});

describe('errors', () => {
  test('with a code pass through, others become REPLICA_UNKNOWN with their cause', async () => {
    const ours = error('REPLICA_FULL');
    const theirs = new Error('socket hang up');
    const failing = (cause: Error): ReplicaClient => only({ delete: () => Promise.reject(cause) });
    await expect(check(failing(ours)).client.delete([at(0, 1)])).rejects.toBe(ours);
    const named = check(failing(theirs)).client.delete([at(0, 1)]);
    await expect(named).rejects.toMatchObject({ code: 'REPLICA_UNKNOWN', cause: theirs });
    await expect(named).rejects.toThrow(`delete ${at(0, 1)} at mem: socket hang up`);
  });
});

describe('aborts', () => {
  const reason = new Error('not wanted');
  const hanging = only({
    put: () => Promise.withResolvers<never>().promise,
    get: () => Promise.withResolvers<never>().promise,
    delete: () => Promise.withResolvers<never>().promise,
  });
  const calls: [string, (client: ReplicaClient, signal?: AbortSignal) => Promise<unknown>][] = [
    ['put', (client, signal) => client.put(at(0, 1), bodyOf(bytesOf(1)), { signal })],
    ['get', (client, signal) => client.get(at(0, 1), { signal })],
    ['delete', (client, signal) => client.delete([at(0, 1)], { signal })],
  ];

  test.each(calls)(
    '%s rejects with the reason within a second if the backend hangs',
    async (_name, call) => {
      const { client, clock } = check(hanging);
      const controller = new AbortController();
      const ended = call(client, controller.signal);
      controller.abort(reason);
      await expect(clock.run(ended)).rejects.toBe(reason);
      expect(clock.now()).toBeLessThan(1_000);
    },
  );

  test.each(calls)('%s sends nothing if its signal is already aborted', async (_name, call) => {
    await expect(call(check(only({})).client, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test.each(calls)('%s rejects with REPLICA_CLOSED when the client closes', async (_name, call) => {
    const { client, clock } = check(hanging);
    const ended = call(client);
    await client.close();
    await expect(clock.run(ended)).rejects.toEqual(withCode('REPLICA_CLOSED'));
  });

  test("the backend's own error for an abort is not passed on", async () => {
    const controller = new AbortController();
    const own = only({
      delete: async () => {
        controller.abort(reason);
        throw new DOMException('The operation was aborted', 'AbortError');
      },
    });
    const ended = check(own).client.delete([at(0, 1)], { signal: controller.signal });
    await expect(ended).rejects.toBe(reason);
  });
});

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
