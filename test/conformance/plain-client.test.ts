/** A minimal client passes the suite with core's help: a map with put, get, unordered list, and delete. */

import {
  checked,
  readBytes,
  ReplicationError,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';

import { describeConformance } from './suite.ts';

const VALUE_SIZE_MAX = 8_000_000;

describeConformance({
  name: 'a map of whole objects',
  layout: 'tree',
  capabilities: { sizeMax: VALUE_SIZE_MAX },
  copy: 'not-claimed',
  hooks: ['raw'],
  partSizeBytes: 100_000,
  secrets: [],
  async open() {
    const values = new Map<string, Uint8Array>();
    let paths = 0;
    return {
      connect: async () => checked(new MapClient(values)),
      newPath: () => `replica-${(paths += 1)}`,
      raw: {
        put: async (key, bytes) => void values.set(key, bytes),
        keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
      },
      stop: async () => values.clear(),
    };
  },
});

/** Ignores signals and close, which `checked` adds. */
class MapClient implements ReplicaClient {
  readonly name = 'map://';
  readonly capabilities = { sizeMax: VALUE_SIZE_MAX };
  readonly #values: Map<string, Uint8Array>;

  constructor(values: Map<string, Uint8Array>) {
    this.#values = values;
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    for (const [key, { byteLength }] of [...this.#values].toReversed()) {
      if (key.startsWith(prefix)) yield { key, sizeBytes: byteLength, modifiedAt: new Date() };
    }
  }

  async get(key: string): Promise<OpenedObject> {
    const bytes = this.#values.get(key);
    if (bytes !== undefined) return { sizeBytes: bytes.byteLength, body: inChunks(bytes) };
    throw new ReplicationError('REPLICA_NOT_FOUND', `open ${key} at ${this.name}: no such key`);
  }

  async put(key: string, body: ObjectBody, { signal }: PutOptions = {}): Promise<ObjectInfo> {
    const bytes = Buffer.from(await readBytes(body.open(), VALUE_SIZE_MAX));
    signal?.throwIfAborted();
    this.#values.set(key, bytes);
    return { key, sizeBytes: bytes.byteLength, modifiedAt: new Date() };
  }

  async delete([key = '']: readonly string[]): Promise<void> {
    this.#values.delete(key);
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_536) {
    yield bytes.slice(offset, offset + 65_536);
  }
}
