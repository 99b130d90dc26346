/** The body of an open file. It closes the file at its end, when it is left or aborted, or when the client closes. */

import { ReplicationError } from '../../error.ts';
import type { GetOptions, OpenedObject } from '../client.ts';
import type { Calls } from './calls.ts';

/** An open file. Its content does not change if the name is replaced or deleted. */
export interface FolderHandle {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** Differs for each file that has had this name. */
  readonly version: string;
  /** The bytes from `start` to `end`; fewer if the file has become shorter. Called at most once. */
  read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** Called once, possibly during a `read`. */
  close(): Promise<void>;
}

interface Reading extends GetOptions {
  readonly what: string;
  readonly calls: Calls;
  readonly toError: (error: unknown) => unknown;
}

/** Takes ownership of the handle: it is closed with the body, or at once if this throws. */
export async function readHandle(handle: FolderHandle, reading: Reading): Promise<OpenedObject> {
  const { sizeBytes, modifiedAt, version } = handle;
  const { range, signal, calls, what } = reading;
  try {
    if (reading.version !== undefined && reading.version !== version) {
      throw new ReplicationError('REPLICA_CHANGED', `${what}: the file was replaced`);
    }
    const { start = 0, end = sizeBytes } = range ?? {};
    if (start > sizeBytes) {
      throw new ReplicationError('REPLICA_RANGE', `${what}: byte ${start} of ${sizeBytes}`);
    }
    calls.check(signal);
    const body = new HandleReader(handle, start, Math.min(end, sizeBytes), reading);
    return { sizeBytes, modifiedAt, version, body };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class HandleReader implements AsyncIterableIterator<Uint8Array> {
  readonly #handle: FolderHandle;
  readonly #reading: Reading;
  readonly #pieces: AsyncGenerator<Uint8Array, void, undefined>;
  readonly #stopWatching: () => void;
  #closed: Promise<void> | undefined;

  constructor(handle: FolderHandle, start: number, end: number, reading: Reading) {
    this.#handle = handle;
    this.#reading = reading;
    this.#pieces = handle.read(start, end);
    this.#stopWatching = reading.calls.onEnd(reading.signal, () => this.#close());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { toError, signal, calls } = this.#reading;
    try {
      calls.check(signal);
      if (this.#closed === undefined) {
        const next = await calls.run(signal, () => this.#pieces.next());
        if (next.done !== true) return next;
      }
    } catch (error) {
      await this.#close();
      calls.check(signal);
      throw toError(error);
    }
    return await this.return();
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#close();
    return { done: true, value: undefined };
  }

  async #close(): Promise<void> {
    this.#stopWatching();
    this.#closed ??= this.#handle.close();
    await this.#closed;
  }
}
