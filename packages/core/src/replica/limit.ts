/**
 * How many calls of a destination are on their way at once: one limiter for all of its replicas.
 * A slot is held by an attempt until its first byte has come, so that a reader that pauses, or
 * reads two files at a time, can neither hold up others nor wait for itself.
 */

import type { NamedObjects, ReplicaClient } from './client.ts';
import { reasonOf } from './clock.ts';
import { wrapCopy } from './wrap-copy.ts';
import { wrapLocal } from './wrap-local.ts';

/** Enough to fill a link over a latency of 100 ms; few enough for providers that count sockets. */
export const CALLS_MAX = 16;

/** Slots, handed out in the order of asking. */
export class Limiter {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Holds a slot while `work` runs. An abort while waiting takes none. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.#acquire(signal);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  async #acquire(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      // A slot that was handed over in this very moment is not lost: then `resolve` came first.
      if (this.#waiting.delete(resolve)) reject(reasonOf(signal));
    };
    this.#waiting.add(resolve);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

export function limit(client: ReplicaClient, limiter: Limiter): ReplicaClient {
  return {
    listFiles: (level, options) =>
      limitList(limiter, options?.signal, () => client.listFiles(level, options)),
    openFile: (file, options) => limiter.run(options?.signal, () => client.openFile(file, options)),
    writeFile: (file, body, options) =>
      limiter.run(options?.signal, () => client.writeFile(file, body, options)),
    deleteFiles: (files, options) =>
      limiter.run(options?.signal, () => client.deleteFiles(files, options)),
    ...wrapLocal(
      client,
      (open) => (file, options) => limiter.run(options?.signal, () => open(file, options)),
    ),
    ...wrapCopy(
      client,
      (copy) => (from, to, options) => limiter.run(options?.signal, () => copy(from, to, options)),
    ),
  };
}

export function limitObjects(objects: NamedObjects, limiter: Limiter): NamedObjects {
  return {
    put: (name, bytes, options) =>
      limiter.run(options?.signal, () => objects.put(name, bytes, options)),
    get: (name, options) => limiter.run(options?.signal, () => objects.get(name, options)),
    list: (prefix, options) =>
      limitList(limiter, options?.signal, () => objects.list(prefix, options)),
    delete: (name, options) => limiter.run(options?.signal, () => objects.delete(name, options)),
  };
}

/** The first request of a listing takes a slot; its pages come as fast as they are read. */
async function* limitList<Entry>(
  limiter: Limiter,
  signal: AbortSignal | undefined,
  open: () => AsyncIterable<Entry>,
): AsyncGenerator<Entry, void, undefined> {
  const iterator = open()[Symbol.asyncIterator]();
  try {
    let next = await limiter.run(signal, () => iterator.next());
    while (next.done !== true) {
      yield next.value;
      next = await iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}
