/** Reading one file: a handle that is opened once, and several requests ahead of the reader. */

import { ReplicationError, type ByteRange, type Tasks } from '@sluice/core/backend';

import type { Attributes, Channel } from './channel.ts';
import { toReplicationError } from './errors.ts';

/** What may be on its way, and so in memory, for each file: as much as ssh2's window takes. */
const AHEAD_BYTES = 2 * 1024 * 1024;
const REQUESTS_AHEAD_MAX = 64;

export interface ReadOptions {
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenedPath {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Which version a file is. SFTP tells no inode, so it is told by the file itself. */
export type VersionOf = (
  attributes: Attributes,
  readAt: (position: number, length: number) => Promise<Uint8Array>,
) => Promise<string>;

interface Reading extends ReadOptions {
  readonly what: string;
  readonly tasks: Tasks;
  /** Called once, when the handle is closed. */
  readonly release: () => void;
}

/** Takes over `handle`: it is closed when the body is read, left, aborted or closed, or at once if this throws. */
export async function openHandle(
  channel: Channel,
  handle: Buffer,
  versionOf: VersionOf,
  reading: Reading,
): Promise<OpenedPath> {
  const { range, what, tasks, signal } = reading;
  try {
    const attributes = await channel.fstat(handle);
    const { sizeBytes } = attributes;
    const version = await versionOf(attributes, (at, length) =>
      readAt(channel, handle, at, length),
    );
    if (reading.version !== undefined && reading.version !== version) {
      throw new ReplicationError('REPLICA_CHANGED', `${what}: another file has its name now`);
    }
    const { start = 0, end = sizeBytes } = range ?? {};
    if (range !== undefined && start > sizeBytes) {
      throw new ReplicationError('REPLICA_RANGE', `${what}: byte ${start} of ${sizeBytes}`);
    }
    tasks.check(signal);
    const body = new HandleReader(channel, handle, start, Math.min(end, sizeBytes), reading);
    return { sizeBytes, modifiedAt: new Date(attributes.accessedMs), version, body };
  } catch (error) {
    await channel.close(handle).catch(() => undefined);
    throw error;
  }
}

/** The bytes from `start` to `end`, fewer if the file has become shorter. */
export async function* readPieces(
  channel: Channel,
  handle: Buffer,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieceBytes = channel.pieceBytes('read');
  const ahead = Math.max(1, Math.min(Math.floor(AHEAD_BYTES / pieceBytes), REQUESTS_AHEAD_MAX));
  const pieces: { readonly length: number; readonly bytes: Promise<Uint8Array> }[] = [];
  for (let position = start; position < end || pieces.length > 0;) {
    while (pieces.length < ahead && position < end) {
      const length = Math.min(pieceBytes, end - position);
      const bytes = readAt(channel, handle, position, length);
      bytes.catch(() => undefined); // nobody waits for those behind the one that fails
      pieces.push({ length, bytes });
      position += length;
    }
    const piece = pieces.shift();
    if (piece === undefined) return;
    const bytes = await piece.bytes;
    if (bytes.byteLength > 0) yield bytes;
    if (bytes.byteLength < piece.length) return;
  }
}

async function readAt(
  channel: Channel,
  handle: Buffer,
  position: number,
  length: number,
): Promise<Uint8Array> {
  // A buffer of its own for each: the reader may hold several, or give them to a worker.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const came = await channel.read(handle, bytes, filled, position + filled);
    if (came === 0) break;
    filled += came;
  }
  return bytes.subarray(0, filled);
}

/** Bytes from here to there. Ends itself when it is read, left, aborted or closed. */
class HandleReader implements AsyncIterableIterator<Uint8Array> {
  readonly #reading: Reading;
  readonly #pieces: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #closeHandle: () => Promise<void>;
  readonly #stopWatching: () => void;
  #closed: Promise<void> | undefined;

  constructor(channel: Channel, handle: Buffer, start: number, end: number, reading: Reading) {
    this.#reading = reading;
    this.#pieces = readPieces(channel, handle, start, end);
    this.#closeHandle = () => channel.close(handle);
    this.#stopWatching = reading.tasks.onEnd(reading.signal, () => this.#close());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { tasks, signal, what } = this.#reading;
    try {
      tasks.check(signal);
      if (this.#closed === undefined) {
        const next = await tasks.run(signal, () => this.#pieces.next());
        if (next.done !== true) return next;
      }
    } catch (error) {
      await this.#close();
      tasks.check(signal);
      throw toReplicationError(error, what);
    }
    return await this.return();
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#close();
    return { done: true, value: undefined };
  }

  async #close(): Promise<void> {
    this.#stopWatching();
    // A handle that cannot be closed went with its channel.
    this.#closed ??= this.#closeHandle()
      .catch(() => undefined)
      .finally(this.#reading.release);
    await this.#closed;
  }
}
