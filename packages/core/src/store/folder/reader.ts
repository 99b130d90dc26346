/** The body of a file that is opened once: ends itself when it is read, left, aborted or closed. */

import { ReplicationError } from '../../error.ts';
import type { OpenedObject, OpenOptions } from '../client.ts';
import type { FolderHandle } from './store.ts';
import type { Tasks } from './calls.ts';

interface Reading extends OpenOptions {
  readonly what: string;
  readonly tasks: Tasks;
  readonly named: (error: unknown) => unknown;
}

/** Takes over the handle: it is closed with the body, or at once if this throws. */
export async function readHandle(handle: FolderHandle, reading: Reading): Promise<OpenedObject> {
  const { sizeBytes, modifiedAt, version } = handle;
  const { range, signal, tasks, what } = reading;
  try {
    if (reading.version !== undefined && reading.version !== version) {
      throw new ReplicationError('REPLICA_CHANGED', `${what}: another file has its name now`);
    }
    const { start = 0, end = sizeBytes } = range ?? {};
    if (start > sizeBytes) {
      throw new ReplicationError('REPLICA_RANGE', `${what}: byte ${start} of ${sizeBytes}`);
    }
    tasks.check(signal);
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
    this.#stopWatching = reading.tasks.onEnd(reading.signal, () => this.#close());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { named, signal, tasks } = this.#reading;
    try {
      tasks.check(signal);
      if (this.#closed === undefined) {
        const next = await tasks.run(signal, () => this.#pieces.next());
        if (next.done !== true) return next;
      }
    } catch (error) {
      await this.#close();
      tasks.check(signal);
      throw named(error);
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
