/**
 * An in-memory file system under core's `FolderGuard`, the code that the file and SFTP backends share.
 * Its folders contain links, which are neither files nor folders. It lists in an unusual order and
 * reads three folders at once.
 */

import { posix } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import {
  ReplicationError,
  type Capabilities,
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';
import {
  FolderGuard,
  readSource,
  type FolderEntry,
  type FolderSteps,
  type PlaceOptions,
} from '@sluice/core/backend/folder';
import type { Setup, Subject } from '../src/index.ts';

interface File {
  readonly bytes: Uint8Array;
  readonly modifiedAt: Date;
  readonly createdAt: Date | undefined;
  readonly version: string;
}

/** Files and folders by path. A new disk has only a root folder. */
type Disk = Map<string, File | 'folder'>;

/** Like SFTP, where a listing includes all attributes. */
interface Entry extends FolderEntry {
  readonly info: ReturnType<typeof infoOf>;
}

class Missing extends Error {}

const CAPABILITIES: Capabilities = {
  ranges: true,
  conditions: 'any-size',
  deleteMax: 100,
  sortedLists: true,
  folders: true,
};

export const FOLDERS: Subject = {
  name: 'folders in memory',
  layout: 'tree',
  capabilities: CAPABILITIES,
  copy: 'not-claimed',
  hooks: ['raw', 'vanish'],
  partSizeBytes: 1_000,
  secrets: [],
  open: async () => openDisk(),
};

function openDisk(): Setup {
  const disk: Disk = new Map([['/', 'folder']]);
  let paths = 0;
  return {
    connect: async (access) => new MemoryFolders(disk, access),
    newPath: () => `/backups/replica-${(paths += 1)}`,
    raw: {
      async put(key, bytes) {
        makeFolder(disk, posix.dirname(key));
        const now = new Date();
        disk.set(key, { bytes, modifiedAt: now, createdAt: now, version: 'put' });
      },
      async keys(prefix) {
        const files = [...disk].filter(([, node]) => typeof node === 'object');
        return files.map(([path]) => path).filter((path) => path.startsWith(prefix));
      },
    },
    async vanish(path) {
      const hidden = [...disk].filter(([each]) => each.startsWith(`${path}/`));
      for (const [each] of hidden) disk.delete(each);
      return async () => {
        for (const [each, node] of hidden) disk.set(each, node);
      };
    },
    stop: async () => disk.clear(),
  };
}

function stepsOn(disk: Disk): FolderSteps<Entry> {
  let versions = 0;
  const fileAt = async (path: string): Promise<File> => {
    await turn();
    const node = disk.get(path);
    if (typeof node !== 'object') throw new Missing(`${path}: no such file`);
    return node;
  };
  const place = async (
    path: string,
    body: ObjectBody,
    { condition, signals }: PlaceOptions,
  ): Promise<File> => {
    const bytes = Buffer.concat(await Array.fromAsync(readSource(body, signals)));
    await turn();
    for (const signal of signals) signal?.throwIfAborted();
    if (disk.get(posix.dirname(path)) !== 'folder') throw new Missing(`${path}: no such folder`);
    if (condition === 'if-absent' && disk.has(path)) {
      throw new ReplicationError('REPLICA_CONFLICT', `${path} already exists`);
    }
    const version = `v${(versions += 1)}`;
    const file = { bytes, modifiedAt: new Date(), createdAt: body.createdAt, version };
    disk.set(path, file);
    return file;
  };
  return {
    foldersAtOnce: 3,
    async stampOf(path) {
      await turn();
      const node = disk.get(path);
      return typeof node === 'object' ? node.version : node;
    },
    async readFolder(folder) {
      await turn();
      if (posix.basename(folder) === 'link') return [{ ...INSIDE, name: 'inside' }];
      if (disk.get(folder) !== 'folder') return undefined;
      const entries = namesIn(disk, folder).map(([name, node]): Entry => {
        const isFile = typeof node === 'object';
        return { name, kind: isFile ? 'file' : 'folder', info: infoOf(isFile ? node : EMPTY_FILE) };
      });
      // Adds links to the folders of a replica, with names of an LTX file and a named object.
      const hasFiles = entries.some(({ name }) => !name.startsWith('.sluice-'));
      return hasFiles ? [...entries.toReversed(), ...LINKS] : entries;
    },
    infoOf: async (key, { info }) => ({ key, ...info }),
    async open(path) {
      const file = await fileAt(path);
      return {
        ...infoOf(file),
        async *read(start, end) {
          for (let at = start; at < end; at += 1_000) {
            await turn();
            yield file.bytes.subarray(at, Math.min(end, at + 1_000));
          }
        },
        close: turn,
      };
    },
    makeFolder: async (path) => makeFolder(disk, path),
    place: async (path, body, options) => ({
      key: path,
      ...infoOf(await place(path, body, options)),
    }),
    async remove(path) {
      await turn();
      if (typeof disk.get(path) === 'object') disk.delete(path);
    },
    async removeFolder(path) {
      await turn();
      if (disk.get(path) !== 'folder' || namesIn(disk, path).length > 0) return false;
      return disk.delete(path);
    },
    isMissing: (error) => error instanceof Missing,
    toError: (error, what) =>
      error instanceof Missing
        ? new ReplicationError('REPLICA_NOT_FOUND', `${what}: ${error.message}`)
        : new ReplicationError('REPLICA_UNKNOWN', what, { cause: error }),
  };
}

class MemoryFolders implements ReplicaClient {
  readonly name = 'mem://';
  readonly capabilities = CAPABILITIES;
  readonly #guard: FolderGuard<Entry>;

  constructor(disk: Disk, access: 'read' | 'write') {
    this.#guard = new FolderGuard(this.name, access, stepsOn(disk));
  }

  list(prefix: string, { startAfter, ...options }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const call = { ...options, what: `list ${prefix}* at ${this.name}` };
    return this.#guard.list(call, { prefix, startAfter });
  }

  async get(key: string, { range, version, ...options }: GetOptions = {}): Promise<OpenedObject> {
    const call = { ...options, what: `open ${key} at ${this.name}` };
    return await this.#guard.get(call, key, { range, version });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, ...options }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const call = { ...options, what: `write ${key} to ${this.name}` };
    if (typeof condition === 'object') throw new ReplicationError('REPLICA_UNSUPPORTED', call.what);
    return await this.#guard.put(call, key, body, condition);
  }

  async delete(
    keys: readonly string[],
    { version, ...options }: DeleteOptions = {},
  ): Promise<void> {
    const call = { ...options, what: `delete ${keys.join(' ')} at ${this.name}` };
    if (version !== undefined) throw new ReplicationError('REPLICA_UNSUPPORTED', call.what);
    await this.#guard.delete(call, keys);
  }

  async close(): Promise<void> {
    await this.#guard.close();
  }
}

function infoOf({ bytes, ...file }: File) {
  return { sizeBytes: bytes.byteLength, ...file };
}

const EMPTY_FILE: File = {
  bytes: new Uint8Array(0),
  modifiedAt: new Date(0),
  createdAt: new Date(0),
  version: 'none',
};
/** The target of a link. */
const INSIDE = { kind: 'file' as const, info: infoOf(EMPTY_FILE) };
const LINKS = ['0000000000000001-00000000000000ff.ltx', 'link'].map((name) => ({
  name,
  kind: 'other' as const,
  info: infoOf(EMPTY_FILE),
}));

function namesIn(disk: Disk, folder: string): [string, File | 'folder'][] {
  return [...disk].flatMap(([path, node]) =>
    path !== '/' && posix.dirname(path) === folder ? [[posix.basename(path), node]] : [],
  );
}

function makeFolder(disk: Disk, path: string): string[] {
  if (disk.get(path) === 'folder') return [];
  const above = makeFolder(disk, posix.dirname(path));
  disk.set(path, 'folder');
  return [...above, path];
}
