import {
  isError,
  memoryDestination,
  ReplicationError,
  type Destination,
  type ReplicaClient,
} from '@sluice/core/backend';

import { changeFiles, SECRET, type World } from '../world.ts';
import { inFiles, type Saboteur } from './saboteur.ts';

const AS_DECLARED = 'capabilities/as-declared';
const SIZE_MAX_BYTES = 6_000_000;

/** Capabilities, connections, errors and the end of a destination. */
export const PLACE_SABOTEURS: readonly Saboteur[] = [
  {
    does: 'claims less than its author says',
    group: [AS_DECLARED],
    change: (destination) => ({ ...destination, capabilities: { ifAbsent: 'any-size' } }),
  },
  {
    does: 'claims conditions that its author does not',
    group: [AS_DECLARED, 'capabilities/unclaimed-conditions-are-refused'],
    capabilities: { ranges: true },
    layer: 'wrapped',
    change: (destination, { store }) => ({
      ...changeFiles(destination, (client, path) => ({
        writeFile: (file, body, options) =>
          options?.condition === 'if-absent'
            ? anew(store, path).writeFile(file, body, options)
            : client.writeFile(file, body, options),
      })),
      capabilities: { ranges: true, ifAbsent: 'any-size' },
    }),
  },
  {
    ...inFiles('takes a little less than it claims', ['capabilities/size-max'], (client) => ({
      async writeFile(file, body, options) {
        if (body.sizeBytes < SIZE_MAX_BYTES) return await client.writeFile(file, body, options);
        throw new ReplicationError('REPLICA_UNSUPPORTED', 'write: too large');
      },
    })),
    capabilities: { ranges: true, ifAbsent: 'any-size', sizeMax: SIZE_MAX_BYTES },
  },
  {
    does: 'opens a connection for each replica',
    group: ['concurrency/a-thousand-replicas'],
    change(destination, world) {
      let opened = 0;
      return {
        ...destination,
        replica(path) {
          world.handles += 1;
          opened += 1;
          return destination.replica(path);
        },
        async close() {
          await destination.close();
          world.handles -= opened;
          opened = 0;
        },
      };
    },
  },
  {
    does: 'leaves a trace wherever it reads',
    group: ['concurrency/readers-disturb-no-writer'],
    change: (destination, { store }, access) =>
      changeFiles(destination, (client, path) => ({
        async *listFiles(...given) {
          if (access === 'read')
            store.put(`${path}/seen`, Buffer.alloc(1), { modifiedAt: new Date() });
          yield* client.listFiles(...given);
        },
      })),
  },
  inFiles(
    'takes a bucket that is gone for an empty one',
    ['errors/a-vanished-root'],
    (client, { store }) => ({
      async *listFiles(...given) {
        if (store.exists) yield* client.listFiles(...given);
      },
    }),
  ),
  inFiles(
    'calls a bucket that is gone a file that is',
    ['errors/a-vanished-root'],
    (client, { store }) => ({
      async openFile(file, options) {
        if (store.exists) return await client.openFile(file, options);
        throw new ReplicationError('REPLICA_NOT_FOUND', 'open: 404');
      },
    }),
  ),
  inFiles('lists nothing where it may not look', ['errors/denied'], (client) => ({
    async *listFiles(...given) {
      try {
        yield* client.listFiles(...given);
      } catch (error) {
        if (!isError(error, 'REPLICA_PERMISSION_DENIED')) throw error;
      }
    },
  })),
  inFiles('takes silence for a refusal', ['errors/unreachable'], (client) => ({
    async deleteFiles(...given) {
      try {
        await client.deleteFiles(...given);
      } catch (error) {
        if (!isError(error, 'REPLICA_UNAVAILABLE')) throw error;
        throw new ReplicationError('REPLICA_PERMISSION_DENIED', 'delete: refused');
      }
    },
  })),
  inFiles('tells its key', ['errors/tell-no-secret'], (client) => ({
    async openFile(file, options) {
      return await client.openFile(file, options).catch((error: unknown) => {
        throw Object.assign(error as Error, { config: { key: SECRET } });
      });
    },
  })),
  inFiles('says "404", and no more', ['errors/say-what-was-done-to-what'], (client) => ({
    async openFile(file, options) {
      return await client.openFile(file, options).catch((error: unknown) => {
        if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
        throw new ReplicationError('REPLICA_NOT_FOUND', '404');
      });
    },
  })),
  {
    does: 'fails to close a second time',
    group: ['close/twice'],
    change(destination) {
      let isClosed = false;
      return {
        ...destination,
        async close() {
          if (isClosed) throw new Error('not open');
          isClosed = true;
          await destination.close();
        },
      };
    },
  },
  {
    does: 'opens files after it was closed',
    group: ['close/then-no-call-is-made'],
    change: (destination, { store }) =>
      changeFiles(destination, (client, path) => ({
        openFile: (file, options) =>
          client.openFile(file, options).catch(async (error: unknown) => {
            if (!isError(error, 'REPLICA_CLOSED')) throw error;
            return await anew(store, path).openFile(file, options);
          }),
      })),
  },
  {
    does: 'lets a read go on when it closes',
    group: ['close/ends-the-calls-in-flight'],
    change: (destination, { store }) =>
      changeFiles(destination, (client, path) => ({
        async openFile(file, options) {
          const opened = await client.openFile(file, options);
          if (opened.sizeBytes !== 3_000_000 || options !== undefined) return opened;
          return await anew(store, path).openFile(file);
        },
      })),
  },
  {
    does: 'waits for what hangs when it closes',
    group: ['close/ends-the-calls-in-flight'],
    change(destination) {
      const running = new Set<Promise<unknown>>();
      const changed: Destination = changeFiles(destination, (client) => ({
        writeFile(...given) {
          const work = client.writeFile(...given);
          const isLarge = given[1].sizeBytes === 300_000 && given[2] === undefined;
          if (isLarge) running.add(work.catch(() => undefined));
          return work;
        },
      }));
      return {
        ...changed,
        async close() {
          // Waiting first, and ending the calls then, is the wrong way round.
          await Promise.all(running);
          running.clear();
          await destination.close();
        },
      };
    },
  },
];

function anew(store: World['store'], path: string): ReplicaClient {
  return memoryDestination({ store }).replica(path);
}
