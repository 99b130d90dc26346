/** Core's HTTP tools with another vendor: a bucket in memory with short pages. */

import { Readable } from 'node:stream';

import { MemoryStore } from '@sluice/core/backend/testing';
import {
  ReplicationError,
  type CallOptions,
  type Capabilities,
  type DeleteOptions,
  type ErrorCode,
  type GetOptions,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';
import {
  checkStored,
  listPages,
  openObject,
  PartMemory,
  Requests,
  sendInParts,
  sendWhole,
  type Call,
  type OpenCall,
  type OpenedStream,
  type Page,
  type RequestOptions,
  type WhenAborted,
} from '@sluice/core/backend/http';

import { describeConformance, type Conformance } from './suite.ts';

const PART_BYTES = 100_000;
const PAGE_KEYS = 300;
const CHUNK_BYTES = 1_000;
const CAPABILITIES: Capabilities = {
  ranges: true,
  conditions: 'any-size',
  versions: true,
  deleteMax: 1_000,
  sortedLists: true,
};

const bucket: Conformance = {
  name: 'a bucket that deletes many at once',
  layout: 'tree',
  capabilities: CAPABILITIES,
  copy: 'claimed',
  hooks: ['raw', 'vanish'],
  partSizeBytes: PART_BYTES,
  secrets: [],
  async open() {
    const store = new MemoryStore();
    let paths = 0;
    return {
      connect: async () => new Bucket(store),
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

class Bucket implements ReplicaClient {
  readonly name = 'bucket://b';
  readonly capabilities = CAPABILITIES;
  readonly #store: MemoryStore;
  readonly #requests = new Requests(this.name);
  readonly #memory = new PartMemory(4 * PART_BYTES);

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  list(prefix: string, { startAfter = '', signal }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const call = { what: `list ${prefix}* at ${this.name}`, signal, prefix };
    return listPages(this.#requests, call, async (token): Promise<Page> => {
      return await this.#send(call, 'cut', () => {
        const isWanted = (key: string): boolean =>
          token === undefined ? key > startAfter : key >= token;
        const keys = this.#store.keys(prefix).filter(isWanted);
        const objects = keys.slice(0, PAGE_KEYS).map((key) => this.#infoOf(key, call));
        return { objects, nextPageToken: keys[PAGE_KEYS] };
      });
    });
  }

  async get(key: string, { range, version, signal }: GetOptions = {}): Promise<OpenedObject> {
    const call = { what: `open ${key} at ${this.name}`, signal, range, version };
    return await openObject(this.#requests, call, {
      open: (at) => this.#open(key, at),
      toError: (error, what) => refused({ what }, 'UNAVAILABLE', String(error)),
    });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    this.#requests.check(signal);
    const of = { what, key, body, condition, signal };
    const sending = { requests: this.#requests, memory: this.#memory };
    const commit = (bytes: Uint8Array): Promise<ObjectInfo> =>
      this.#send(of, 'settle', () => this.#commit(of, bytes));
    if (body.sizeBytes <= PART_BYTES) {
      return checkStored(await sendWhole(sending, of, commit), what);
    }
    const limits = { partSizeBytes: PART_BYTES, partsMax: 1_000 };
    const parts = await sendInParts(sending, limits, of, (bytes, _, over) =>
      // The part's buffer is reused.
      this.#send({ what, signal: over }, 'cut', () => Uint8Array.from(bytes)),
    );
    return checkStored(await commit(Buffer.concat(parts)), what);
  }

  async delete(keys: readonly string[], { version, signal }: DeleteOptions = {}): Promise<void> {
    const call = { what: `delete ${keys.join(' ')} at ${this.name}`, signal };
    await this.#send(call, 'settle', () => {
      for (const key of keys) {
        if (version !== undefined) this.#checkVersion(key, version, call);
        this.#store.objects.delete(key);
      }
    });
  }

  async copy(from: string, to: string, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const call = { what: `copy ${from} to ${to} at ${this.name}`, signal };
    return await this.#send(call, 'settle', () => {
      const { bytes, createdAt } = this.#find(from, call);
      this.#store.put(to, bytes, { modifiedAt: new Date(), createdAt });
      return this.#infoOf(to, call);
    });
  }

  async close(): Promise<void> {
    await this.#requests.close();
  }

  async #open(key: string, call: OpenCall): Promise<OpenedStream> {
    return await this.#requests.open(optionsOf(call, 'cut'), () =>
      this.#answer(call, () => {
        const { bytes, modifiedAt, version } = this.#find(key, call);
        if ((call.version ?? version) !== version) {
          throw refused(call, 'CONFLICT', `${version} is there`);
        }
        const { start = 0, end } = call.range ?? {};
        if (call.range !== undefined && start >= bytes.byteLength) {
          throw refused(call, 'RANGE', `it has ${bytes.byteLength} bytes`);
        }
        const stream = Readable.from(inChunks(bytes.subarray(start, end)));
        return { sizeBytes: bytes.byteLength, modifiedAt, version, stream };
      }),
    );
  }

  #commit(
    of: Call & Pick<PutOptions, 'condition'> & { readonly key: string; readonly body: ObjectBody },
    bytes: Uint8Array,
  ): ObjectInfo {
    const { condition, key, body } = of;
    if (typeof condition === 'object') this.#checkVersion(key, condition.version, of);
    const isThere = this.#store.objects.has(key);
    if (condition === 'if-absent' && isThere) throw refused(of, 'CONFLICT', 'it is there');
    this.#store.put(key, bytes, { modifiedAt: new Date(), createdAt: body.createdAt });
    return this.#infoOf(key, of);
  }

  async #send<Answer>(call: Call, whenAborted: WhenAborted, answer: () => Answer): Promise<Answer> {
    const options = optionsOf(call, whenAborted);
    return await this.#requests.request(options, () => this.#answer(call, answer));
  }

  /** Yields to the event loop once, as a request would. */
  async #answer<Answer>(call: Call, answer: () => Answer): Promise<Answer> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#store.exists) throw refused(call, 'DESTINATION_NOT_FOUND', 'no such bucket');
    return answer();
  }

  #find(key: string, call: Call) {
    const found = this.#store.objects.get(key);
    if (found === undefined) throw refused(call, 'NOT_FOUND', 'no such key');
    return found;
  }

  #infoOf(key: string, call: Call): ObjectInfo {
    const { bytes, ...rest } = this.#find(key, call);
    return { key, sizeBytes: bytes.byteLength, ...rest };
  }

  #checkVersion(key: string, version: string, call: Call): void {
    if (this.#store.objects.get(key)?.version === version) return;
    throw refused(call, 'CONFLICT', 'another version is there');
  }
}

function optionsOf(call: Call, whenAborted: WhenAborted): RequestOptions {
  const toError = (error: unknown): ReplicationError => refused(call, 'UNKNOWN', String(error));
  return { signals: [call.signal], whenAborted, toError };
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

function refused({ what }: Pick<Call, 'what'>, code: Refused, said: string): ReplicationError {
  return new ReplicationError(`REPLICA_${code}`, `${what}: ${said}`);
}
