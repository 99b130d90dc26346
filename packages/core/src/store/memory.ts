/**
 * The reference implementation of the contract, in memory, as short as possible. By default it claims all
 * capabilities. Several clients may share one store, as clients share a bucket.
 */

import { ReplicationError } from '../error.ts';
import { untilAborted } from './abort.ts';
import type {
  CallOptions,
  Capabilities,
  DeleteOptions,
  GetOptions,
  Layout,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from './client.ts';
import { compareKeys } from './layout.ts';
import { describeCall } from './policy/forward.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedAt: Date;
  readonly createdAt?: Date | undefined;
  readonly version: string;
}

/** The objects of one "bucket" in this process. */
export class MemoryStore {
  readonly objects: Map<string, StoredObject> = new Map();
  /** False simulates a deleted bucket. */
  exists = true;
  #versions = 0;

  put(
    key: string,
    bytes: Uint8Array,
    times: { modifiedAt: Date; createdAt?: Date | undefined },
  ): StoredObject {
    this.#versions += 1;
    const stored = { bytes, ...times, version: `v${this.#versions}` };
    this.objects.set(key, stored);
    return stored;
  }

  /** Keys in byte order. */
  keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
  }
}

/** Options of `memoryClient`. Clients with the same `store` see the same objects. */
export interface MemoryOptions {
  readonly name?: string | undefined;
  readonly store?: MemoryStore | undefined;
  readonly layout?: Layout | undefined;
  readonly capabilities?: Capabilities | undefined;
  readonly now?: (() => Date) | undefined;
  /** Bytes per chunk of a read. Default 64 KiB. */
  readonly chunkBytes?: number | undefined;
}

/** All capabilities except folders. */
const CAPABILITIES: Capabilities = {
  ranges: true,
  conditions: 'any-size',
  versions: true,
  deleteMax: 1_000,
  sortedLists: true,
};

/** A client that keeps its objects in memory, for tests. It follows the whole contract. */
export function memoryClient(options: MemoryOptions = {}): ReplicaClient {
  return new MemoryClient(options);
}

class MemoryClient implements ReplicaClient {
  readonly name: string;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  readonly #store: MemoryStore;
  readonly #now: () => Date;
  readonly #chunkBytes: number;
  readonly #closing = new AbortController();

  constructor(options: MemoryOptions) {
    this.name = options.name ?? 'memory://';
    this.layout = options.layout ?? 'tree';
    this.capabilities = options.capabilities ?? CAPABILITIES;
    this.#store = options.store ?? new MemoryStore();
    this.#now = options.now ?? (() => new Date());
    this.#chunkBytes = options.chunkBytes ?? 65_536;
  }

  async *list(
    prefix: string,
    { startAfter, signal }: ListOptions = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    await this.#enter(describeCall.list(this.name, prefix), signal);
    for (const key of this.#store.keys(prefix)) {
      this.#check(signal);
      const stored = this.#store.objects.get(key);
      if (stored === undefined) continue; // deleted meanwhile
      if (startAfter === undefined || compareKeys(key, startAfter) > 0) yield infoOf(key, stored);
    }
  }

  async get(key: string, { range, version, signal }: GetOptions = {}): Promise<OpenedObject> {
    const what = describeCall.get(this.name, key);
    await this.#enter(what, signal);
    const stored = this.#find(key, what);
    if (version !== undefined && version !== stored.version) {
      throw new ReplicationError('REPLICA_CHANGED', `${what}: ${stored.version} is there`);
    }
    const { start, end } = range ?? { start: 0 };
    const sizeBytes = stored.bytes.byteLength;
    if (range !== undefined) this.#require('ranges', what);
    if (start > sizeBytes) {
      throw new ReplicationError('REPLICA_RANGE', `${what}: byte ${start} of ${sizeBytes}`);
    }
    const body = this.#read(stored.bytes.subarray(start, end), signal);
    return { sizeBytes, modifiedAt: stored.modifiedAt, version: stored.version, body };
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = describeCall.put(this.name, key);
    await this.#enter(what, signal);
    if (condition !== undefined) {
      this.#require(condition === 'if-absent' ? 'conditions' : 'versions', what);
    }
    const bytes = await this.#bytesOf(body, what, signal);
    // No await from here on: the write is atomic.
    const there = this.#store.objects.get(key)?.version;
    const wanted = condition === 'if-absent' ? undefined : condition?.version;
    if (condition !== undefined && there !== wanted) throw conflict(what);
    const times = { modifiedAt: this.#now(), createdAt: body.createdAt };
    return infoOf(key, this.#store.put(key, bytes, times));
  }

  async delete(keys: readonly string[], { version, signal }: DeleteOptions = {}): Promise<void> {
    const what = describeCall.delete(this.name, keys);
    await this.#enter(what, signal);
    if (version !== undefined) this.#require('versions', what);
    for (const key of keys) {
      const there = this.#store.objects.get(key)?.version;
      if (version !== undefined && there !== version) throw conflict(what);
      this.#store.objects.delete(key);
    }
  }

  async copy(from: string, to: string, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const what = describeCall.copy(this.name, from, to);
    await this.#enter(what, signal);
    const { bytes, createdAt } = this.#find(from, what);
    return infoOf(to, this.#store.put(to, bytes, { modifiedAt: this.#now(), createdAt }));
  }

  async close(): Promise<void> {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.name} was closed`));
  }

  /** Runs before each call. Takes a turn of the event loop, like a request. */
  async #enter(what: string, signal: AbortSignal | undefined): Promise<void> {
    this.#check(signal);
    await Promise.resolve();
    this.#check(signal);
    if (this.#store.exists) return;
    const message = `${what}: the destination does not exist`;
    throw new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  #require(capability: 'ranges' | 'conditions' | 'versions', what: string): void {
    if (this.capabilities[capability] !== undefined) return;
    throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: ${capability} is not supported`);
  }

  #find(key: string, what: string): StoredObject {
    const stored = this.#store.objects.get(key);
    if (stored !== undefined) return stored;
    throw new ReplicationError('REPLICA_NOT_FOUND', `${what}: no such object`);
  }

  async #bytesOf(
    body: ObjectBody,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of untilAborted(body.open(), signal, this.#closing.signal)) {
      chunks.push(chunk.slice()); // the source may reuse its buffer
    }
    this.#check(signal);
    const bytes = Buffer.concat(chunks);
    if (bytes.byteLength === body.sizeBytes) return bytes;
    const sizes = `the source gave ${bytes.byteLength} of ${body.sizeBytes} bytes`;
    throw new ReplicationError('LTX_TRUNCATED', `${what}: ${sizes}`);
  }

  async *#read(
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (let offset = 0; offset < bytes.byteLength; offset += this.#chunkBytes) {
      await Promise.resolve();
      this.#check(signal);
      yield bytes.slice(offset, offset + this.#chunkBytes);
    }
  }
}

function conflict(what: string): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${what}: the condition does not hold`);
}

function infoOf(key: string, { bytes, modifiedAt, createdAt, version }: StoredObject): ObjectInfo {
  return { key, sizeBytes: bytes.byteLength, modifiedAt, createdAt, version };
}
