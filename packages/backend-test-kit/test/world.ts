/** A place in memory with every hook of the kit, for the kit's own tests. Each has one of its own. */

import {
  defineBackend,
  memoryDestination,
  MemoryStore,
  ReplicationError,
  type Backend,
  type Capabilities,
  type Destination,
  type ErrorCode,
  type MemoryOptions,
  type NamedObjects,
  type ReplicaClient,
  type Secret,
} from '@sluice/core/backend';
import { secret, text } from '@sluice/core/backend/config';
import { z } from 'zod';
import type { Configuration, Setup, Subject } from '../src/index.ts';

export const SECRET = 'hunter2';
const ALL: Capabilities = { ranges: true, ifAbsent: 'any-size' };

export interface World {
  readonly store: MemoryStore;
  /** Streams and listings that are open. */
  handles: number;
  /** The markers of replicas, where they have any. */
  readonly roots: Map<string, symbol>;
  /** How often the connection of `cuttable` was cut. */
  cuts: number;
}

export type Access = 'read' | 'write';
/** What becomes of each destination of a world. */
export type Change = (destination: Destination, world: World, access: Access) => Destination;

export type Changed = 'usual' | 'silent' | 'cuttable';

export interface WorldOptions {
  readonly capabilities?: Capabilities | undefined;
  readonly memory?: MemoryOptions | undefined;
  readonly change?: Change | undefined;
  /** What `change` is applied to. Default: usual connections, denied and unreachable ones. */
  readonly changed?: Changed | undefined;
  readonly configuration?: Configuration | undefined;
}

/** A subject that claims what its capabilities say, and has every hook but that of other processes. */
export function subjectOf(name: string, options: WorldOptions = {}): Subject {
  const { capabilities = ALL, configuration = CONFIGURATION } = options;
  return {
    name,
    layout: options.memory?.layout ?? 'tree',
    capabilities,
    objects: 'claimed',
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
  const changeOf = (of: Changed, destination: Destination): Destination =>
    of === changed ? change(destination, world, 'write') : destination;
  const open = (store: MemoryStore): Destination =>
    counted(memoryDestination({ capabilities, ...memory, store }), world);
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
      destination: changeOf('cuttable', reconnecting(open(world.store), world)),
      cut: async () => void (world.cuts += 1),
    }),
    handles: async () => world.handles,
    stop: async () => world.store.objects.clear(),
  };
}

/** Counts what is open, as the operating system counts files and sockets. */
function counted(destination: Destination, world: World): Destination {
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
    ...changeFiles(destination, (client) => ({
      listFiles: (...given) => count(client.listFiles(...given)),
      async openFile(...given) {
        const opened = await client.openFile(...given);
        return { ...opened, body: count(opened.body) };
      },
    })),
    async close() {
      await destination.close();
      for (const handle of open) free(handle);
    },
  };
}

/** A destination that answers every call on files with one error. */
function refusing(destination: Destination, code: ErrorCode): Destination {
  const refuse = async (): Promise<never> => {
    throw new ReplicationError(code, `call ${destination.name}: refused`);
  };
  return changeFiles(destination, () => ({
    // oxlint-disable-next-line require-yield
    async *listFiles() {
      await refuse();
    },
    openFile: refuse,
    writeFile: refuse,
    deleteFiles: refuse,
  }));
}

/** A destination that never answers: its calls end when they are aborted, or when it closes. */
function silent(destination: Destination): Destination {
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
    ...changeFiles(destination, () => ({
      // oxlint-disable-next-line require-yield
      async *listFiles(_, options) {
        await never(options?.signal);
      },
      openFile: (_, options) => never(options?.signal),
      writeFile: (_, __, options) => never(options?.signal),
      deleteFiles: (_, options) => never(options?.signal),
    })),
    async close() {
      closed.abort(new ReplicationError('REPLICA_CLOSED', `${destination.name} was closed`));
      await destination.close();
    },
  };
}

/** After a cut one call finds out, and the next has a connection again. */
function reconnecting(destination: Destination, world: World): Destination {
  let known = world.cuts;
  const findOut = (): void => {
    if (known === world.cuts) return;
    known = world.cuts;
    throw new ReplicationError('REPLICA_UNAVAILABLE', `call ${destination.name}: it was cut`);
  };
  return changeFiles(destination, (client) => ({
    async *listFiles(...given) {
      findOut();
      yield* client.listFiles(...given);
    },
    async openFile(...given) {
      findOut();
      return await client.openFile(...given);
    },
    async writeFile(...given) {
      findOut();
      return await client.writeFile(...given);
    },
    async deleteFiles(...given) {
      findOut();
      await client.deleteFiles(...given);
    },
  }));
}

/** A destination, some methods of whose replicas are others. */
export function changeFiles(
  destination: Destination,
  change: (client: ReplicaClient, path: string) => Partial<ReplicaClient>,
): Destination {
  return {
    ...destination,
    replica(path) {
      const client = destination.replica(path);
      return {
        listFiles: (...given) => client.listFiles(...given),
        openFile: (...given) => client.openFile(...given),
        writeFile: (...given) => client.writeFile(...given),
        deleteFiles: (...given) => client.deleteFiles(...given),
        ...optionalOf(client),
        ...change(client, path),
      };
    },
  };
}

function optionalOf(client: ReplicaClient): Pick<ReplicaClient, 'copyFile' | 'openLocalFile'> {
  const copyFile = client.copyFile?.bind(client);
  const openLocalFile = client.openLocalFile?.bind(client);
  return {
    ...(copyFile !== undefined && { copyFile }),
    ...(openLocalFile !== undefined && { openLocalFile }),
  };
}

/** The same for named objects. */
export function changeObjects(
  destination: Destination,
  change: (objects: NamedObjects, path: string) => Partial<NamedObjects>,
): Destination {
  return {
    ...destination,
    objects(path) {
      const objects = destination.objects?.(path);
      if (objects === undefined) throw new TypeError('memory has objects');
      return {
        put: (...given) => objects.put(...given),
        get: (...given) => objects.get(...given),
        list: (...given) => objects.list(...given),
        delete: (...given) => objects.delete(...given),
        ...change(objects, path),
      };
    },
  };
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
      bucket: text('where the files lie'),
      path: text('below the bucket'),
      'access-key': secret('who may read them').optional(),
    })
    .transform(({ bucket, path, 'access-key': key }) => ({ bucket, path, key })),
  describe: ({ bucket }, path) => ({ target: `memory://${bucket}/${path}` }),
  fromURL: (url) => ({
    bucket: url.host,
    path: url.pathname.slice(1),
    'access-key': url.searchParams.get('access-key'),
  }),
  connect: async () => memoryDestination(),
});

export const CONFIGURATION: Configuration = {
  backend,
  input: (path) => ({ bucket: 'b', path, 'access-key': SECRET }),
  url: (path) => `memory://b/${path}?access-key=${SECRET}`,
};
