/** Reading one file: a handle that is opened once, and read by position. */

import type { BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { ReplicationError, type ByteRange, type LocalFile, type Tasks } from '@sluice/core/backend';

import { toReplicationError } from './errors.ts';

/** One read. Large, because each costs a turn through the thread pool; memory is this a stream. */
const CHUNK_BYTES = 1_048_576;

export interface OpenedPath {
  readonly sizeBytes: number;
  /** When the file got here: set by the file system, whatever `mtime` was set to. */
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface ReadOptions {
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** As a file of this process; throws what `node:fs` throws. */
export async function openHandle(path: string): Promise<LocalFile> {
  const handle = await open(path, 'r');
  try {
    const { size: sizeBytes } = await handle.stat();
    return { sizeBytes, descriptor: handle.fd, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a file; throws what `node:fs` throws, or REPLICA_CHANGED or REPLICA_RANGE. */
export async function openPath(
  path: string,
  what: string,
  options: ReadOptions,
  tasks: Tasks,
): Promise<OpenedPath> {
  const handle = await open(path, 'r');
  try {
    const stats = await handle.stat({ bigint: true });
    const sizeBytes = Number(stats.size);
    const version = versionOf(stats);
    checkStat(what, { sizeBytes, version }, options);
    const { start = 0, end = sizeBytes } = options.range ?? {};
    const reader = new FileReader(handle, what, start, Math.min(end, sizeBytes), tasks, options);
    tasks.check(options.signal);
    return { sizeBytes, modifiedAt: stats.ctime, version, body: reader };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A rename puts another inode in place; one that is used again has another time of birth. */
export function versionOf({ ino, birthtimeNs, mtimeNs, size }: BigIntStats): string {
  return [ino, birthtimeNs, mtimeNs, size].map((part) => part.toString(36)).join('-');
}

function checkStat(
  what: string,
  stat: { readonly sizeBytes: number; readonly version: string },
  { version, range }: ReadOptions,
): void {
  if (version !== undefined && version !== stat.version) {
    throw new ReplicationError('REPLICA_CHANGED', `${what}: another file has its name now`);
  }
  if (range !== undefined && range.start > stat.sizeBytes) {
    const message = `${what}: byte ${range.start} of ${stat.sizeBytes}`;
    throw new ReplicationError('REPLICA_RANGE', message);
  }
}

/** Bytes from here to there. Ends itself when it is read, left, aborted or closed. */
class FileReader implements AsyncIterableIterator<Uint8Array> {
  readonly #handle: FileHandle;
  readonly #what: string;
  readonly #end: number;
  readonly #tasks: Tasks;
  readonly #signal: AbortSignal | undefined;
  readonly #stopWatching: () => void;
  #offset: number;
  #closed: Promise<void> | undefined;

  constructor(
    handle: FileHandle,
    what: string,
    start: number,
    end: number,
    tasks: Tasks,
    { signal }: ReadOptions,
  ) {
    this.#handle = handle;
    this.#what = what;
    this.#offset = start;
    this.#end = end;
    this.#tasks = tasks;
    this.#signal = signal;
    this.#stopWatching = tasks.onEnd(signal, () => this.#close());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      this.#tasks.check(this.#signal);
      if (this.#closed === undefined && this.#offset < this.#end) {
        const chunk = await this.#tasks.run(this.#signal, () => this.#read());
        if (chunk.byteLength > 0) return { done: false, value: chunk };
      }
    } catch (error) {
      await this.#close();
      throw error;
    }
    return await this.return();
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#close();
    return { done: true, value: undefined };
  }

  async #read(): Promise<Uint8Array> {
    // A buffer of its own for each: the reader may hold several, or give them to a worker.
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.#end - this.#offset));
    try {
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.byteLength, this.#offset);
      this.#offset += bytesRead;
      return chunk.subarray(0, bytesRead);
    } catch (error) {
      throw toReplicationError(error, this.#what);
    }
  }

  async #close(): Promise<void> {
    this.#stopWatching();
    this.#closed ??= this.#handle.close();
    await this.#closed;
  }
}
