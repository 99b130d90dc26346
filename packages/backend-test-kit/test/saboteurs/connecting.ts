import { isError, ReplicationError, type ReplicaClient } from '@sluice/core/backend';
import { memoryClient } from '@sluice/core/backend/testing';

import { changeFiles, filesOf, plain, SECRET, type World, type Files } from '../world.ts';
import { inFiles, type Saboteur } from './saboteur.ts';

const AS_DECLARED = 'capabilities/as-declared';
const SIZE_MAX_BYTES = 6_000_000;

/** Backends with incorrect capabilities, connections, errors or close(). */
export const CONNECTING_SABOTEURS: readonly Saboteur[] = [
  {
    does: 'claims less than its subject',
    group: [AS_DECLARED],
    change: (client) => ({ ...plain(client), capabilities: { ranges: true } }),
  },
  {
    does: 'claims conditions that its subject does not',
    group: [AS_DECLARED, 'capabilities/unclaimed-conditions-are-refused'],
    capabilities: { ranges: true },
    layer: 'wrapped',
    change: (client, { store }) => ({
      ...changeFiles(client, (files, path) => ({
        writeFile: (file, body, options) =>
          options?.condition === 'if-absent'
            ? newFiles(store, path).writeFile(file, body, options)
            : files.writeFile(file, body, options),
      })),
      capabilities: { ranges: true, conditions: 'any-size' },
    }),
  },
  {
    ...inFiles('stores less than the claimed sizeMax', ['capabilities/size-max'], (files) => ({
      async writeFile(file, body, options) {
        if (body.sizeBytes < SIZE_MAX_BYTES) return await files.writeFile(file, body, options);
        throw new ReplicationError('REPLICA_UNSUPPORTED', 'write: too large');
      },
    })),
    capabilities: { ranges: true, conditions: 'any-size', sizeMax: SIZE_MAX_BYTES },
  },
  {
    does: 'opens a connection for each replica',
    group: ['concurrency/a-thousand-replicas'],
    change(client, world) {
      const roots = new Set<string>();
      return {
        ...plain(client),
        list(prefix, options) {
          const { root = '' } = options ?? {};
          if (!roots.has(root)) world.handles += 1;
          roots.add(root);
          return client.list(prefix, options);
        },
        async put(key, body, options) {
          const { root = '' } = options ?? {};
          if (!roots.has(root)) world.handles += 1;
          roots.add(root);
          return await client.put(key, body, options);
        },
        async close() {
          await client.close();
          world.handles -= roots.size;
          roots.clear();
        },
      };
    },
  },
  {
    does: 'writes a file when it lists',
    group: ['concurrency/readers-disturb-no-writer'],
    change: (client, { store }, access) =>
      changeFiles(client, (files, path) => ({
        async *listFiles(...given) {
          if (access === 'read')
            store.put(`${path}/seen`, Buffer.alloc(1), { modifiedAt: new Date() });
          yield* files.listFiles(...given);
        },
      })),
  },
  inFiles('lists a missing bucket as empty', ['errors/a-vanished-root'], (files, { store }) => ({
    async *listFiles(...given) {
      if (store.exists) yield* files.listFiles(...given);
    },
  })),
  inFiles(
    'reports a missing bucket as a missing file',
    ['errors/a-vanished-root'],
    (files, { store }) => ({
      async openFile(file, options) {
        if (store.exists) return await files.openFile(file, options);
        throw new ReplicationError('REPLICA_NOT_FOUND', 'open: 404');
      },
    }),
  ),
  inFiles('lists nothing if access is denied', ['errors/denied'], (files) => ({
    async *listFiles(...given) {
      try {
        yield* files.listFiles(...given);
      } catch (error) {
        if (!isError(error, 'REPLICA_PERMISSION_DENIED')) throw error;
      }
    },
  })),
  inFiles('reports an unreachable server as denied access', ['errors/unreachable'], (files) => ({
    async deleteFiles(...given) {
      try {
        await files.deleteFiles(...given);
      } catch (error) {
        if (!isError(error, 'REPLICA_UNAVAILABLE')) throw error;
        throw new ReplicationError('REPLICA_PERMISSION_DENIED', 'delete: refused');
      }
    },
  })),
  inFiles('has its key in an error', ['errors/tell-no-secret'], (files) => ({
    async openFile(file, options) {
      return await files.openFile(file, options).catch((error: unknown) => {
        throw Object.assign(error as Error, { config: { key: SECRET } });
      });
    },
  })),
  inFiles('reports only "404"', ['errors/say-what-was-done-to-what'], (files) => ({
    async openFile(file, options) {
      return await files.openFile(file, options).catch((error: unknown) => {
        if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
        throw new ReplicationError('REPLICA_NOT_FOUND', '404');
      });
    },
  })),
  {
    does: 'fails to close a second time',
    group: ['close/twice'],
    change(client) {
      let isClosed = false;
      return {
        ...plain(client),
        async close() {
          if (isClosed) throw new Error('not open');
          isClosed = true;
          await client.close();
        },
      };
    },
  },
  {
    does: 'opens files after close()',
    group: ['close/then-no-call-is-made'],
    change: (client, { store }) =>
      changeFiles(client, (files, path) => ({
        openFile: (file, options) =>
          files.openFile(file, options).catch(async (error: unknown) => {
            if (!isError(error, 'REPLICA_CLOSED')) throw error;
            return await newFiles(store, path).openFile(file, options);
          }),
      })),
  },
  {
    does: 'continues a read after close()',
    group: ['close/ends-the-calls-in-flight'],
    change: (client, { store }) =>
      changeFiles(client, (files, path) => ({
        async openFile(file, options) {
          const opened = await files.openFile(file, options);
          if (opened.sizeBytes !== 3_000_000 || options !== undefined) return opened;
          return await newFiles(store, path).openFile(file);
        },
      })),
  },
  {
    does: 'waits for hanging calls in close()',
    group: ['close/ends-the-calls-in-flight'],
    change(client) {
      const running = new Set<Promise<unknown>>();
      const changed: ReplicaClient = changeFiles(client, (files) => ({
        writeFile(...given) {
          const work = files.writeFile(...given);
          const isLarge = given[1].sizeBytes === 300_000 && given[2] === undefined;
          if (isLarge) running.add(work.catch(() => undefined));
          return work;
        },
      }));
      return {
        ...changed,
        async close() {
          // Wrong order: it must end the calls before it waits for them.
          await Promise.all(running);
          running.clear();
          await client.close();
        },
      };
    },
  },
];

function newFiles(store: World['store'], path: string): Files {
  return filesOf(memoryClient({ store }), path);
}
