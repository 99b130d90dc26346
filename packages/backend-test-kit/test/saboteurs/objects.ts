import { isError, ReplicationError } from '@sluice/core/backend';

import { inObjects, type Saboteur } from './saboteur.ts';

export const OBJECT_SABOTEURS: readonly Saboteur[] = [
  inObjects('stores at most 1,000 bytes', ['objects/put-and-get'], (objects) => ({
    async put(name, bytes, options) {
      if (bytes.byteLength <= 1_000 || name === 'x') return await objects.put(name, bytes, options);
      throw new ReplicationError('REPLICA_UNSUPPORTED', 'put: too large');
    },
  })),
  inObjects(
    'returns the same version for every put',
    ['objects/put-and-get', 'objects/each-put-is-another-version', 'objects/if-version'],
    (objects) => ({
      async put(...given) {
        await objects.put(...given);
        return { version: 'v1' };
      },
    }),
  ),
  inObjects(
    'uses the size as the version',
    ['objects/each-put-is-another-version', 'objects/if-version'],
    (objects) => ({
      async put(name, bytes, options) {
        const { version } = await objects.put(name, bytes, options);
        const isCase = bytes.byteLength === 10 && options === undefined;
        return { version: isCase ? `${bytes.byteLength}` : version };
      },
    }),
  ),
  inObjects('fails to delete a missing object', ['objects/missing'], (objects) => ({
    async delete(name, options) {
      if (options?.version === undefined) await objects.get(name);
      await objects.delete(name, options);
    },
  })),
  inObjects('still reads a deleted object', ['objects/missing'], (objects) => {
    const deleted = new Map<string, Awaited<ReturnType<typeof objects.get>>>();
    return {
      async delete(name, options) {
        const current = await objects.get(name).catch(() => undefined);
        if (current !== undefined) deleted.set(name, current);
        await objects.delete(name, options);
      },
      get: (name, options) =>
        objects.get(name, options).catch((error: unknown) => {
          const found = isError(error, 'REPLICA_NOT_FOUND') ? deleted.get(name) : undefined;
          if (found === undefined) throw error;
          return found;
        }),
    };
  }),
  inObjects('ignores ranges of objects', ['objects/ranges'], (objects) => ({
    get: (name, options) => objects.get(name, { ...options, range: undefined }),
  })),
  inObjects('lists in the order of a folder walk', ['objects/listed-in-byte-order'], (objects) => ({
    async *list(...given) {
      const entries = await Array.fromAsync(objects.list(...given));
      const walked = (name: string): string => name.replaceAll('/', '\u0000');
      yield* entries.toSorted((a, b) => (walked(a.name) < walked(b.name) ? -1 : 1));
    },
  })),
  inObjects('omits the key after startAfter', ['objects/listed-in-byte-order'], (objects) => ({
    async *list(prefix, options) {
      const [first, ...rest] = await Array.fromAsync(objects.list(prefix, options));
      if (first !== undefined && options?.startAfter === undefined) yield first;
      yield* rest;
    },
  })),
  inObjects(
    'checks if-absent before the put, not atomically',
    ['objects/if-absent'],
    (objects) => ({
      async put(name, bytes, options = {}) {
        if (options.condition !== 'if-absent') return await objects.put(name, bytes, options);
        if (
          await objects.get(name).then(
            () => true,
            () => false,
          )
        ) {
          throw new ReplicationError('REPLICA_CONFLICT', 'put: the object exists');
        }
        return await objects.put(name, bytes);
      },
    }),
  ),
  inObjects('ignores conditions', ['objects/if-absent', 'objects/if-version'], (objects) => ({
    put: (name, bytes) => objects.put(name, bytes),
  })),
  inObjects('ignores the version of a put', ['objects/if-version'], (objects) => ({
    put: (name, bytes, options) =>
      objects.put(name, bytes, typeof options?.condition === 'object' ? {} : options),
  })),
  inObjects('ignores the version of a delete', ['objects/delete-of-a-version'], (objects) => ({
    delete: (name, options) => objects.delete(name, { ...options, version: undefined }),
  })),
  inObjects(
    'reports success for a delete of an old version',
    ['objects/delete-of-a-version'],
    (objects) => ({
      delete: (name, options) =>
        objects.delete(name, options).catch((error: unknown) => {
          if (!isError(error, 'REPLICA_CONFLICT')) throw error;
        }),
    }),
  ),
  inObjects(
    'reports success for a delete of a version without deleting it',
    ['objects/delete-of-a-version'],
    (objects) => ({
      async delete(name, options = {}) {
        const { version, ...rest } = options;
        if (version === undefined) return await objects.delete(name, rest);
        const current = await objects.get(name).catch(() => undefined);
        if (current?.version !== version)
          throw new ReplicationError('REPLICA_CONFLICT', 'delete: another version');
      },
    }),
  ),
];
