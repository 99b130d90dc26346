/** What core makes of one more vendor's requests: a bucket in memory, whose pages are short. */

import { Readable } from 'node:stream';
import type { ReplicaClient } from '@sluice/core';
import { Budget, keyedDestination, MemoryStore, ReplicationError, Work, type ErrorCode, type StoreCall, type KeyedStore, type KeyedUpload } from '@sluice/core/backend';
import { sendInParts, sendWhole, type RequestOptions, type WhenAborted } from '@sluice/core/backend/http';

import { describeConformance, type Conformance } from './suite.ts';

const PART_BYTES = 100_000;
const PAGE_KEYS = 300;
const CHUNK_BYTES = 1_000;

const bucket: Conformance = {
  name: 'a bucket that deletes many at once',
  layout: 'tree',
  capabilities: { ranges: true, conditions: 'any-size' },
  objects: 'claimed',
  copy: 'claimed',
  hooks: ['raw', 'vanish'],
  partSizeBytes: PART_BYTES,
  secrets: [],
  async open() {
    const store = new MemoryStore();
    let paths = 0;
    return {
      connect: async () => connect(store),
      newPath: () => `replica-${(paths += 1)}`,
      raw: {
        put: async (key, bytes) => void store.put(key, bytes, { modifiedAt: new Date() }),
        keys: async (prefix) => store.keys(prefix),
      },
      async vanish() {
        store.exists = false;
        return async () => void (store.exists = true);
      },
      stop: async () => store.objects.clear(),
    };
  },
};

describeConformance(bucket);

function connect(memory: MemoryStore): ReplicaClient {
  const work = new Work('bucket://b');
  const sending = { work, budget: new Budget(4 * PART_BYTES) };
  /** A turn of the loop each, as a request takes. */
  const answered = async <Answer>(call: StoreCall, answer: () => Answer): Promise<Answer> => {
    await new Promise((resolve) => setImmediate(resolve));
    if (!memory.exists) throw refused(call, 'DESTINATION_NOT_FOUND', 'no such bucket');
    return answer();
  };
  const optionsOf = (call: StoreCall, whenAborted: WhenAborted): RequestOptions => {
    const toError = (error: unknown): ReplicationError => refused(call, 'UNKNOWN', String(error));
    return { signals: [call.signal], whenAborted, toError };
  };
  const send = async <Answer>(
    call: StoreCall,
    whenAborted: WhenAborted,
    answer: () => Answer,
  ): Promise<Answer> =>
    await work.request(optionsOf(call, whenAborted), () => answered(call, answer));
  const find = (key: string, call: StoreCall & { readonly version?: string | undefined }) => {
    const found = memory.objects.get(key);
    if (found === undefined) throw refused(call, 'NOT_FOUND', 'no such key');
    if ((call.version ?? found.version) === found.version) return found;
    throw refused(call, 'CONFLICT', `${found.version} is there`);
  };
  const commit = (of: KeyedUpload, bytes: Uint8Array) => {
    const { condition, createdAt, key } = of;
    if (typeof condition === 'object') find(key, { ...of, version: condition.version });
    const isThere = memory.objects.has(key);
    if (condition === 'if-absent' && isThere) throw refused(of, 'CONFLICT', 'it is there');
    return memory.put(key, bytes, { modifiedAt: new Date(), ...(createdAt && { createdAt }) });
  };
  const store: KeyedStore = {
    name: 'bucket://b',
    layout: 'tree',
    capabilities: { ranges: true, conditions: 'any-size' },
    work,
    listPage: async ({ prefix, startAfter, startAt, pageToken, ...call }) =>
      await send(call, 'cut', () => {
        const after = pageToken ?? startAfter ?? startAt ?? '';
        const keys = memory.keys(prefix).filter((key) => key >= after);
        const objects = keys.slice(0, PAGE_KEYS).map((key) => {
          const { bytes, ...rest } = find(key, call);
          return { key, sizeBytes: bytes.byteLength, ...rest };
        });
        return { objects, nextPageToken: keys[PAGE_KEYS] };
      }),
    open: async (key, call) =>
      await work.open(optionsOf(call, 'cut'), () =>
        answered(call, () => {
          const { bytes, modifiedAt, version } = find(key, call);
          const { start = 0, end } = call.range ?? {};
          if (call.range !== undefined && start >= bytes.byteLength) {
            throw refused(call, 'RANGE', `it has ${bytes.byteLength} bytes`);
          }
          const stream = Readable.from(inChunks(bytes.subarray(start, end)));
          return { sizeBytes: bytes.byteLength, modifiedAt, version, stream };
        }),
      ),
    bodyError: (error, what) => refused({ what }, 'UNAVAILABLE', String(error)),
    async put(of) {
      if (of.body.sizeBytes <= PART_BYTES) {
        return await sendWhole(sending, of, (bytes) => send(of, 'settle', () => commit(of, bytes)));
      }
      const limits = { partSizeBytes: PART_BYTES, partsMax: 1_000 };
      const parts = await sendInParts(sending, limits, of, (bytes, _, over) =>
        // Memory of a part is used again.
        send({ what: of.what, signal: over }, 'cut', () => Uint8Array.from(bytes)),
      );
      return await send(of, 'settle', () => commit(of, Buffer.concat(parts)));
    },
    delete: async (key, call) =>
      await send(call, 'settle', () => {
        find(key, call);
        memory.objects.delete(key);
      }),
    batches: {
      keysMax: 1_000,
      delete: async (keys, call) =>
        await send(call, 'settle', () => {
          for (const key of keys) memory.objects.delete(key);
          return [];
        }),
    },
    copy: async (from, to, call) =>
      await send(call, 'settle', () => {
        const { bytes, createdAt } = find(from, call);
        const times = { modifiedAt: new Date(), ...(createdAt && { createdAt }) };
        return { sizeBytes: bytes.byteLength, ...memory.put(to, bytes, times) };
      }),
    close: () => undefined,
  };
  return keyedDestination(store);
}

function* inChunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES) {
    yield bytes.slice(offset, offset + CHUNK_BYTES);
  }
}

type Refused = ErrorCode extends infer Code
  ? Code extends `REPLICA_${infer Rest}`
    ? Rest
    : never
  : never;

function refused({ what }: Pick<StoreCall, 'what'>, code: Refused, said: string): ReplicationError {
  return new ReplicationError(`REPLICA_${code}`, `${what}: ${said}`);
}
