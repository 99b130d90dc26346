/** A place in memory with every hook of the kit, for the kit's own tests. Each has one of its own. */

import {
  ConfigReader,
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
import type { Configuration, Setup, Subject } from '../src/index.ts';

export const SECRET = 'hunter2';
const ALL: Capabilities = { ranges: true, ifAbsent: 'any-size' };

export interface World {
  readonly store: MemoryStore;
  /** Streams and listings that are open. */
  handles: number;
  /** The markers of replicas, where they have any. */
  readonly roots: Map<string, symbol>;
}

export type Access = 'read' | 'write';
/** What becomes of each destination of a world. */
export type Change = (destination: Destination, world: World, access: Access) => Destination;

export interface WorldOptions {
  readonly capabilities?: Capabilities | undefined;
  readonly memory?: MemoryOptions | undefined;
  readonly change?: Change | undefined;
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
    hooks: ['raw', 'vanish', 'denied', 'unreachable', 'handles'],
    partSizeBytes: 100_000,
    secrets: [SECRET],
    configuration,
    open: async () => openWorld(capabilities, options),
  };
}

function openWorld(
  capabilities: Capabilities,
  { change = (same) => same, memory }: WorldOptions,
): Setup {
  const world: World = { store: new MemoryStore(), handles: 0, roots: new Map() };
  const open = (store: MemoryStore): Destination =>
    counted(memoryDestination({ capabilities, ...memory, store }), world);
  let paths = 0;
  return {
    connect: async (access) => change(open(world.store), world, access),
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
    denied: async () =>
      change(refusing(open(world.store), 'REPLICA_PERMISSION_DENIED'), world, 'write'),
    unreachable: async () =>
      change(refusing(open(world.store), 'REPLICA_UNAVAILABLE'), world, 'write'),
    handles: async () => world.handles,
    stop: async () => world.store.objects.clear(),
  };
}

/** Counts what is open, as the operating system counts files and sockets. */
function counted(destination: Destination, world: World): Destination {
  const count = async function* <Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
    world.handles += 1;
    try {
      yield* items;
    } finally {
      world.handles -= 1;
    }
  };
  return changeFiles(destination, (client) => ({
    listFiles: (...given) => count(client.listFiles(...given)),
    async openFile(...given) {
      const opened = await client.openFile(...given);
      return { ...opened, body: count(opened.body) };
    },
  }));
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
  parse(input) {
    const reader = new ConfigReader('memory', input);
    reader.ignore('type');
    const config = { bucket: reader.requiredString('bucket'), key: reader.secret('access-key') };
    const path = reader.requiredString('path');
    reader.finish();
    return { config, path };
  },
  fromURL: (url) => ({
    bucket: url.host,
    path: url.pathname.slice(1),
    'access-key': url.searchParams.get('access-key'),
  }),
  connect: async () => memoryDestination(),
});

export const CONFIGURATION: Configuration = {
  backend,
  input: (path) => ({ type: 'memory', bucket: 'b', path, 'access-key': SECRET }),
  url: (path) => `memory://b/${path}?access-key=${SECRET}`,
};
