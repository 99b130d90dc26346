/** What core makes of four functions: a map that puts, gets, lists in no order, and deletes. */

import { readBytes, storeDestination, type ObjectStore } from '@sluice/core/backend';

import { describeConformance } from './suite.ts';

const VALUE_SIZE_MAX = 8_000_000;

describeConformance({
  name: 'a map of whole objects',
  layout: 'tree',
  capabilities: { sizeMax: VALUE_SIZE_MAX },
  objects: 'not-claimed',
  copy: 'not-claimed',
  hooks: ['raw'],
  partSizeBytes: 100_000,
  secrets: [],
  async open() {
    const values = new Map<string, Uint8Array>();
    let paths = 0;
    return {
      connect: async () => storeDestination(storeOf(values)),
      newPath: () => `replica-${(paths += 1)}`,
      raw: {
        put: async (key, bytes) => void values.set(key, bytes),
        keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
      },
      stop: async () => values.clear(),
    };
  },
});

function storeOf(values: Map<string, Uint8Array>): ObjectStore {
  return {
    name: 'map://',
    sizeMax: VALUE_SIZE_MAX,
    async put(key, body) {
      const bytes = Buffer.from(await readBytes(body.open(), VALUE_SIZE_MAX));
      values.set(key, bytes);
      return { modifiedAt: new Date() };
    },
    async get(key) {
      const bytes = values.get(key);
      return bytes && { sizeBytes: bytes.byteLength, body: inChunks(bytes) };
    },
    async *list(prefix) {
      for (const [key, { byteLength }] of [...values].toReversed()) {
        if (key.startsWith(prefix)) yield { key, sizeBytes: byteLength, modifiedAt: new Date() };
      }
    },
    delete: async (key) => void values.delete(key),
  };
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_536) {
    yield bytes.slice(offset, offset + 65_536);
  }
}
