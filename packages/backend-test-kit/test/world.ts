/** In-memory storage with every hook of the kit except `otherProcess`, for the kit's own tests. */

import {
  defineBackend,
  ReplicationError,
  type Backend,
  type Capabilities,
  type ErrorCode,
  type ReplicaClient,
  type Secret,
} from '@sluice/core/backend';
import { memoryClient, MemoryStore, type MemoryOptions } from '@sluice/core/backend/testing';
import { secret, text } from '@sluice/core/backend/config';
import { z } from 'zod';
// @boundaries-ignore a helper of core's tests, which no package contains
import { changeFiles, filesOf, plain, type Files } from '../../core/test/support/files-view.ts';
// @boundaries-ignore the same
import { changeObjects, type Objects } from '../../core/test/support/objects-view.ts';
import type { Configuration, Setup, Subject } from '../src/index.ts';

export { changeFiles, changeObjects, filesOf, plain, type Files, type Objects };

export const SECRET = 'hunter2';
/** All capabilities of the memory client. */
export const ALL: Capabilities = memoryClient().capabilities;

export interface World {
  readonly store: MemoryStore;
  /** Number of open streams and listings. */
  handles: number;
  /** Markers of replicas, by path. */
  readonly roots: Map<string, symbol>;
  /** Number of cuts of the `cuttable` connection. */
  cuts: number;
}

export type Access = 'read' | 'write';
/** Changes the behavior of a client. */
export type Change = (client: ReplicaClient, world: World, access: Access) => ReplicaClient;

export type Changed = 'usual' | 'silent' | 'cuttable';

export interface WorldOptions {
  readonly capabilities?: Capabilities | undefined;
  readonly memory?: MemoryOptions | undefined;
  readonly change?: Change | undefined;
  /** The clients that `change` is applied to. Default: usual, denied and unreachable clients. */
  readonly changed?: Changed | undefined;
  readonly configuration?: Configuration | undefined;
}

/** A subject with the given capabilities and every hook except `otherProcess`. */
export function subjectOf(name: string, options: WorldOptions = {}): Subject {
  const { capabilities = ALL, configuration = CONFIGURATION } = options;
  return {
    name,
    layout: options.memory?.layout ?? 'tree',
    capabilities,
    hooks: ['raw', 'vanish', 'denied', 'unreachable', 'silent', 'cuttable', 'handles'],
    partSizeBytes: 100_000,
    secrets: [SECRET],
    configuration,
    open: async () => openWorld(capabilities, options),
  };
}

function openWorld(
  capabilities: Capabilities,
  { change = (same) => same, changed = 'usual', memory }: WorldOptions,
): Setup {
  const world: World = {
    store: new MemoryStore(),
    handles: 0,
    roots: new Map(),
    cuts: 0,
  };
  const changeOf = (of: Changed, client: ReplicaClient): ReplicaClient =>
    of === changed ? change(client, world, 'write') : client;
  const open = (store: MemoryStore): ReplicaClient =>
    counted(memoryClient({ capabilities, ...memory, store }), world);
  let paths = 0;
  return {
    connect: async (access) =>
      changed === 'usual' ? change(open(world.store), world, access) : open(world.store),
    newPath: () => `replica-${(paths += 1)}`,
    raw: {
      async put(key, bytes) {
        world.store.put(key, bytes, { modifiedAt: new Date() });
      },
      keys: async (prefix) => world.store.keys(prefix),
    },
    async vanish() {
      world.store.exists = false;
      return async () => {
        world.store.exists = true;
      };
    },
    denied: async () => changeOf('usual', refusing(open(world.store), 'REPLICA_PERMISSION_DENIED')),
    unreachable: async () => changeOf('usual', refusing(open(world.store), 'REPLICA_UNAVAILABLE')),
    silent: async () => changeOf('silent', silent(open(world.store))),
    cuttable: async () => ({
      client: changeOf('cuttable', reconnecting(open(world.store), world)),
      cut: async () => void (world.cuts += 1),
    }),
    handles: async () => world.handles,
    stop: async () => world.store.objects.clear(),
  };
}

/** Counts open streams, as the operating system counts files and sockets. */
function counted(client: ReplicaClient, world: World): ReplicaClient {
  const open = new Set<symbol>();
  const free = (handle: symbol): void => {
    if (open.delete(handle)) world.handles -= 1;
  };
  const count = async function* <Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
    const handle = Symbol('handle');
    open.add(handle);
    world.handles += 1;
    try {
      yield* items;
    } finally {
      free(handle);
    }
  };
  return {
    ...changeFiles(client, (files) => ({
      listFiles: (...given) => count(files.listFiles(...given)),
      async openFile(...given) {
        const opened = await files.openFile(...given);
        return { ...opened, body: count(opened.body) };
      },
    })),
    async close() {
      await client.close();
      for (const handle of open) free(handle);
    },
  };
}

/** A client whose file calls all fail with the same error. */
function refusing(client: ReplicaClient, code: ErrorCode): ReplicaClient {
  const refuse = async (): Promise<never> => {
    throw new ReplicationError(code, `call ${client.name}: refused`);
  };
  return changeFiles(client, () => ({
    // oxlint-disable-next-line require-yield
    async *listFiles() {
      await refuse();
    },
    openFile: refuse,
    writeFile: refuse,
    deleteFiles: refuse,
  }));
}

/** A client that never responds: calls end when they are aborted or when the client is closed. */
function silent(client: ReplicaClient): ReplicaClient {
  const closed = new AbortController();
  const never = async (signal: AbortSignal | undefined): Promise<never> => {
    const ends = AbortSignal.any([closed.signal, ...(signal === undefined ? [] : [signal])]);
    await new Promise<void>((_, reject) => {
      if (ends.aborted) reject(ends.reason as Error);
      ends.addEventListener('abort', () => reject(ends.reason as Error), { once: true });
    });
    throw new TypeError('a promise that never resolves');
  };
  return {
    ...changeFiles(client, () => ({
      // oxlint-disable-next-line require-yield
      async *listFiles(_, options) {
        await never(options?.signal);
      },
      openFile: (_, options) => never(options?.signal),
      writeFile: (_, __, options) => never(options?.signal),
      deleteFiles: (_, options) => never(options?.signal),
    })),
    async close() {
      closed.abort(new ReplicationError('REPLICA_CLOSED', `${client.name} was closed`));
      await client.close();
    },
  };
}

/** After a cut, one call fails and the next one reconnects. */
function reconnecting(client: ReplicaClient, world: World): ReplicaClient {
  let cutsReported = world.cuts;
  const failAfterCut = (): void => {
    if (cutsReported === world.cuts) return;
    cutsReported = world.cuts;
    throw new ReplicationError('REPLICA_UNAVAILABLE', `call ${client.name}: connection cut`);
  };
  return changeFiles(client, (files) => ({
    async *listFiles(...given) {
      failAfterCut();
      yield* files.listFiles(...given);
    },
    async openFile(...given) {
      failAfterCut();
      return await files.openFile(...given);
    },
    async writeFile(...given) {
      failAfterCut();
      return await files.writeFile(...given);
    },
    async deleteFiles(...given) {
      failAfterCut();
      await files.deleteFiles(...given);
    },
  }));
}

interface MemoryConfig {
  readonly bucket: string;
  readonly key: Secret | undefined;
}

const backend: Backend<MemoryConfig> = defineBackend({
  contract: 1,
  scheme: 'memory',
  schema: z
    .strictObject({
      bucket: text('bucket of the files'),
      path: text('folder in the bucket'),
      'access-key': secret('access key').optional(),
    })
    .transform(({ bucket, path, 'access-key': key }) => ({ bucket, path, key })),
  describe: ({ bucket }, path) => ({ target: `memory://${bucket}/${path}` }),
  fromURL: (url) => ({
    bucket: url.host,
    path: url.pathname.slice(1),
    'access-key': url.searchParams.get('access-key'),
  }),
  connect: async () => memoryClient(),
});

export const CONFIGURATION: Configuration = {
  backend,
  input: (path) => ({ bucket: 'b', path, 'access-key': SECRET }),
  url: (path) => `memory://b/${path}?access-key=${SECRET}`,
};
