/** The client that encrypts: what is stored, what is read, and what becomes of damaged objects. */

import { describe, expect, test } from 'vitest';
import {
  Encryption,
  type EncryptionKeys,
  parseIdentities,
  problemWithRecipient,
} from '../../src/encryption/age.ts';
import { EncryptedClient } from '../../src/encryption/encrypted-client.ts';
import { seal } from '../../src/encryption/sealed-body.ts';
import { systemFiles } from '../../src/file-system.ts';
import { isError, ReplicationError } from '../../src/error.ts';
import { Destination } from '../../src/replica/destination.ts';
import { bodyFromBytes, readBytes } from '../../src/store/body.ts';
import type { ObjectBody, ObjectInfo, ReplicaClient } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { chaos } from '../../src/store/chaos.ts';
import { bodyOf, bytesOf, fakePolicy } from '../store/fixtures.ts';
import { decryptWith, newKeys } from './keys.ts';

const KEY = 'db/ltx/0/0000000000000001-0000000000000001.ltx';
const CHUNK_BYTES = 65_536;
const SIZE_MAX = 10_000_000;
const [ours, theirs] = await Promise.all([newKeys(), newKeys()]);

function open(
  keys: EncryptionKeys,
  store = new MemoryStore(),
): { store: MemoryStore; client: ReplicaClient } {
  const stored = memoryClient({ store, chunkBytes: 10_000 });
  return { store, client: new EncryptedClient(stored, new Encryption(keys)) };
}

async function read(
  client: ReplicaClient,
  range?: { start: number; end: number },
): Promise<Buffer> {
  const { body } = await client.get(KEY, { range });
  return Buffer.from(await readBytes(body, SIZE_MAX));
}

function stored(store: MemoryStore): Uint8Array {
  return store.objects.get(KEY)?.bytes ?? new Uint8Array(0);
}

function replace(store: MemoryStore, bytes: Uint8Array): void {
  store.put(KEY, bytes, { modifiedAt: new Date() });
}

describe('an LTX file', () => {
  test.for([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 2_500_000])(
    'of %i bytes is one age file, and is read back',
    async (sizeBytes) => {
      const { store, client } = open(ours.reader);
      const bytes = bytesOf(sizeBytes);
      const info = await client.put(KEY, bodyOf(bytes, 100_000));
      expect(info.sizeBytes).toBe(stored(store).length);
      expect(Buffer.compare(await decryptWith(ours.identity, stored(store)), bytes)).toBe(0);
      const opened = await client.get(KEY);
      expect(opened).toMatchObject({ sizeBytes, storedBytes: info.sizeBytes });
      expect(Buffer.compare(await readBytes(opened.body, SIZE_MAX), bytes)).toBe(0);
    },
  );

  test('is read in ranges, and no further than their ends', async () => {
    const { store, client } = open(ours.reader);
    const bytes = bytesOf(5 * CHUNK_BYTES);
    await client.put(KEY, bodyOf(bytes));
    for (const [start, end] of [
      [0, 100],
      [10, 65_540],
      [bytes.length - 16, bytes.length],
      [70_000, 70_001],
    ] as const) {
      expect(await read(client, { start, end })).toEqual(Buffer.from(bytes.subarray(start, end)));
    }
    // The last chunk is damaged, but the first one is read.
    replace(store, flip(stored(store), stored(store).length - 1));
    expect(await read(client, { start: 0, end: 100 })).toHaveLength(100);
    await expect(client.get(KEY, { range: { start: 1_000_000 } })).rejects.toMatchObject({
      code: 'REPLICA_RANGE',
    });
  });

  test('can be decrypted by each of several recipients', async () => {
    const both = { recipients: [ours.recipient, theirs.recipient] };
    const { store, client } = open(both);
    await client.put(KEY, bodyOf(bytesOf(1_000)));
    for (const { reader } of [ours, theirs]) {
      expect(await read(open(reader, store).client)).toHaveLength(1_000);
    }
  });

  test('is not written without a recipient', async () => {
    const { store, client } = open({ recipients: [] });
    await expect(client.put(KEY, bodyOf(bytesOf(10)))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(store.objects.size).toBe(0);
  });

  test('whose source fails is not written', async () => {
    const { store, client } = open(ours.writer);
    const failing: ObjectBody = {
      ...bodyOf(bytesOf(1_000)),
      // oxlint-disable-next-line require-yield
      async *open() {
        throw new Error('the disk is broken');
      },
    };
    await expect(client.put(KEY, failing)).rejects.toThrow('the disk is broken');
    const short = { ...bodyOf(bytesOf(1_000)), sizeBytes: 1_001 };
    await expect(client.put(KEY, short)).rejects.toMatchObject({ code: 'LTX_TRUNCATED' });
    expect(store.objects.size).toBe(0);
  });
});

test('a write whose source hangs ends when it is aborted', async () => {
  const { store, client } = open(ours.writer);
  const opened = Promise.withResolvers<void>();
  const hanging: ObjectBody = {
    ...bodyOf(bytesOf(1_000)),
    async *open() {
      yield bytesOf(10);
      opened.resolve();
      await new Promise(() => undefined);
    },
  };
  for (const end of ['abort', 'close'] as const) {
    const abort = new AbortController();
    const writing = client.put(KEY, hanging, { signal: abort.signal });
    const failed = expect(writing).rejects.toMatchObject(
      end === 'abort' ? { name: 'AbortError' } : { code: 'REPLICA_CLOSED' },
    );
    await opened.promise;
    if (end === 'abort') abort.abort();
    else await client.close();
    await failed;
  }
  expect(store.objects.size).toBe(0);
});

describe('a reader', () => {
  test('without an identity, or with another one, gets one clear error', async () => {
    const { store, client } = open(ours.writer);
    await client.put(KEY, bodyOf(bytesOf(1_000)));
    const code = 'REPLICA_NO_IDENTITY';
    await expect(client.get(KEY)).rejects.toMatchObject({
      code,
      message: /no identity is configured/,
    });
    const other = open(theirs.reader, store).client;
    await expect(other.get(KEY)).rejects.toMatchObject({ code, message: /no identity fits/ });
  });

  test('never shows a text that is not an identity', async () => {
    const { store, client } = open(ours.writer);
    await client.put(KEY, bodyOf(bytesOf(1_000)));
    const wrong = { recipients: [], identities: async () => ['AGE-SECRET-KEY-1SECRET'] };
    const error: unknown = await open(wrong, store)
      .client.get(KEY)
      .catch((thrown: unknown) => thrown);
    expect(isError(error, 'CONFIG_INVALID')).toBe(true);
    expect(String(error)).not.toContain('1SECRET');
  });

  test('that waits for identities can be aborted', async () => {
    const { store, client } = open(ours.writer);
    await client.put(KEY, bodyOf(bytesOf(1_000)));
    const asked = Promise.withResolvers<void>();
    const identities = async (): Promise<string[]> => {
      asked.resolve();
      return await new Promise(() => undefined);
    };
    const abort = new AbortController();
    const waiting = open({ recipients: [], identities }, store).client;
    const reading = expect(waiting.get(KEY, { signal: abort.signal })).rejects.toThrow('enough');
    await asked.promise;
    abort.abort(new Error('enough'));
    await reading;
  });

  test('gets plain objects as they are', async () => {
    const { client, store } = open(ours.reader);
    replace(store, bytesOf(1_000));
    expect(await client.get(KEY)).toMatchObject({ sizeBytes: 1_000 });
    expect(await read(client, { start: 5, end: 9 })).toEqual(
      Buffer.from(bytesOf(1_000).subarray(5, 9)),
    );
    await client.put('db/lock.json', bodyFromBytes(Buffer.from('{}')));
    expect(Buffer.from(store.objects.get('db/lock.json')?.bytes ?? []).toString()).toBe('{}');
  });

  test('that leaves early frees the connection', async () => {
    const { store } = open(ours.writer);
    await open(ours.writer, store).client.put(KEY, bodyOf(bytesOf(3 * CHUNK_BYTES)));
    for (const leave of ['before the first chunk', 'after the first chunk'] as const) {
      let freed = 0;
      const bare = memoryClient({ store });
      const watching: ReplicaClient = {
        ...forwarded(bare),
        async get(key, options) {
          const opened = await bare.get(key, options);
          return { ...opened, body: counting(opened.body, () => (freed += 1)) };
        },
      };
      const client = new EncryptedClient(watching, new Encryption(ours.reader));
      const { body } = await client.get(KEY);
      const chunks = body[Symbol.asyncIterator]();
      if (leave === 'after the first chunk') await chunks.next();
      await chunks.return?.();
      expect(freed, leave).toBeGreaterThan(0);
    }
  });
});

describe('a damaged object', () => {
  const cuts = [0, 10, 30, 100, 200, 300, CHUNK_BYTES, CHUNK_BYTES + 232, 2 * CHUNK_BYTES];

  test.for(cuts)('cut to %i bytes is never read to its end', async (sizeBytes) => {
    const { store, client } = open(ours.reader);
    await client.put(KEY, bodyOf(bytesOf(2.5 * CHUNK_BYTES)));
    replace(store, stored(store).subarray(0, sizeBytes));
    const bytes = await read(client).catch((error: unknown) => error);
    // Without the start of an age file it is returned as it is, for the decoder to refuse.
    if (sizeBytes < 20) expect(bytes).toHaveLength(sizeBytes);
    else expect(bytes).toMatchObject({ code: 'LTX_INVALID' });
  });

  test('with any flipped bit is refused', async () => {
    const { store, client } = open(ours.reader);
    await client.put(KEY, bodyOf(bytesOf(1_000)));
    const whole = stored(store);
    const plain = Buffer.from(bytesOf(1_000));
    for (let at = 0; at < whole.length; at++) {
      replace(store, flip(whole, at));
      const seen = await read(client).catch((error: unknown) => error);
      if (at < 19) expect(seen, `${at}`).not.toEqual(plain);
      else
        expect(['LTX_INVALID', 'REPLICA_NO_IDENTITY'], `${at}`).toContain(
          (seen as { code?: string }).code,
        );
    }
  });

  test('whose header never ends does not fill the memory', async () => {
    const { store, client } = open(ours.reader);
    replace(store, Buffer.from(`age-encryption.org/v1\n-> X25519 ${'A'.repeat(1_000_000)}`));
    await expect(read(client)).rejects.toMatchObject({ code: 'LTX_INVALID' });
  });
});

test('a private key given as a recipient is refused, and not shown', async () => {
  const problem = await problemWithRecipient(ours.identity);
  expect(problem).toMatch(/^a private key is no recipient/);
  expect(problem).not.toContain(ours.identity);
});

test.for([
  ['# created: 2026-01-31\n# public key: age1x\nA\n', ['A']],
  ['\ufeff# of the office, offline\r\n\r\n  A  \r\nB', ['A', 'B']],
  ['A,B\r# C, D\r', ['A', 'B']],
  ['A, B ,\n, ', ['A', 'B']],
  [' # A, B', []],
] as const)('the identities in %j are %j', ([text, identities]) => {
  expect(parseIdentities(text)).toEqual(identities);
});

test('an error of the network is not blamed on the object', async () => {
  const { store, client } = open(ours.writer);
  await client.put(KEY, bodyOf(bytesOf(3 * CHUNK_BYTES)));
  const bare = memoryClient({ store });
  const cut: ReplicaClient = {
    ...forwarded(bare),
    async get(key, options) {
      const opened = await bare.get(key, options);
      return { ...opened, body: failing(opened.body) };
    },
  };
  const reader = new EncryptedClient(cut, new Encryption(ours.reader));
  await expect(read(reader)).rejects.toMatchObject({ message: 'the connection was lost' });
});

test('a write whose answer was lost is recognized by its ciphertext', async () => {
  const { clock, policy } = fakePolicy();
  const store = new MemoryStore();
  const { client: lossy } = chaos(memoryClient({ store }), {
    ...({ on: 'put', at: 'commit' } as const),
    error: new ReplicationError('REPLICA_UNAVAILABLE', 'the answer was lost'),
  });
  const encryption = new Encryption(ours.reader);
  const destination = new Destination(lossy, { ...policy, encryption });
  const place = { files: systemFiles, file: '/nowhere' };
  const put = async (): Promise<ObjectInfo> => {
    const body = await seal(encryption, bodyOf(bytesOf(5_000)), place);
    return await clock.run(destination.client.put(KEY, body, { condition: 'if-absent' }));
  };
  expect(await put()).toMatchObject({ sizeBytes: stored(store).length });
  expect(destination.capabilities.ranges).toBeUndefined();
  // Another encryption of the same file is not the same object.
  await expect(put()).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
});

function forwarded(client: ReplicaClient): ReplicaClient {
  return {
    name: client.name,
    layout: client.layout,
    capabilities: client.capabilities,
    list: (prefix, options) => client.list(prefix, options),
    get: (key, options) => client.get(key, options),
    put: (key, body, options) => client.put(key, body, options),
    delete: (keys, options) => client.delete(keys, options),
    close: () => client.close(),
  };
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function counting(body: AsyncIterable<Uint8Array>, onFreed: () => void): AsyncIterable<Uint8Array> {
  const inner = body[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => inner.next(),
      async return() {
        onFreed();
        return (await inner.return?.()) ?? { done: true, value: undefined };
      },
    }),
  };
}

async function* failing(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const chunk of body) {
    if ((count += 1) > 1) throw new Error('the connection was lost');
    yield chunk;
  }
}
