import { describe, expect, test } from 'vitest';

import type { Capabilities } from '../../src/store/backend.ts';
import { checked } from '../../src/store/policy/checked.ts';
import type { LTXFileInfo, ReplicaClient } from '../../src/store/client.ts';
import { bodyOf, bytesOf, error, memory, readAll, ref, withCode } from './fixtures.ts';
import { FakeClock } from './fake-clock.ts';

const ALL: Capabilities = { ranges: true, ifAbsent: 'any-size' };

interface Setup {
  readonly client: ReplicaClient;
  readonly closing: AbortController;
  readonly clock: FakeClock;
}

function check(inner: ReplicaClient, capabilities = ALL): Setup {
  const clock = new FakeClock();
  const closing = new AbortController();
  const options = { name: 'mem', capabilities, clock, closing: closing.signal };
  return { client: checked(inner, options), closing, clock };
}

/** A client whose methods are those given, and which must not be asked for others. */
function only(methods: Partial<ReplicaClient>): ReplicaClient {
  const never = (): never => {
    throw new Error('nothing must be sent');
  };
  return { listFiles: never, openFile: never, writeFile: never, deleteFiles: never, ...methods };
}

function listing(...files: [level: number, min: number, max?: number][]): ReplicaClient {
  const now = new Date();
  const infos = files.map(([level, min, max]): LTXFileInfo => ({
    ...ref(level, min, max),
    sizeBytes: 1,
    modifiedAt: now,
  }));
  return only({
    async *listFiles() {
      yield* infos;
    },
  });
}

describe('arguments are judged before anything is sent', () => {
  const { client } = check(only({}));

  test.each([10, -1, 1.5, Number.NaN])('level %d', (level) => {
    expect(() => client.listFiles(level)).toThrow('invariant broken');
  });

  test('TXIDs the wrong way round', async () => {
    await expect(client.openFile(ref(0, 2, 1))).rejects.toThrow('invariant broken');
    await expect(client.writeFile(ref(0, 2, 1), bodyOf(bytesOf(1)))).rejects.toThrow(
      'invariant broken',
    );
    await expect(client.deleteFiles([ref(0, 2, 1)])).rejects.toThrow('invariant broken');
  });

  test.each([{ start: -1 }, { start: 2, end: 1 }, { start: 0.5 }, { start: Number.NaN }])(
    'range %j',
    async (range) => {
      await expect(client.openFile(ref(0, 1), { range })).rejects.toThrow('invariant broken');
    },
  );

  test('a size that is none', async () => {
    const body = { ...bodyOf(bytesOf(1)), sizeBytes: -1 };
    await expect(client.writeFile(ref(0, 1), body)).rejects.toThrow('invariant broken');
  });

  test('deleting nothing asks nobody', async () => {
    await expect(client.deleteFiles([])).resolves.toBeUndefined();
  });
});

describe('what is not claimed never reaches the backend', () => {
  const unsupported = withCode('REPLICA_UNSUPPORTED');
  const condition = 'if-absent';

  test('conditions', async () => {
    const { client } = check(only({}), {});
    await expect(client.writeFile(ref(0, 1), bodyOf(bytesOf(1)), { condition })).rejects.toEqual(
      unsupported,
    );
  });

  test('conditions beyond the size up to which they hold', async () => {
    const { client } = check(memory().client, { ifAbsent: { sizeMax: 10 } });
    await expect(
      client.writeFile(ref(0, 1), bodyOf(bytesOf(10)), { condition }),
    ).resolves.toBeDefined();
    await expect(client.writeFile(ref(0, 2), bodyOf(bytesOf(11)), { condition })).rejects.toEqual(
      unsupported,
    );
  });

  test('sizes', async () => {
    const { client } = check(memory().client, { sizeMax: 10 });
    await expect(client.writeFile(ref(0, 1), bodyOf(bytesOf(10)))).resolves.toBeDefined();
    await expect(client.writeFile(ref(0, 1), bodyOf(bytesOf(11)))).rejects.toEqual(unsupported);
  });

  test('copying is there if and only if the backend copies', async () => {
    const { client } = memory();
    await client.writeFile(ref(0, 1), bodyOf(bytesOf(5)));
    await check(client).client.copyFile?.(ref(0, 1), ref(1, 1));
    expect(await readAll(client, ref(1, 1))).toEqual(bytesOf(5));
    expect(check(only({})).client).not.toHaveProperty('copyFile');
  });
});

describe('listings that are not to be trusted end in an error', () => {
  const untrusted = withCode('REPLICA_UNKNOWN');

  test.each([
    ['out of order', listing([0, 2], [0, 1]), 0],
    ['maxTXID out of order', listing([0, 1, 3], [0, 1, 2]), 0],
    ['the same file twice', listing([0, 1], [0, 1]), 0],
    ['another level', listing([1, 1]), 0],
    ['out of order within a level of all', listing([0, 2], [1, 1], [0, 1]), 'all'],
  ] as const)('%s', async (_what, inner, level) => {
    const { client } = check(inner);
    await expect(Array.fromAsync(client.listFiles(level))).rejects.toEqual(untrusted);
  });

  test('levels may come in any order, and between each other', async () => {
    const { client } = check(listing([9, 1, 4], [0, 1], [1, 1], [0, 2]));
    expect(await Array.fromAsync(client.listFiles('all'))).toHaveLength(4);
  });

  test('"from" is held even if the backend takes no notice', async () => {
    const { client } = check(listing([0, 1], [0, 2], [0, 3]));
    const files = await Array.fromAsync(client.listFiles(0, { from: ref(0, 2).minTXID }));
    expect(files.map((file) => file.minTXID)).toEqual([2n, 3n]);
  });
});

describe('reads give what was asked for', () => {
  const truncated = withCode('REPLICA_TRUNCATED');
  const outOfRange = withCode('REPLICA_RANGE');

  async function written(sizeBytes: number): Promise<ReplicaClient> {
    const { client } = memory();
    await client.writeFile(ref(0, 1), bodyOf(bytesOf(sizeBytes)));
    return client;
  }

  test('or say that bytes are missing, or too many', async () => {
    const short = only({ openFile: async () => ({ sizeBytes: 10, body: one(bytesOf(9)) }) });
    await expect(readAll(check(short).client, ref(0, 1))).rejects.toEqual(truncated);
    const long = only({ openFile: async () => ({ sizeBytes: 10, body: one(bytesOf(11)) }) });
    await expect(readAll(check(long).client, ref(0, 1))).rejects.toEqual(
      withCode('REPLICA_UNKNOWN'),
    );
  });

  test('an empty range is answered, if the file is there', async () => {
    const { client } = check(await written(100));
    for (const range of [
      { start: 0, end: 0 },
      { start: 100, end: 100 },
      { start: 100 },
      { start: 100, end: 200 },
    ]) {
      expect(await readAll(client, ref(0, 1), { range })).toEqual(bytesOf(0));
    }
    await expect(client.openFile(ref(0, 1), { range: { start: 101, end: 101 } })).rejects.toEqual(
      outOfRange,
    );
    const missing = client.openFile(ref(0, 2), { range: { start: 5, end: 5 } });
    await expect(missing).rejects.toEqual(withCode('REPLICA_NOT_FOUND'));
  });

  test.each(['refuses', 'answers with nothing'])(
    'a start at the end is no error where a server %s it',
    async (how) => {
      const inner = await written(100);
      const server = only({
        async openFile(file, options) {
          const { start } = options?.range ?? { start: 0 };
          if (start < 100) return await inner.openFile(file, options);
          if (how === 'refuses') throw error('REPLICA_RANGE');
          return { sizeBytes: 100, body: one(bytesOf(0)) };
        },
      });
      const { client } = check(server);
      expect(await readAll(client, ref(0, 1), { range: { start: 100 } })).toEqual(bytesOf(0));
      await expect(client.openFile(ref(0, 1), { range: { start: 101 } })).rejects.toEqual(
        outOfRange,
      );
    },
  );

  test('another version than the one asked for is not read', async () => {
    const deaf = only({
      openFile: async () => ({ sizeBytes: 1, version: 'b', body: one(bytesOf(1)) }),
    });
    const opened = check(deaf).client.openFile(ref(0, 1), { version: 'a' });
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
    const { client } = check(only({ openFile: async () => ({ sizeBytes: 1_000, body: body() }) }));
    for await (const _ of (await client.openFile(ref(0, 1))).body) break;
    expect(ended).toBe(1);
  });
});

describe('writes', () => {
  test('a source of the wrong size fails, however the backend takes it', async () => {
    const greedy = only({
      async writeFile(file, body) {
        for await (const _ of body.open());
        return { ...file, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
      },
    });
    const { client } = check(greedy);
    const short = { ...bodyOf(bytesOf(9)), sizeBytes: 10 };
    await expect(client.writeFile(ref(0, 1), short)).rejects.toEqual(withCode('LTX_TRUNCATED'));
    const long = { ...bodyOf(bytesOf(11)), sizeBytes: 10 };
    await expect(client.writeFile(ref(0, 1), long)).rejects.toEqual(withCode('LTX_INVALID'));
  });

  test("a source's own error is told, not the backend's about it", async () => {
    const failure = new Error('the disk of the source is gone');
    const vague = only({
      async writeFile(_file, body) {
        try {
          for await (const _ of body.open());
        } catch {
          // An SDK tells that the request was aborted.
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
    await expect(check(vague).client.writeFile(ref(0, 1), source)).rejects.toBe(failure);
  });

  test('an answer that tells another file or size is not believed', async () => {
    const modifiedAt = new Date();
    const short = only({ writeFile: async (file) => ({ ...file, sizeBytes: 5, modifiedAt }) });
    const written = check(short).client.writeFile(ref(0, 1), bodyOf(bytesOf(9)));
    await expect(written).rejects.toEqual(withCode('REPLICA_TRUNCATED'));
    const other = only({ writeFile: async () => ({ ...ref(0, 2), sizeBytes: 9, modifiedAt }) });
    const wrong = check(other).client.writeFile(ref(0, 1), bodyOf(bytesOf(9)));
    await expect(wrong).rejects.toEqual(withCode('REPLICA_UNKNOWN'));
  });
});

describe('errors', () => {
  test('of ours pass, others become REPLICA_UNKNOWN with their cause', async () => {
    const ours = error('REPLICA_FULL');
    const theirs = new Error('socket hang up');
    const failing = (cause: Error): ReplicaClient =>
      only({ deleteFiles: () => Promise.reject(cause) });
    await expect(check(failing(ours)).client.deleteFiles([ref(0, 1)])).rejects.toBe(ours);
    const named = check(failing(theirs)).client.deleteFiles([ref(0, 1)]);
    await expect(named).rejects.toMatchObject({ code: 'REPLICA_UNKNOWN', cause: theirs });
    await expect(named).rejects.toThrow('delete 1 files at mem: socket hang up');
  });
});

describe('aborts', () => {
  const reason = new Error('not wanted');
  const hanging = only({
    writeFile: () => Promise.withResolvers<never>().promise,
    openFile: () => Promise.withResolvers<never>().promise,
    deleteFiles: () => Promise.withResolvers<never>().promise,
  });
  const calls: [string, (client: ReplicaClient, signal?: AbortSignal) => Promise<unknown>][] = [
    ['writeFile', (client, signal) => client.writeFile(ref(0, 1), bodyOf(bytesOf(1)), { signal })],
    ['openFile', (client, signal) => client.openFile(ref(0, 1), { signal })],
    ['deleteFiles', (client, signal) => client.deleteFiles([ref(0, 1)], { signal })],
  ];

  test.each(calls)(
    '%s rejects with the reason within a second, though the backend hangs',
    async (_name, call) => {
      const { client, clock } = check(hanging);
      const controller = new AbortController();
      const ended = call(client, controller.signal);
      controller.abort(reason);
      await expect(clock.run(ended)).rejects.toBe(reason);
      expect(clock.now()).toBeLessThan(1_000);
    },
  );

  test.each(calls)('%s sends nothing once its signal is aborted', async (_name, call) => {
    await expect(call(check(only({})).client, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test.each(calls)(
    '%s rejects with REPLICA_CLOSED when the destination closes',
    async (_name, call) => {
      const { client, clock, closing } = check(hanging);
      const closed = error('REPLICA_CLOSED');
      const ended = call(client);
      closing.abort(closed);
      await expect(clock.run(ended)).rejects.toBe(closed);
    },
  );

  test('what the backend says of an abort is not passed on', async () => {
    const controller = new AbortController();
    const own = only({
      deleteFiles: async () => {
        controller.abort(reason);
        throw new DOMException('The operation was aborted', 'AbortError');
      },
    });
    const ended = check(own).client.deleteFiles([ref(0, 1)], { signal: controller.signal });
    await expect(ended).rejects.toBe(reason);
  });
});

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
