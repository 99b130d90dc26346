/**
 * Attributes errors that escape from the code of a backend: an `error` event without a listener, a promise
 * that nobody awaits, an exception in a callback. Each call runs in the asynchronous context of its
 * `Containment`, and Node keeps that context for the timers, sockets and promises that the call creates. The
 * handlers of the process ask `ownerOfEscaped` whose error it is.
 *
 * An escaped error breaks the client: its state is unknown, so its calls reject with that error, and its user
 * closes it and connects again. The body of a write and the listeners of the caller's signal belong to core
 * and to the backend respectively, and run in their own contexts.
 *
 * Limit: Node 22 reports no context for an exception in the callback of `queueMicrotask`.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';

import { messageOf, ReplicationError } from '../../error.ts';
import { onAbort, unlessAborted } from '../abort.ts';
import type { ObjectBody, OpenedObject, ReplicaClient } from '../client.ts';
import { forwardIf } from './forward.ts';

const contexts = new AsyncLocalStorage<Containment | undefined>();

/** The containment whose code is running; undefined for all other code. */
export function ownerOfEscaped(): Containment | undefined {
  return contexts.getStore();
}

/** The context of one connection to a destination. */
export class Containment {
  /** The destination, for messages. */
  readonly name: string;
  readonly #broken = new AbortController();

  constructor(name: string) {
    this.name = name;
    setMaxListeners(0, this.#broken.signal); // one for each call in flight
  }

  /** Aborted by the first escaped error. Its reason is a ReplicationError. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  /** Runs code of the backend. */
  run<T>(work: () => T): T {
    return contexts.run(this, work);
  }

  /** Runs asynchronous code of the backend. Rejects as soon as an error escapes. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.broken.throwIfAborted();
    return await unlessAborted(
      this.run(async () => await work()),
      [this.broken],
    );
  }

  /** Records an escaped error. */
  escaped(error: unknown): void {
    const message =
      `use ${this.name}: an error escaped from its backend: ${messageOf(error)}; Sluice connects again, and ` +
      'other destinations are not affected; report it to the author of the backend, with the stack in the log';
    this.#broken.abort(new ReplicationError('REPLICA_UNKNOWN', message, { cause: error }));
  }
}

/** A client whose calls run in `containment`. Wraps the bare client of a backend. */
export function contained(client: ReplicaClient, containment: Containment): ReplicaClient {
  const { name, layout, capabilities } = client;
  const within = <Options extends { readonly signal?: AbortSignal | undefined }>(
    options: Options | undefined,
  ): Options | undefined =>
    options?.signal === undefined
      ? options
      : { ...options, signal: signalWithin(containment, options.signal) };
  return {
    name,
    layout,
    capabilities,
    list: (prefix, options) => eachWithin(containment, () => client.list(prefix, within(options))),
    async get(key, options): Promise<OpenedObject> {
      const opened = await containment.call(() => client.get(key, within(options)));
      return { ...opened, body: eachWithin(containment, () => opened.body) };
    },
    put: (key, body, options) =>
      containment.call(() => client.put(key, bodyOutside(body), within(options))),
    delete: (keys, options) => containment.call(() => client.delete(keys, within(options))),
    ...forwardIf(
      client,
      'copy',
      (copy) => (from, to, options) => containment.call(() => copy(from, to, within(options))),
    ),
    ...forwardIf(
      client,
      'openLocal',
      (open) => (key, options) => containment.call(() => open(key, within(options))),
    ),
    // A broken client is closed too.
    close: () => containment.run(async () => await client.close()),
  };
}

/**
 * Aborts when `signal` does, but calls the listeners in the context of the backend: an exception in a
 * listener is reported in the context of `abort`.
 */
function signalWithin(containment: Containment, signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  onAbort([signal], (reason) => containment.run(() => controller.abort(reason)));
  return controller.signal;
}

async function* eachWithin<Item>(
  containment: Containment,
  open: () => AsyncIterable<Item>,
): AsyncGenerator<Item, void, undefined> {
  const iterator = containment.run(() => open()[Symbol.asyncIterator]());
  let isWaiting = false;
  try {
    for (;;) {
      isWaiting = true;
      const next = await containment.call(() => iterator.next());
      isWaiting = false;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const ended = containment.run(() => iterator.return?.().catch(() => undefined));
    // A generator that hangs in next() cannot return before that: do not wait for it.
    if (!isWaiting) await ended;
  }
}

/** The same body, read outside of the context of the backend that reads it. */
function bodyOutside(body: ObjectBody): ObjectBody {
  const { sizeBytes, createdAt } = body;
  return { sizeBytes, createdAt, open: () => eachOutside(body.open()) };
}

async function* eachOutside<Item>(source: AsyncIterable<Item>): AsyncGenerator<Item, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await contexts.run(undefined, () => iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await contexts.run(undefined, () => iterator.return?.());
  }
}
