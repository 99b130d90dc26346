import { isError, ReplicationError } from '@sluice/core/backend';

import { inObjects, type Saboteur } from './saboteur.ts';

export const OBJECT_SABOTEURS: readonly Saboteur[] = [
  inObjects('takes a thousand bytes at most', ['objects/put-and-get'], (objects) => ({
    async put(name, bytes, options) {
      if (bytes.byteLength <= 1_000 || name === 'x') return await objects.put(name, bytes, options);
      throw new ReplicationError('REPLICA_UNSUPPORTED', 'put: too large');
    },
  })),
  inObjects(
    'gives every version the same name',
    ['objects/put-and-get', 'objects/each-put-is-another-version', 'objects/if-version'],
    (objects) => ({
      async put(...given) {
        await objects.put(...given);
        return { version: 'v1' };
      },
    }),
  ),
  inObjects(
    'takes the size for the version',
    ['objects/each-put-is-another-version', 'objects/if-version'],
    (objects) => ({
      async put(name, bytes, options) {
        const { version } = await objects.put(name, bytes, options);
        const isCase = bytes.byteLength === 10 && options === undefined;
        return { version: isCase ? `${bytes.byteLength}` : version };
      },
    }),
  ),
  inObjects('fails to delete what is not there', ['objects/missing'], (objects) => ({
    async delete(name, options) {
      if (options?.version === undefined) await objects.get(name);
      await objects.delete(name, options);
    },
  })),
  inObjects('has a ghost after a delete', ['objects/missing'], (objects) => {
    const ghosts = new Map<string, Awaited<ReturnType<typeof objects.get>>>();
    return {
      async delete(name, options) {
        const there = await objects.get(name).catch(() => undefined);
        if (there !== undefined) ghosts.set(name, there);
        await objects.delete(name, options);
      },
      get: (name, options) =>
        objects.get(name, options).catch((error: unknown) => {
          const ghost = isError(error, 'REPLICA_NOT_FOUND') ? ghosts.get(name) : undefined;
          if (ghost === undefined) throw error;
          return ghost;
        }),
    };
  }),
  inObjects('ignores ranges of objects', ['objects/ranges'], (objects) => ({
    get: (name, options) => objects.get(name, { ...options, range: undefined }),
  })),
  inObjects(
    'lists folders as one would walk them',
    ['objects/listed-in-byte-order'],
    (objects) => ({
      async *list(...given) {
        const entries = await Array.fromAsync(objects.list(...given));
        const walked = (name: string): string => name.replaceAll('/', '\u0000');
        yield* entries.toSorted((a, b) => (walked(a.name) < walked(b.name) ? -1 : 1));
      },
    }),
  ),
  inObjects('leaves out the key after the start', ['objects/listed-in-byte-order'], (objects) => ({
    async *list(prefix, options) {
      const [first, ...rest] = await Array.fromAsync(objects.list(prefix, options));
      if (first !== undefined && options?.startAfter === undefined) yield first;
      yield* rest;
    },
  })),
  inObjects('asks whether a name is free, and then puts', ['objects/if-absent'], (objects) => ({
    async put(name, bytes, options = {}) {
      if (options.condition !== 'if-absent') return await objects.put(name, bytes, options);
      if (
        await objects.get(name).then(
          () => true,
          () => false,
        )
      ) {
        throw new ReplicationError('REPLICA_CONFLICT', 'put: it is there');
      }
      return await objects.put(name, bytes);
    },
  })),
  inObjects('ignores conditions', ['objects/if-absent', 'objects/if-version'], (objects) => ({
    put: (name, bytes) => objects.put(name, bytes),
  })),
  inObjects('puts a stale version all the same', ['objects/if-version'], (objects) => ({
    put: (name, bytes, options) =>
      objects.put(name, bytes, typeof options?.condition === 'object' ? {} : options),
  })),
  inObjects('deletes whatever version is there', ['objects/delete-of-a-version'], (objects) => ({
    delete: (name, options) => objects.delete(name, { ...options, version: undefined }),
  })),
  inObjects(
    'keeps silent about a version that is gone',
    ['objects/delete-of-a-version'],
    (objects) => ({
      delete: (name, options) =>
        objects.delete(name, options).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_CONFLICT')) throw error;
        }),
    }),
  ),
  inObjects(
    'takes a version for done and deletes nothing',
    ['objects/delete-of-a-version'],
    (objects) => ({
      async delete(name, options = {}) {
        const { version, ...rest } = options;
        if (version === undefined) return await objects.delete(name, rest);
        const there = await objects.get(name).catch(() => undefined);
        if (there?.version !== version)
          throw new ReplicationError('REPLICA_CONFLICT', 'delete: another');
      },
    }),
  ),
];
