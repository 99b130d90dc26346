/**
 * The guarantees for callers, with every backend. The outermost wrapper. A simple backend may also wrap
 * itself in it, to handle aborts and `close`.
 *
 * - Arguments are checked before anything is sent. An option whose capability is not claimed is
 *   REPLICA_UNSUPPORTED, so a client never receives an option that it does not support.
 * - An aborted call rejects with the signal's reason within a second. Calls of a closed client reject
 *   with REPLICA_CLOSED.
 * - Listings contain only keys below the prefix and after `startAfter`, sorted if that is claimed.
 * - Reads return exactly the requested bytes (exact-read.ts).
 * - Any other error of a client becomes REPLICA_UNKNOWN, with its cause.
 */

import { setMaxListeners } from 'node:events';

import { assert, ReplicationError } from '../../error.ts';
import { abortable, inTime, linkSignals, onAbort, untilAborted } from '../abort.ts';
import {
  CLOSE_MS_MAX,
  type CallOptions,
  type Capabilities,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type PutOptions,
  type ReplicaClient,
} from '../client.ts';
import { describeRange } from '../describe.ts';
import { compareKeys } from '../layout.ts';
import { systemTimers, type TimerClock } from '../timers.ts';
import { checkRange, openExactly } from './exact-read.ts';
import { describeCall, forwardIf, toReplicationError } from './forward.ts';
import { WatchedBody } from './watched-body.ts';

/** Time for an aborted call to clean up. The contract allows one second in total. */
export const GRACE_MS = 900;

/** Options of `checked`. */
export interface CheckedOptions {
  readonly clock?: TimerClock | undefined;
  /** When it aborts, all calls reject with its reason. */
  readonly broken?: AbortSignal | undefined;
}

/** Wraps a client so that it keeps the guarantees at the top of this file. */
export function checked(
  client: ReplicaClient,
  { clock = systemTimers, broken }: CheckedOptions = {},
): ReplicaClient {
  const { name, layout, capabilities } = client;
  const guard = new Guard(name, clock, broken);
  return {
    name,
    layout,
    capabilities,
    list(prefix, options = {}) {
      const what = describeCall.list(name, prefix);
      const listed = guard.stream(what, options.signal, (signal) =>
        client.list(prefix, { ...options, signal }),
      );
      return expected(listed, what, prefix, options, capabilities);
    },
    async get(key, options = {}) {
      checkKey(key);
      checkRange(options.range);
      const what = describeCall.get(name, key + describeRange(options.range));
      const { closing } = guard;
      return await openExactly((at) => client.get(key, at), what, options, { clock, closing });
    },
    async put(key, body, options = {}) {
      checkKey(key);
      const what = describeCall.put(name, key);
      checkPut(what, body, options.condition, capabilities);
      const watched = new WatchedBody(body, what);
      try {
        const info = await guard.call(what, options.signal, (signal) =>
          // Do not wait for a source that hangs.
          client.put(key, abortableBody(watched, signal), { ...options, signal }),
        );
        checkWritten(what, info, key, body);
        return info;
      } catch (error) {
        const isAborted = guard.closing.aborted || options.signal?.aborted === true;
        // Report the source's own error, not the error that the client made of it.
        throw watched.failure === undefined || isAborted ? error : watched.failure.error;
      }
    },
    async delete(keys, options = {}) {
      for (const key of keys) checkKey(key);
      const what = describeCall.delete(name, keys);
      if (options.version !== undefined) {
        assert(keys.length === 1, 'a version is given with one key only');
        if (capabilities.versions !== true) throw unsupported(what, NO_VERSIONS);
      }
      await guard.call(what, options.signal, async (signal) => {
        if (keys.length > 0) await client.delete(keys, { ...options, signal });
      });
    },
    ...forwardIf(client, 'copy', (copy) => async (from, to, options = {}) => {
      checkKey(from);
      checkKey(to);
      const what = describeCall.copy(name, from, to);
      return await guard.call(what, options.signal, (signal) =>
        copy(from, to, { ...options, signal }),
      );
    }),
    ...forwardIf(client, 'openLocal', (open) => async (key, options = {}) => {
      checkKey(key);
      const what = describeCall.get(name, key);
      return await guard.call(what, options.signal, (signal) => open(key, { ...options, signal }));
    }),
    async close() {
      guard.close();
      const timeoutError = (): Error =>
        new ReplicationError('REPLICA_UNKNOWN', `close ${name}: not closed in ${CLOSE_MS_MAX} ms`);
      await inTime(client.close(), { clock, ms: CLOSE_MS_MAX, timeoutError });
    },
  };
}

/** Runs calls with a signal that also aborts on close, and converts their errors to ReplicationErrors. */
class Guard {
  readonly #name: string;
  readonly #clock: TimerClock;
  readonly #closing = new AbortController();

  constructor(name: string, clock: TimerClock, broken: AbortSignal | undefined) {
    this.#name = name;
    this.#clock = clock;
    setMaxListeners(0, this.#closing.signal); // one for each call in flight
    onAbort([broken], (reason) => this.#closing.abort(reason));
  }

  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  close(): void {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`));
  }

  async call<T>(
    what: string,
    signal: CallOptions['signal'],
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const link = linkSignals(this.closing, signal);
    try {
      link.signal.throwIfAborted();
      const grace = { clock: this.#clock, graceMs: GRACE_MS };
      return await abortable(call(link.signal), link.signal, grace);
    } catch (error) {
      throw link.signal.aborted ? link.signal.reason : toReplicationError(what, error);
    } finally {
      link.unlink();
    }
  }

  async *stream<T>(
    what: string,
    signal: CallOptions['signal'],
    open: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const link = linkSignals(this.closing, signal);
    try {
      link.signal.throwIfAborted();
      for await (const item of untilAborted(open(link.signal), link.signal)) {
        yield item;
        link.signal.throwIfAborted();
      }
    } catch (error) {
      throw link.signal.aborted ? link.signal.reason : toReplicationError(what, error);
    } finally {
      link.unlink();
    }
  }
}

function abortableBody(body: ObjectBody, signal: AbortSignal): ObjectBody {
  const { sizeBytes, createdAt } = body;
  return { sizeBytes, createdAt, open: () => untilAborted(body.open(), signal) };
}

async function* expected(
  objects: AsyncIterable<ObjectInfo>,
  what: string,
  prefix: string,
  { startAfter }: ListOptions,
  { sortedLists }: Capabilities,
): AsyncGenerator<ObjectInfo, void, undefined> {
  let last: string | undefined;
  for await (const object of objects) {
    const { key } = object;
    if (!key.startsWith(prefix)) throw badListing(what, key, 'is not below the prefix');
    if (startAfter !== undefined && compareKeys(key, startAfter) <= 0) continue;
    if (sortedLists === true) {
      if (last !== undefined && compareKeys(key, last) <= 0) {
        throw badListing(what, key, `came after ${last}`);
      }
      last = key;
    }
    yield object;
  }
}

function badListing(what: string, key: string, why: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_UNKNOWN',
    `${what}: backend bug: invalid listing: ${key} ${why}`,
  );
}

function checkKey(key: string): void {
  assert(key !== '', 'a key is not empty');
}

const NO_VERSIONS =
  'the destination does not support conditions on versions, so it cannot hold a lease';

function checkPut(
  what: string,
  { sizeBytes }: ObjectBody,
  condition: PutOptions['condition'],
  { conditions, versions, sizeMax }: Capabilities,
): void {
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `${sizeBytes} bytes is a size`);
  if (sizeMax !== undefined && sizeBytes > sizeMax) {
    throw unsupported(what, `${sizeBytes} bytes, but the destination accepts at most ${sizeMax}`);
  }
  if (condition === undefined) return;
  if (condition !== 'if-absent') {
    if (versions !== true) throw unsupported(what, NO_VERSIONS);
    return;
  }
  if (conditions === undefined) {
    throw unsupported(what, 'the destination does not support "if-absent"');
  }
  if (typeof conditions === 'object' && sizeBytes > conditions.sizeMax) {
    const max = `the destination supports "if-absent" up to ${conditions.sizeMax} bytes`;
    throw unsupported(what, `${sizeBytes} bytes, but ${max}`);
  }
}

function unsupported(what: string, why: string): ReplicationError {
  return new ReplicationError('REPLICA_UNSUPPORTED', `${what}: ${why}`);
}

function checkWritten(what: string, info: ObjectInfo, key: string, body: ObjectBody): void {
  if (info.key !== key) {
    const message = `${what}: backend bug: ${info.key} was written instead`;
    throw new ReplicationError('REPLICA_UNKNOWN', message);
  }
  if (info.sizeBytes === body.sizeBytes) return;
  const sizes = `${info.sizeBytes} of ${body.sizeBytes} bytes were written`;
  throw new ReplicationError('REPLICA_TRUNCATED', `${what}: ${sizes}`);
}
