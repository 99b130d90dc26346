/** A view of a client as named objects, so that tests that change responses can select objects by name. */

import type { NamedObjectInfo } from '../../src/replica/named-objects.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import type {
  CallOptions,
  GetOptions,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from '../../src/store/client.ts';
import { allLevelsPrefix } from '../../src/store/layout.ts';
import { plain, withoutRoot, type Signal } from './files-view.ts';

/** Named objects by name. */
export interface Objects {
  put(
    name: string,
    bytes: Uint8Array,
    options?: Pick<PutOptions, 'condition' | 'signal'>,
  ): Promise<{ readonly version?: string | undefined }>;
  get(name: string, options?: Omit<GetOptions, 'root'>): Promise<OpenedObject>;
  list(
    prefix: string,
    options?: Signal & { readonly startAfter?: string | undefined },
  ): AsyncIterable<NamedObjectInfo>;
  delete(name: string, options?: Signal & { readonly version?: string | undefined }): Promise<void>;
}

/** Returns a client with some methods for named objects replaced. */
export function changeObjects(
  client: ReplicaClient,
  change: (objects: Objects, path: string) => Partial<Objects>,
): ReplicaClient {
  const changed = new Map<string, Objects>();
  const objectsAt = (path: string): Objects => {
    const objects: Objects = objectsOf(client, path);
    const found = changed.get(path) ?? { ...objects, ...change(objects, path) };
    changed.set(path, found);
    return found;
  };
  const layout = client.layout ?? 'tree';
  /** The name of an object; undefined for LTX files. */
  const nameOf = (key: string, { root }: CallOptions = {}): string | undefined => {
    if (root === undefined || !key.startsWith(`${root}/`)) return undefined;
    return key.startsWith(allLevelsPrefix(layout, root)) ? undefined : key.slice(root.length + 1);
  };
  return {
    ...plain(client),
    async *list(prefix, options = {}) {
      const { root = '', startAfter } = options;
      const name = prefix === `${root}/` ? '' : nameOf(prefix, options);
      if (name === undefined) return yield* client.list(prefix, options);
      const after = startAfter?.slice(root.length + 1);
      const listed = objectsAt(root).list(name, withoutRoot({ ...options, startAfter: after }));
      for await (const { name: found, ...info } of listed)
        yield { key: `${root}/${found}`, ...info };
    },
    async get(key, options) {
      const name = nameOf(key, options);
      if (name === undefined) return await client.get(key, options);
      return await objectsAt(options?.root ?? '').get(name, withoutRoot(options));
    },
    async put(key, body, options) {
      const name = nameOf(key, options);
      if (name === undefined) return await client.put(key, body, options);
      const bytes = Buffer.concat(await Array.fromAsync(body.open()));
      const { version } = await objectsAt(options?.root ?? '').put(
        name,
        bytes,
        withoutRoot(options),
      );
      return { key, sizeBytes: bytes.byteLength, modifiedAt: new Date(), version };
    },
    async delete(keys, options) {
      const [key = ''] = keys;
      const name = keys.length === 1 ? nameOf(key, options) : undefined;
      if (name === undefined) return await client.delete(keys, options);
      await objectsAt(options?.root ?? '').delete(name, withoutRoot(options));
    },
  };
}

function objectsOf(client: ReplicaClient, root: string): Objects {
  const keyFor = (name: string): string => `${root}/${name}`;
  return {
    put: (name, bytes, options) =>
      client.put(keyFor(name), bodyFromBytes(bytes), { ...options, root }),
    get: (name, options) => client.get(keyFor(name), { ...options, root }),
    async *list(prefix, { startAfter, ...options } = {}) {
      const after = startAfter === undefined ? {} : { startAfter: keyFor(startAfter) };
      for await (const { key, ...info } of client.list(keyFor(prefix), {
        ...options,
        ...after,
        root,
      })) {
        if (!key.startsWith(allLevelsPrefix(client.layout ?? 'tree', root))) {
          yield { name: key.slice(root.length + 1), ...info };
        }
      }
    },
    delete: (name, options) => client.delete([keyFor(name)], { ...options, root }),
  };
}
