/**
 * A view of a client as LTX files, so that tests that change responses can select files by level and
 * TXIDs. `changeFiles` returns a client with changed responses.
 */

import type {
  CallOptions,
  GetOptions,
  LocalFile,
  ObjectBody,
  ObjectInfo,
  OpenedObject,
  ReplicaClient,
} from '../../src/store/client.ts';
import { allLevelsPrefix, keyOf, parseKey, type LTXFileRef } from '../../src/store/layout.ts';
import { Replica, type LTXFileInfo } from '../../src/replica/replica.ts';

export type Signal = Pick<CallOptions, 'signal'>;

/** LTX files by level and TXIDs. */
export interface Files {
  listFiles(
    level: number | 'all',
    options?: Signal & { readonly from?: bigint | undefined },
  ): AsyncIterable<LTXFileInfo>;
  openFile(file: LTXFileRef, options?: Omit<GetOptions, 'root'>): Promise<OpenedObject>;
  writeFile(
    file: LTXFileRef,
    body: ObjectBody,
    options?: Signal & { readonly condition?: 'if-absent' | undefined },
  ): Promise<LTXFileInfo>;
  deleteFiles(files: readonly LTXFileRef[], options?: Signal): Promise<void>;
  copyFile?(from: LTXFileRef, to: LTXFileRef, options?: Signal): Promise<LTXFileInfo>;
  openLocalFile?(file: LTXFileRef, options?: Signal): Promise<LocalFile>;
}

/** The LTX files of a client. */
export function filesOf(client: ReplicaClient, path: string): Files {
  const replica = new Replica(client, path);
  const copy = client.copy?.bind(client);
  return {
    listFiles: (level, options) =>
      replica.listFiles(level, { ...options, from: options?.from as LTXFileRef['minTXID'] }),
    openFile: (file, options) => replica.openFile(file, options),
    writeFile: (file, body, options) => replica.writeFile(file, body, options),
    deleteFiles: (files, options) => replica.deleteFiles(files, options),
    ...(copy !== undefined && {
      async copyFile(from, to, options) {
        const keys = [replica.keyOf(from), replica.keyOf(to)] as const;
        const { sizeBytes, modifiedAt } = await copy(...keys, { ...options, root: path });
        return { ...to, sizeBytes, modifiedAt };
      },
    }),
  };
}

/** Returns a client with some methods for LTX files replaced. */
export function changeFiles(
  client: ReplicaClient,
  change: (files: Files, path: string) => Partial<Files>,
): ReplicaClient {
  const changed = new Map<string, Files>();
  const filesAt = (path: string): Files => {
    const files = filesOf(client, path);
    const found = changed.get(path) ?? { ...files, ...change(files, path) };
    changed.set(path, found);
    return found;
  };
  const layout = client.layout ?? 'tree';
  const fileOf = (key: string, { root }: CallOptions = {}): [Files, LTXFileRef] | undefined => {
    const file = root === undefined ? undefined : parseKey(layout, root, key);
    return file === undefined ? undefined : [filesAt(root ?? ''), file];
  };
  const toInfo = ({ level, minTXID, maxTXID, ...info }: LTXFileInfo, root: string): ObjectInfo => ({
    key: keyOf(layout, root, { level, minTXID, maxTXID }),
    ...info,
  });
  const one = filesAt('');
  return {
    ...plain(client),
    async *list(prefix, options = {}) {
      const { root } = options;
      const all = root === undefined ? '' : allLevelsPrefix(layout, root);
      if (root === undefined || !prefix.startsWith(all)) return yield* client.list(prefix, options);
      const level = prefix === all ? 'all' : Number(prefix[all.length]);
      const hex = options.startAfter?.slice(prefix.length, prefix.length + 16);
      const from = hex === undefined || level === 'all' ? undefined : BigInt(`0x${hex}`);
      const listed = filesAt(root).listFiles(level, withoutRoot({ from, signal: options.signal }));
      for await (const file of listed) {
        const info = toInfo(file, root);
        if (prefix.length <= all.length + 2 || info.key.startsWith(prefix)) yield info;
      }
    },
    async get(key, options) {
      const [files, file] = fileOf(key, options) ?? [];
      if (files === undefined || file === undefined) return await client.get(key, options);
      return await files.openFile(file, withoutRoot(options));
    },
    async put(key, body, options) {
      const [files, file] = fileOf(key, options) ?? [];
      if (files === undefined || file === undefined) return await client.put(key, body, options);
      const given = withoutRoot(options) as Parameters<Files['writeFile']>[2];
      return toInfo(await files.writeFile(file, body, given), options?.root ?? '');
    },
    async delete(keys, options) {
      const found = keys.flatMap((key) => fileOf(key, options)?.[1] ?? []);
      if (found.length < keys.length || options?.root === undefined) {
        return await client.delete(keys, options);
      }
      await filesAt(options.root).deleteFiles(found, withoutRoot(options));
    },
    ...(one.copyFile !== undefined && {
      async copy(from, to, options) {
        const [files, source] = fileOf(from, options) ?? [];
        const [, target] = fileOf(to, options) ?? [];
        if (files?.copyFile === undefined || source === undefined || target === undefined) {
          throw new TypeError('only LTX files can be copied');
        }
        return toInfo(
          await files.copyFile(source, target, withoutRoot(options)),
          options?.root ?? '',
        );
      },
    }),
    ...(one.openLocalFile !== undefined && {
      async openLocal(key, options) {
        const [files, file] = fileOf(key, options) ?? [];
        if (files?.openLocalFile === undefined || file === undefined) {
          throw new TypeError('only LTX files can be opened');
        }
        return await files.openLocalFile(file, withoutRoot(options));
      },
    }),
  };
}

/** The given options without `root`; undefined if there are none. */
export function withoutRoot<Options extends CallOptions>(
  options: Options | undefined,
): Omit<Options, 'root'> | undefined {
  const entries = Object.entries(options ?? {}).filter(
    ([name, value]) => name !== 'root' && value !== undefined,
  );
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Omit<Options, 'root'>);
}

/** A plain object with all members of a client, bound to it. */
export function plain(client: ReplicaClient): ReplicaClient {
  return {
    name: client.name,
    layout: client.layout,
    capabilities: client.capabilities,
    list: (...given) => client.list(...given),
    get: (...given) => client.get(...given),
    put: (...given) => client.put(...given),
    delete: (...given) => client.delete(...given),
    ...(client.copy !== undefined && { copy: client.copy.bind(client) }),
    ...(client.openLocal !== undefined && { openLocal: client.openLocal.bind(client) }),
    close: () => client.close(),
  };
}
