/** The suite is tested by destinations that break one promise each: the guarding case must fail. */

import assert from 'node:assert/strict';

import {
  memoryDestination,
  MemoryStore,
  type Destination,
  type NamedObjects,
  type ReplicaClient,
} from '@sluice/core/backend';
import { test } from 'vitest';

import { withContext } from './context.ts';
import { OBJECT_SABOTEURS, SABOTEURS, SECRET } from './saboteurs.ts';
import { CASES, type Conformance, type Setup } from './suite.ts';

test.each(SABOTEURS)('$guard finds what $does', async ({ guard, sabotage }) => {
  const store = new MemoryStore();
  const connect = async (): Promise<Destination> => {
    const memory = memoryDestination({ store });
    return {
      ...memory,
      replica(path) {
        const client = memory.replica(path);
        const honest: ReplicaClient = {
          listFiles: (...given) => client.listFiles(...given),
          openFile: (...given) => client.openFile(...given),
          writeFile: (...given) => client.writeFile(...given),
          deleteFiles: (...given) => client.deleteFiles(...given),
        };
        return { ...honest, ...sabotage(client, store) };
      },
    };
  };
  const { run } = CASES.find((each) => each.id === guard) ?? assert.fail(`no case ${guard}`);
  await assert.rejects(withContext(conformance, setupOf(store, connect), 'bare', run));
});

test.each(OBJECT_SABOTEURS)('$guard finds what $does', async ({ guard, sabotage }) => {
  const store = new MemoryStore();
  const connect = async (): Promise<Destination> => {
    const memory = memoryDestination({ store });
    return {
      ...memory,
      objects(path) {
        const objects = memory.objects?.(path) ?? assert.fail('memory has objects');
        const honest: NamedObjects = {
          put: (...given) => objects.put(...given),
          get: (...given) => objects.get(...given),
          list: (...given) => objects.list(...given),
          delete: (...given) => objects.delete(...given),
        };
        return { ...honest, ...sabotage(objects) };
      },
    };
  };
  const { run } = CASES.find((each) => each.id === guard) ?? assert.fail(`no case ${guard}`);
  await assert.rejects(withContext(conformance, setupOf(store, connect), 'bare', run));
});

const conformance: Conformance = {
  name: 'sabotaged',
  layout: 'tree',
  capabilities: { ranges: true, ifAbsent: 'any-size' },
  objects: 'claimed',
  hooks: ['raw', 'vanish'],
  partSizeBytes: 100_000,
  secrets: [SECRET],
  open: () => assert.fail('each saboteur brings its own'),
};

function setupOf(store: MemoryStore, connect: () => Promise<Destination>): Setup {
  let paths = 0;
  return {
    connect,
    newPath: () => `replica-${(paths += 1)}`,
    async vanish() {
      store.exists = false;
      return async () => {
        store.exists = true;
      };
    },
    stop: async () => undefined,
  };
}
