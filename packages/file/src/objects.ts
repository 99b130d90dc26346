/** Small things by name, beside the levels: one file each. */

import { readdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import {
  bodyFromBytes,
  describeReplica,
  isError,
  isOwnName,
  objectKey,
  ReplicationError,
  walkObjects,
  type AbortableOptions,
  type ByteRange,
  type ConnectContext,
  type FolderEntry,
  type NamedObjectInfo,
  type NamedObjects,
  type OpenedObject,
  type PutOptions,
  type Root,
  type Tasks,
} from '@sluice/core/backend';

import { systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { openPath, versionOf } from './read.ts';
import { sweep } from './sweep.ts';
import { placeFile } from './write.ts';

export class FileObjects implements NamedObjects {
  readonly #root: Root;
  readonly #tasks: Tasks;
  readonly #context: ConnectContext;
  readonly #name: string;

  constructor(root: Root, tasks: Tasks, context: ConnectContext) {
    this.#root = root;
    this.#tasks = tasks;
    this.#context = context;
    this.#name = describeReplica('file://', root.path);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#name}`;
    const path = this.#pathOf(name, what);
    if (typeof condition === 'object') throw noVersions(what);
    const signals = [signal, this.#tasks.closing];
    const options = { condition: condition ?? 'none', times: 'as-they-come', signals } as const;
    return await this.#tasks.run(signal, async () => {
      try {
        await this.#root.prepare(what);
        await makeFolder(dirname(path));
        this.#tasks.check(signal);
        await placeFile(path, bodyFromBytes(bytes, new Date(0)), options);
        return { version: versionOf(await stat(path, { bigint: true })) };
      } catch (error) {
        throw this.#named(error, what);
      }
    });
  }

  async get(
    name: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const what = `open ${name} at ${this.#name}`;
    const path = this.#pathOf(name, what);
    return await this.#tasks.run(options.signal, async () => {
      try {
        return await openPath(path, what, options, this.#tasks);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') await this.#root.look(what);
        throw this.#named(error, what);
      }
    });
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const what = `list ${prefix}* at ${this.#name}`;
    const there = await this.#tasks.run(signal, () => this.#root.look(what));
    if (there === 'not-yet') return;
    const read = (folder: string): Promise<FolderEntry[]> =>
      this.#tasks.run(signal, () => this.#readFolder(folder, what));
    for await (const { name } of walkObjects(this.#root.path, prefix, read)) {
      if (name < from) continue;
      const info = await this.#tasks.run(signal, () => this.#stat(name, what));
      if (info !== undefined) yield info;
    }
  }

  async delete(
    name: string,
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const what = `delete ${name} at ${this.#name}`;
    const path = this.#pathOf(name, what);
    if (version !== undefined) throw noVersions(what);
    await this.#tasks.run(signal, async () => {
      if ((await this.#root.look(what)) === 'not-yet') return;
      try {
        await unlink(path);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw this.#named(error, what);
      }
    });
  }

  async #readFolder(path: string, what: string): Promise<FolderEntry[]> {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      const names = entries.map((entry) => entry.name);
      if (this.#context.access === 'write') await sweep(path, names, this.#context.logger);
      return entries.map((entry) => ({
        name: entry.name,
        kind: entry.isDirectory() ? 'folder' : 'file',
      }));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
      throw toReplicationError(error, what);
    }
  }

  async #stat(name: string, what: string): Promise<NamedObjectInfo | undefined> {
    try {
      const stats = await stat(this.#pathOf(name, what), { bigint: true });
      if (!stats.isFile()) return undefined;
      const { size, ctime } = stats;
      return { name, sizeBytes: Number(size), modifiedAt: ctime, version: versionOf(stats) };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined; // deleted meanwhile
      throw this.#named(error, what);
    }
  }

  #pathOf(name: string, what: string): string {
    const path = objectKey(this.#root.path, name);
    if (!isOwnName(name)) return path;
    throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: the name is one of our own`);
  }

  #named(error: unknown, what: string): unknown {
    return isError(error) ? error : toReplicationError(error, what);
  }
}

/** A file system cannot replace one version and no other: two processes would both see theirs. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder knows no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
