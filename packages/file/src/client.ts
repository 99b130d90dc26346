/** The destination "local folders", and the files of one replica in it. */

import type { Stats } from 'node:fs';
import { readdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import {
  compareFiles,
  describeFile,
  describeReplica,
  isError,
  keyOf,
  LEVEL_MAX,
  levelPrefix,
  parseKey,
  ReplicationError,
  SourceError,
  Tasks,
  type AbortableOptions,
  type ConnectContext,
  type Destination,
  type FileFailure,
  type LTXBody,
  type LTXFileInfo,
  type LTXFileRef,
  type ListOptions,
  type LocalFile,
  type OpenedFile,
  type OpenOptions,
  type ReplicaClient,
  type Root,
  type WriteOptions,
} from '@sluice/core/backend';

import type { FileConfig } from './config.ts';
import { systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { FileObjects } from './objects.ts';
import { openHandle, openPath } from './read.ts';
import { removeEmpty } from './remove-empty.ts';
import { rootAt } from './root.ts';
import { sweep } from './sweep.ts';
import { placeFile } from './write.ts';

const NAME = 'file://';
const LAYOUT = 'tree';
/** Calls to the file system at once: a few for each of the four threads that Node has for them. */
const CALLS_AT_ONCE = 32;

/** Connects to nothing: a folder that is not there is found out by the first call. */
export async function connect(_config: FileConfig, context: ConnectContext): Promise<Destination> {
  const tasks = new Tasks(NAME);
  const roots = new Map<string, Root>();
  const rootOf = (path: string): Root => {
    const root = roots.get(path) ?? rootAt(path, context.access);
    roots.set(path, root);
    return root;
  };
  return {
    name: NAME,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new FileReplica(rootOf(path), tasks, context),
    objects: (path) => new FileObjects(rootOf(path), tasks, context),
    ...(context.access === 'write' && {
      removeEmpty: (path: string, { signal }: AbortableOptions = {}) =>
        tasks.run(signal, async () => {
          await removeEmpty(path, roots.get(path)?.marker ?? 'not seen');
          roots.delete(path); // whoever comes next finds out anew what is there
        }),
    }),
    close: () => tasks.close(),
  };
}

class FileReplica implements ReplicaClient {
  readonly #root: Root;
  readonly #tasks: Tasks;
  readonly #context: ConnectContext;
  readonly #name: string;
  /** Level folders that we have made or found. */
  readonly #folders = new Set<string>();

  constructor(root: Root, tasks: Tasks, context: ConnectContext) {
    this.#root = root;
    this.#tasks = tasks;
    this.#context = context;
    this.#name = describeReplica(NAME, root.path);
  }

  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const there = await this.#tasks.run(signal, () => this.#root.look(what));
    if (there === 'not-yet') return;
    const levels = level === 'all' ? Array.from({ length: LEVEL_MAX + 1 }, (_, i) => i) : [level];
    for (const each of levels) {
      const files = await this.#tasks.run(signal, () => this.#readLevel(each, what));
      const wanted = from === undefined ? files : files.filter((file) => file.minTXID >= from);
      for (let index = 0; index < wanted.length; index += CALLS_AT_ONCE) {
        const batch = wanted.slice(index, index + CALLS_AT_ONCE);
        const infos = await this.#tasks.run(signal, () => this.#statAll(batch, what));
        for (const info of infos) {
          this.#tasks.check(signal);
          if (info !== undefined) yield info;
        }
      }
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    const open = (): Promise<OpenedFile> =>
      openPath(this.#pathOf(file), what, options, this.#tasks);
    return await this.#open(options.signal, what, open);
  }

  async openLocalFile(file: LTXFileRef, { signal }: AbortableOptions = {}): Promise<LocalFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    return await this.#open(signal, what, async () => {
      const local = await openHandle(this.#pathOf(file));
      try {
        this.#tasks.check(signal); // nobody takes what comes too late
      } catch (error) {
        await local.close();
        throw error;
      }
      return local;
    });
  }

  async #open<T>(
    signal: AbortSignal | undefined,
    what: string,
    open: () => Promise<T>,
  ): Promise<T> {
    return await this.#tasks.run(signal, async () => {
      try {
        return await open();
      } catch (error) {
        // A file that is missing because its disk is says so.
        if (systemCode(error) === 'ENOENT') await this.#root.look(what);
        throw this.#named(error, what);
      }
    });
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `write ${describeFile(file)} to ${this.#name}`;
    const path = this.#pathOf(file);
    const signals = [signal, this.#tasks.closing];
    return await this.#tasks.run(signal, async () => {
      const place = async (): Promise<LTXFileInfo> => {
        await this.#root.prepare(what);
        await this.#ensureFolder(dirname(path));
        this.#tasks.check(signal);
        await placeFile(path, body, { condition, times: 'created-at', signals });
        return toInfo(file, await stat(path));
      };
      try {
        return await place().catch(async (error: unknown) => {
          // A level that we had found was removed behind our back, if the root is still there.
          if (systemCode(error) !== 'ENOENT' || !this.#folders.delete(dirname(path))) throw error;
          return await place();
        });
      } catch (error) {
        throw this.#named(error, what);
      }
    });
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    const there = await this.#tasks.run(signal, () => this.#root.look(what));
    if (there === 'not-yet') return;
    const failures: FileFailure[] = [];
    for (let index = 0; index < files.length; index += CALLS_AT_ONCE) {
      const batch = files.slice(index, index + CALLS_AT_ONCE);
      const unlinkAll = (): Promise<(FileFailure | undefined)[]> =>
        Promise.all(batch.map((file) => this.#unlink(file)));
      const ended = await this.#tasks.run(signal, unlinkAll);
      failures.push(...ended.filter((failure) => failure !== undefined));
    }
    const [first] = failures;
    if (first === undefined) return;
    const message = `${what}: ${failures.length} are still there, first ${first.message}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  /** The files of a level, in order. */
  async #readLevel(level: number, what: string): Promise<LTXFileRef[]> {
    const prefix = levelPrefix(LAYOUT, this.#root.path, level);
    let names: string[];
    try {
      names = await readdir(prefix);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []; // never written
      throw toReplicationError(error, what);
    }
    if (this.#context.access === 'write') await sweep(prefix, names, this.#context.logger);
    return names
      .flatMap((name) => parseKey(LAYOUT, this.#root.path, prefix + name) ?? [])
      .sort(compareFiles);
  }

  async #statAll(files: readonly LTXFileRef[], what: string): Promise<(LTXFileInfo | undefined)[]> {
    const statOne = async (file: LTXFileRef): Promise<LTXFileInfo | undefined> => {
      try {
        const stats = await stat(this.#pathOf(file));
        return stats.isFile() ? toInfo(file, stats) : undefined;
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined; // deleted meanwhile
        throw toReplicationError(error, what);
      }
    };
    return await Promise.all(files.map(statOne));
  }

  async #unlink(file: LTXFileRef): Promise<FileFailure | undefined> {
    try {
      await unlink(this.#pathOf(file));
      return undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      const { code, message } = toReplicationError(error, describeFile(file));
      return { file: describeFile(file), code, message };
    }
  }

  async #ensureFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    await makeFolder(dirname(folder));
    await makeFolder(folder);
    this.#folders.add(folder);
  }

  #pathOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#root.path, file);
  }

  #named(error: unknown, what: string): unknown {
    if (error instanceof SourceError) return error.cause;
    return isError(error) ? error : toReplicationError(error, what);
  }
}

function toInfo(file: LTXFileRef, { size, mtimeMs, ctime }: Stats): LTXFileInfo {
  // Litestream keeps the header's time in mtime; what is left for the upload is ctime. A file
  // system counts in other fractions than we do, so the millisecond is the nearest.
  return { ...file, sizeBytes: size, modifiedAt: ctime, createdAt: new Date(Math.round(mtimeMs)) };
}
