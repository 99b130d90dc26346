/**
 * Folders in memory, under core's `folderDestination`: what the backends of files share, without a
 * disk or a server. It has links in its folders, which are neither file nor folder, lists in a strange
 * order, and reads three levels at once.
 */

import { posix } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import {
  folderDestination,
  readSource,
  ReplicationError,
  type FolderEntry,
  type FolderPlaceOptions,
  type FolderStore,
  type LTXBody,
} from '@sluice/core/backend';

import type { Setup, Subject } from '../src/index.ts';

interface File {
  readonly bytes: Uint8Array;
  readonly modifiedAt: Date;
  readonly createdAt: Date;
  readonly version: string;
}

/** By path. A disk begins with its root. */
type Disk = Map<string, File | 'folder'>;

/** As SFTP has it: a listing brings all that is known. */
interface Entry extends FolderEntry {
  readonly info: ReturnType<typeof infoOf>;
}

class Missing extends Error {}

export const FOLDERS: Subject = {
  name: 'folders in memory',
  layout: 'tree',
  capabilities: { ranges: true, ifAbsent: 'any-size' },
  objects: 'claimed',
  copy: 'not-claimed',
  removeEmpty: 'claimed',
  hooks: ['raw', 'vanish'],
  partSizeBytes: 1_000,
  secrets: [],
  open: async () => openDisk(),
};

function openDisk(): Setup {
  const disk: Disk = new Map([['/', 'folder']]);
  const store = storeOf(disk);
  let paths = 0;
  return {
    connect: async (access) => folderDestination('mem://', store, { access, logger: console }),
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

function storeOf(disk: Disk): FolderStore<Disk, Entry> {
  let versions = 0;
  const fileAt = async (path: string): Promise<File> => {
    await turn();
    const node = disk.get(path);
    if (typeof node !== 'object') throw new Missing(`${path}: no such file`);
    return node;
  };
  const place = async (
    path: string,
    body: LTXBody,
    { condition, signals }: FolderPlaceOptions,
  ): Promise<File> => {
    const bytes = Buffer.concat(await Array.fromAsync(readSource(body, signals)));
    await turn();
    for (const signal of signals) signal?.throwIfAborted();
    if (disk.get(posix.dirname(path)) !== 'folder') throw new Missing(`${path}: no such folder`);
    if (condition === 'if-absent' && disk.has(path)) {
      throw new ReplicationError('REPLICA_CONFLICT', `${path} is there already`);
    }
    const version = `v${(versions += 1)}`;
    const file = { bytes, modifiedAt: new Date(), createdAt: body.createdAt, version };
    disk.set(path, file);
    return file;
  };
  return {
    levelsAtOnce: 3,
    use: async (work) => {
      await turn();
      return await work(disk);
    },
    async stampOf(_, path) {
      const node = disk.get(path);
      return typeof node === 'object' ? node.version : node;
    },
    async readFolder(_, path) {
      await turn();
      const folder = path.replace(/(?<=.)\/$/, '');
      if (posix.basename(folder) === 'link') return [{ ...INSIDE, name: 'inside' }];
      if (disk.get(folder) !== 'folder') return undefined;
      const entries = namesIn(disk, folder).map(([name, node]): Entry => {
        const isFile = typeof node === 'object';
        return { name, kind: isFile ? 'file' : 'folder', info: infoOf(isFile ? node : NOTHING) };
      });
      // A replica has links beside its files, under names that a file and an object could have.
      const hasFiles = entries.some(({ name }) => !name.startsWith('.sluice-'));
      return hasFiles ? [...entries.toReversed(), ...LINKS] : entries;
    },
    async fileOf(_, { info: { createdAt, modifiedAt, sizeBytes } }) {
      return { createdAt, modifiedAt, sizeBytes };
    },
    async objectOf(_, { info: { modifiedAt, sizeBytes, version } }) {
      return { modifiedAt, sizeBytes, version };
    },
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
    makeFolder: async (_, path) => makeFolder(disk, path),
    async placeFile(_, path, body, options) {
      const { createdAt, modifiedAt, sizeBytes } = infoOf(await place(path, body, options));
      return { createdAt, modifiedAt, sizeBytes };
    },
    placeObject: async (_, path, body, options) => await place(path, body, options),
    async remove(_, path) {
      if (typeof disk.get(path) === 'object') disk.delete(path);
    },
    async removeFolder(_, path) {
      const folder = path.replace(/\/$/, '');
      if (disk.get(folder) === 'folder' && namesIn(disk, folder).length === 0) disk.delete(folder);
    },
    isMissing: (error) => error instanceof Missing,
    describe: (error, what) =>
      error instanceof Missing
        ? new ReplicationError('REPLICA_NOT_FOUND', `${what}: ${error.message}`)
        : new ReplicationError('REPLICA_UNKNOWN', what, { cause: error }),
  };
}

function infoOf({ bytes, ...file }: File) {
  return { sizeBytes: bytes.byteLength, ...file };
}

const NOTHING: File = {
  bytes: new Uint8Array(0),
  modifiedAt: new Date(0),
  createdAt: new Date(0),
  version: 'none',
};
/** What a link leads to. */
const INSIDE = { kind: 'file' as const, info: infoOf(NOTHING) };
const LINKS = ['0000000000000001-00000000000000ff.ltx', 'link'].map((name) => ({
  name,
  kind: 'other' as const,
  info: infoOf(NOTHING),
}));

function namesIn(disk: Disk, folder: string): [string, File | 'folder'][] {
  return [...disk].flatMap(([path, node]) =>
    path !== '/' && posix.dirname(path) === folder ? [[posix.basename(path), node]] : [],
  );
}

function makeFolder(disk: Disk, path: string): void {
  if (disk.get(path) === 'folder') return;
  makeFolder(disk, posix.dirname(path));
  disk.set(path, 'folder');
}
