/**
 * A destination out of four functions, for places that keep whole objects by key and can do nothing
 * else: plain HTTP, key-value stores. What such a place lacks is done here: keys, order, sizes of
 * bodies, aborts, the end of a destination, and messages that say what was done to what.
 */

import { setMaxListeners } from 'node:events';

import { isError, messageOf, ReplicationError, type ErrorCode } from '../error.ts';
import type { Capabilities, Destination } from './backend.ts';
import { compareFiles, guard, guardStream, type CheckOptions } from './policy/checked.ts';
import type {
  AbortableOptions,
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  ListOptions,
  OpenedFile,
  OpenOptions,
  ReplicaClient,
  WriteOptions,
} from './client.ts';
import { systemTimers } from './timers.ts';
import { describeFile, describeReplica } from '../replica/describe.ts';
import { allLevelsPrefix, keyOf, levelPrefix, parseKey, type Layout } from './layout.ts';
import { untilAborted } from './until-aborted.ts';
import { WatchedBody } from './policy/watched-body.ts';

export interface StoredKey {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the store's clock. */
  readonly modifiedAt: Date;
}

/** Every signal aborts when the call is not wanted any more, or the destination closes. */
export interface ObjectStore {
  /** "https://example.com/": for logs; holds no secret. */
  readonly name: string;
  /** Default 'tree', which is where Litestream has its files at most kinds of destination. */
  readonly layout?: Layout | undefined;
  /** The largest object that it takes, if there is a bound. */
  readonly sizeMax?: number | undefined;
  /**
   * Stores a whole object, or nothing: a body that fails, or an abort, leaves what was there.
   * Resolves when it is durable, with the time by the store's clock.
   */
  put(key: string, body: LTXBody, signal: AbortSignal): Promise<{ readonly modifiedAt: Date }>;
  /** Undefined where there is no such object. Leaving the body early frees what it holds. */
  get(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly sizeBytes: number; readonly body: AsyncIterable<Uint8Array> } | undefined>;
  /** Every object whose key begins with `prefix`, in any order. They are sorted in memory. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredKey>;
  /** One that is gone already is no failure. */
  delete(key: string, signal: AbortSignal): Promise<void>;
  /** What an error means that is none of ours. Default REPLICA_UNKNOWN, which is not tried again. */
  codeOf?(error: unknown): ErrorCode;
  /** Frees what is still held; all signals have aborted by then. */
  close?(): Promise<void>;
}

/** A destination that claims nothing but sizeMax: core reads ranges by reading the whole. */
export function storeDestination(store: ObjectStore): Destination {
  const { name, sizeMax } = store;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each call in flight
  const capabilities: Capabilities = sizeMax === undefined ? {} : { sizeMax };
  const checks = { name, capabilities, clock: systemTimers, closing: closing.signal };
  return {
    name,
    capabilities,
    replica: (path) => new StoreReplica(store, path, checks),
    async close() {
      closing.abort(new ReplicationError('REPLICA_CLOSED', `${name} was closed`));
      await store.close?.();
    },
  };
}

class StoreReplica implements ReplicaClient {
  readonly #store: ObjectStore;
  readonly #path: string;
  readonly #name: string;
  readonly #layout: Layout;
  readonly #checks: CheckOptions;

  constructor(store: ObjectStore, path: string, checks: CheckOptions) {
    this.#store = store;
    this.#path = path;
    this.#name = describeReplica(store.name, path);
    this.#layout = store.layout ?? 'tree';
    this.#checks = checks;
  }

  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const files = guardStream(what, signal, this.#checks, (linked) =>
      this.#sorted(what, level, linked),
    );
    for await (const file of files) if (from === undefined || file.minTXID >= from) yield file;
  }

  async openFile(file: LTXFileRef, { signal }: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    // The signal of the call is in force until the body has ended, so the body is opened under it.
    const controller = new AbortController();
    const found = await guard(what, signal, this.#checks, (linked) => {
      linked.addEventListener('abort', () => controller.abort(linked.reason), { once: true });
      return this.#ours(what, () => this.#store.get(this.#keyOf(file), controller.signal));
    });
    if (found === undefined) {
      throw new ReplicationError('REPLICA_NOT_FOUND', `${what}: no such object`);
    }
    const body = guardStream(what, signal, this.#checks, (linked) => {
      linked.addEventListener('abort', () => controller.abort(linked.reason), { once: true });
      return this.#oursEach(what, untilAborted(found.body, linked));
    });
    return { sizeBytes: found.sizeBytes, body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition, signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `write ${describeFile(file)} to ${this.#name}`;
    if (condition === 'if-absent') {
      throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: it knows no conditions`);
    }
    return await guard(what, signal, this.#checks, async (linked) => {
      const open = (): AsyncIterable<Uint8Array> => untilAborted(body.open(), linked);
      const watched = new WatchedBody({ ...body, open }, what);
      try {
        const put = (): Promise<{ readonly modifiedAt: Date }> =>
          this.#store.put(this.#keyOf(file), watched, linked);
        const { modifiedAt } = await this.#ours(what, put);
        return { ...file, sizeBytes: body.sizeBytes, modifiedAt };
      } catch (error) {
        throw watched.failure === undefined ? error : watched.failure.error;
      }
    });
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    await guard(what, signal, this.#checks, async (linked) => {
      const failures = await this.#deleteEach(files, linked);
      const [first] = failures;
      if (first === undefined) return;
      const message = `${what}: ${failures.length} are still there, first ${first.message}`;
      throw new ReplicationError(first.code, message, { failures });
    });
  }

  async #deleteEach(files: readonly LTXFileRef[], signal: AbortSignal): Promise<Failure[]> {
    const failures: Failure[] = [];
    const queue = files.values();
    const worker = async (): Promise<void> => {
      for (const file of queue) {
        const what = describeFile(file);
        try {
          signal.throwIfAborted();
          await this.#ours(what, () => this.#store.delete(this.#keyOf(file), signal));
        } catch (error) {
          if (signal.aborted || !isError(error)) throw error;
          failures.push({ file: what, code: error.code, message: error.message });
        }
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, worker));
    return failures;
  }

  async *#sorted(
    what: string,
    level: number | 'all',
    signal: AbortSignal,
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const prefix =
      level === 'all'
        ? allLevelsPrefix(this.#layout, this.#path)
        : levelPrefix(this.#layout, this.#path, level);
    const files: LTXFileInfo[] = [];
    const listed = untilAborted(this.#store.list(prefix, signal), signal);
    for await (const { key, sizeBytes, modifiedAt } of this.#oursEach(what, listed)) {
      const file = parseKey(this.#layout, this.#path, key);
      if (file !== undefined) files.push({ ...file, sizeBytes, modifiedAt });
    }
    yield* files.sort((a, b) => a.level - b.level || compareFiles(a, b));
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(this.#layout, this.#path, file);
  }

  /** Gives the store's own errors a code. */
  async #ours<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#named(what, error);
    }
  }

  async *#oursEach<T>(what: string, items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* items;
    } catch (error) {
      throw this.#named(what, error);
    }
  }

  #named(what: string, error: unknown): unknown {
    if (isError(error)) return error;
    const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : '';
    const said = [messageOf(error), cause].filter((text) => text !== '').join(': ');
    const code = this.#store.codeOf?.(error) ?? 'REPLICA_UNKNOWN';
    return new ReplicationError(code, `${what}: ${said}`, { cause: error });
  }
}

type Failure = { readonly file: string; readonly code: ErrorCode; readonly message: string };

/** As many as core has calls on their way. */
const DELETES_AT_ONCE = 16;
