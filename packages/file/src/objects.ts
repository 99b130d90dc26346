/** Small things by name, beside the levels: one file each. */

import type { Dirent } from 'node:fs';
import { readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import {
  bodyFromBytes,
  describeReplica,
  isError,
  objectKey,
  parseObjectKey,
  ReplicationError,
  type AbortableOptions,
  type ByteRange,
  type ConnectContext,
  type NamedObjectInfo,
  type NamedObjects,
  type OpenedObject,
  type PutOptions,
} from '@sluice/core/backend';

import { systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { openPath, versionOf } from './read.ts';
import { MARKER_NAME, type Root } from './root.ts';
import { sweep } from './sweep.ts';
import type { Tasks } from './tasks.ts';
import { placeFile, TEMP_SUFFIX } from './write.ts';

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
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const name of this.#walk(folder, prefix, what, signal)) {
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

  /** Names below `folder` ("" or "a/b/") that begin with `prefix`, in byte order. */
  async *#walk(
    folder: string,
    prefix: string,
    what: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string, void, undefined> {
    const entries = await this.#tasks.run(signal, () => this.#readFolder(folder, what));
    for (const { path, kind } of entries) {
      this.#tasks.check(signal);
      const isWanted = kind === 'folder' ? beginAlike(path, prefix) : path.startsWith(prefix);
      if (!isWanted || !this.#isObject(path, kind)) continue;
      if (kind === 'folder') yield* this.#walk(path, prefix, what, signal);
      else yield path;
    }
  }

  /** What lies in a folder, in the byte order of the whole names below it. */
  async #readFolder(
    folder: string,
    what: string,
  ): Promise<{ path: string; kind: 'folder' | 'file' }[]> {
    const path = join(this.#root.path, folder);
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
      throw toReplicationError(error, what);
    }
    if (this.#context.access === 'write') {
      await sweep(
        path,
        entries.map((entry) => entry.name),
        this.#context.logger,
      );
    }
    // "a.b" comes before "a/c": a folder is sorted with its slash.
    return entries
      .map((entry) =>
        entry.isDirectory()
          ? { path: `${folder}${entry.name}/`, kind: 'folder' as const }
          : { path: folder + entry.name, kind: 'file' as const },
      )
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #isObject(path: string, kind: 'folder' | 'file'): boolean {
    const name = kind === 'folder' ? `${path}x` : path;
    if (isOurs(name)) return false;
    return parseObjectKey(this.#root.path, join(this.#root.path, name)) === name;
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
    if (!isOurs(name)) return path;
    throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: the name is one of our own`);
  }

  #named(error: unknown, what: string): unknown {
    return isError(error) ? error : toReplicationError(error, what);
  }
}

function isOurs(name: string): boolean {
  return name === MARKER_NAME || name.endsWith(TEMP_SUFFIX);
}

/** Whether a folder may hold names that begin with the prefix. */
function beginAlike(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}

/** A file system cannot replace one version and no other: two processes would both see theirs. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder knows no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
