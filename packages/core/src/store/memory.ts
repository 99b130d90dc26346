/**
 * The reference implementation of the contract, in memory: what a backend should do, in the fewest
 * words. Claims all capabilities, unless told to claim fewer. Several destinations may share one
 * store, as clients share a bucket.
 */

import { ReplicationError } from '../error.ts';
import type { Capabilities, Destination } from './backend.ts';
import type {
  AbortableOptions,
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  ListOptions,
  OpenOptions,
  OpenedFile,
  ReplicaClient,
  WriteOptions,
} from './client.ts';
import { describeFile } from '../replica/describe.ts';
import { allLevelsPrefix, keyOf, levelPrefix, parseKey, type Layout } from './layout.ts';
import { MemoryObjects } from './memory-objects.ts';
import { untilAborted } from './until-aborted.ts';
import { MemoryPlace, MemoryStore, type Settings, type StoredObject } from './memory-place.ts';

export interface MemoryOptions {
  readonly name?: string | undefined;
  readonly store?: MemoryStore | undefined;
  readonly layout?: Layout | undefined;
  readonly capabilities?: Capabilities | undefined;
  readonly now?: (() => Date) | undefined;
  /** Bytes per chunk of a read. Default 64 KiB. */
  readonly chunkBytes?: number | undefined;
}

export function memoryDestination(options: MemoryOptions = {}): Destination {
  const closed = new AbortController();
  const settings: Settings = {
    name: options.name ?? 'memory://',
    store: options.store ?? new MemoryStore(),
    layout: options.layout ?? 'tree',
    capabilities: options.capabilities ?? { ranges: true, ifAbsent: 'any-size' },
    now: options.now ?? (() => new Date()),
    chunkBytes: options.chunkBytes ?? 65_536,
    closed: closed.signal,
  };
  return {
    name: settings.name,
    capabilities: settings.capabilities,
    replica: (path) => new MemoryReplica(path, settings),
    objects: (path) => new MemoryObjects(path, settings),
    async close() {
      closed.abort(new ReplicationError('REPLICA_CLOSED', `${settings.name} was closed`));
    },
  };
}

class MemoryReplica implements ReplicaClient {
  readonly #place: MemoryPlace;
  readonly #settings: Settings;

  constructor(path: string, settings: Settings) {
    this.#place = new MemoryPlace(path, settings);
    this.#settings = settings;
  }

  async *listFiles(
    level: number | 'all',
    options: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const { layout, store } = this.#settings;
    const { root } = this.#place;
    await this.#place.enter(`list level ${level}`, options);
    const prefix =
      level === 'all' ? allLevelsPrefix(layout, root) : levelPrefix(layout, root, level);
    for (const key of store.keys(prefix)) {
      this.#place.check(options.signal);
      const file = parseKey(layout, root, key);
      const stored = store.objects.get(key);
      if (file === undefined || stored === undefined) continue;
      if (options.from === undefined || file.minTXID >= options.from) yield info(file, stored);
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)}`;
    await this.#place.enter(what, options);
    const { bytes, version } = this.#place.find(this.#keyOf(file), what);
    if (options.version !== undefined && options.version !== version) {
      const message = `${what} at ${this.#place.name}: ${version} is there`;
      throw new ReplicationError('REPLICA_CHANGED', message);
    }
    this.#place.checkRange(what, options.range, bytes.byteLength);
    const body = this.#place.read(bytes, options.range ?? { start: 0 }, options.signal);
    return { sizeBytes: bytes.byteLength, version, body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    options: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `write ${describeFile(file)}`;
    const { ifAbsent } = this.#settings.capabilities;
    await this.#place.enter(what, options);
    const isConditional = options.condition === 'if-absent';
    if (isConditional && ifAbsent === undefined) throw this.#place.refused(what, 'conditions');
    const chunks: Uint8Array[] = [];
    for await (const chunk of untilAborted(body.open(), options.signal, this.#settings.closed)) {
      chunks.push(chunk.slice()); // the source may use its buffer again
    }
    const bytes = Buffer.concat(chunks);
    if (bytes.byteLength !== body.sizeBytes) {
      const sizes = `the source gave ${bytes.byteLength} of ${body.sizeBytes} bytes`;
      throw new ReplicationError('LTX_TRUNCATED', `${what} to ${this.#place.name}: ${sizes}`);
    }
    this.#place.check(options.signal);
    // From here to the end nothing is awaited: the name changes at once.
    const key = this.#keyOf(file);
    if (isConditional && this.#settings.store.objects.has(key)) throw this.#place.conflict(what);
    const times = { modifiedAt: this.#settings.now(), createdAt: body.createdAt };
    return info(file, this.#settings.store.put(key, bytes, times));
  }

  async deleteFiles(files: readonly LTXFileRef[], options: AbortableOptions = {}): Promise<void> {
    await this.#place.enter(`delete ${files.length} files`, options);
    for (const file of files) this.#settings.store.objects.delete(this.#keyOf(file));
  }

  async copyFile(
    from: LTXFileRef,
    to: LTXFileRef,
    options: AbortableOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `copy ${describeFile(from)}`;
    await this.#place.enter(what, options);
    const { bytes, createdAt } = this.#place.find(this.#keyOf(from), what);
    const times = { modifiedAt: this.#settings.now(), ...(createdAt && { createdAt }) };
    return info(to, this.#settings.store.put(this.#keyOf(to), bytes, times));
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(this.#settings.layout, this.#place.root, file);
  }
}

function info(file: LTXFileRef, stored: StoredObject): LTXFileInfo {
  const { bytes, modifiedAt, createdAt } = stored;
  return { ...file, sizeBytes: bytes.byteLength, modifiedAt, createdAt };
}
