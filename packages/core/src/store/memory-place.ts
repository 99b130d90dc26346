/** What the files and the objects of a destination in memory have in common. */

import { ReplicationError } from '../error.ts';
import type { Capabilities } from './backend.ts';
import type { AbortableOptions, ByteRange } from './client.ts';
import { describeReplica } from '../replica/describe.ts';
import type { Layout } from './layout.ts';

export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedAt: Date;
  readonly createdAt?: Date | undefined;
  readonly version: string;
}

/** Where the objects are: a bucket that only this process knows. */
export class MemoryStore {
  readonly objects: Map<string, StoredObject> = new Map();
  /** False for a bucket that is gone. */
  exists = true;
  #versions = 0;

  put(key: string, bytes: Uint8Array, times: { modifiedAt: Date; createdAt?: Date }): StoredObject {
    this.#versions += 1;
    const stored = { bytes, ...times, version: `v${this.#versions}` };
    this.objects.set(key, stored);
    return stored;
  }

  /** In byte order. All keys are ASCII but for what others put here. */
  keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

export interface Settings {
  readonly name: string;
  readonly store: MemoryStore;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  readonly now: () => Date;
  readonly chunkBytes: number;
  readonly closed: AbortSignal;
}

/** The doors, reading, and the errors. */
export class MemoryPlace {
  readonly root: string;
  readonly settings: Settings;
  readonly name: string;

  constructor(root: string, settings: Settings) {
    this.root = root;
    this.settings = settings;
    this.name = describeReplica(settings.name, root);
  }

  /** To be passed before anything is touched. A turn of the loop each, as a request takes. */
  async enter(what: string, options: AbortableOptions | undefined): Promise<void> {
    this.check(options?.signal);
    await Promise.resolve();
    this.check(options?.signal);
    if (!this.settings.store.exists) {
      throw new ReplicationError(
        'REPLICA_DESTINATION_NOT_FOUND',
        `${what} at ${this.name}: the destination is not there`,
      );
    }
  }

  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.settings.closed.throwIfAborted();
  }

  find(key: string, what: string): StoredObject {
    const stored = this.settings.store.objects.get(key);
    if (stored !== undefined) return stored;
    const message = `${what} at ${this.name}: no such object`;
    throw new ReplicationError('REPLICA_NOT_FOUND', message);
  }

  async *read(
    bytes: Uint8Array,
    { start, end = bytes.byteLength }: ByteRange,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const stop = Math.min(end, bytes.byteLength);
    for (let offset = start; offset < stop; offset += this.settings.chunkBytes) {
      await Promise.resolve();
      this.check(signal);
      yield bytes.slice(offset, Math.min(offset + this.settings.chunkBytes, stop));
    }
  }

  checkRange(what: string, range: ByteRange | undefined, sizeBytes: number): void {
    if (range === undefined) return;
    if (this.settings.capabilities.ranges !== true) throw this.refused(what, 'ranges');
    if (range.start <= sizeBytes) return;
    const message = `${what} at ${this.name}: byte ${range.start} of ${sizeBytes}`;
    throw new ReplicationError('REPLICA_RANGE', message);
  }

  refused(what: string, option: string): ReplicationError {
    const message = `${what} at ${this.name}: does not know ${option}`;
    return new ReplicationError('REPLICA_UNSUPPORTED', message);
  }

  conflict(what: string): ReplicationError {
    const message = `${what} at ${this.name}: the condition does not hold`;
    return new ReplicationError('REPLICA_CONFLICT', message);
  }
}
