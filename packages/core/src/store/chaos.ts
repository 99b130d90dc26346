/**
 * Injected faults for tests: a client that fails, hangs or ends a stream early at a chosen call. It is next
 * to the memory client, so that core's tests and the test kit share it.
 */

import { unlessAborted } from './abort.ts';
import type { ReplicaClient } from './client.ts';
import { forward, forwardIf } from './policy/forward.ts';

type Method = 'list' | 'get' | 'put' | 'delete' | 'copy' | 'openLocal';

/** Which calls fail, and how. The first fault that matches a call applies. */
export interface Fault {
  readonly on: Method;
  /** Number of calls that succeed first. Default 0. */
  readonly after?: number;
  /** Number of calls that fail. Default 1. */
  readonly times?: number;
  /**
   * 'before': the call does nothing. 'commit': the call completes, but its response is lost. 'hang': no
   * response until the signal aborts. A number: the number of items (objects, chunks) before the fault.
   */
  readonly at?: 'before' | 'commit' | 'hang' | number;
  /** The error to throw; 'end' for a stream that ends early without an error, 'hang' for one that stalls. */
  readonly error: Error | 'end' | 'hang';
}

/** Result of `chaos`. */
export interface Chaos {
  readonly client: ReplicaClient;
  /** Number of calls of each method. */
  readonly calls: Record<Method, number>;
}

/** Wraps a client so that some of its calls fail, hang or end early. */
export function chaos(inner: ReplicaClient, ...faults: readonly Fault[]): Chaos {
  const calls = { list: 0, get: 0, put: 0, delete: 0, copy: 0, openLocal: 0 };
  const hits = new Map<Fault, number>();
  /** The fault for this call, if any. */
  const next = (method: Method): Fault | undefined => {
    const index = calls[method];
    calls[method] += 1;
    const fault = faults.find(
      (each) =>
        each.on === method &&
        index >= (each.after ?? 0) &&
        (hits.get(each) ?? 0) < (each.times ?? 1),
    );
    if (fault !== undefined) hits.set(fault, (hits.get(fault) ?? 0) + 1);
    return fault;
  };
  const client: ReplicaClient = {
    ...forward(inner),
    list(prefix, options) {
      const fault = next('list');
      return broken(inner.list(prefix, options), fault, options?.signal);
    },
    async get(key, options) {
      const fault = next('get');
      const opened = await callWith(fault, options?.signal, () => inner.get(key, options));
      return { ...opened, body: broken(opened.body, fault, options?.signal) };
    },
    put: (key, body, options) =>
      callWith(next('put'), options?.signal, () => inner.put(key, body, options)),
    delete: (keys, options) =>
      callWith(next('delete'), options?.signal, () => inner.delete(keys, options)),
    ...forwardIf(
      inner,
      'copy',
      (copy) => (from, to, options) =>
        callWith(next('copy'), options?.signal, () => copy(from, to, options)),
    ),
    ...forwardIf(
      inner,
      'openLocal',
      (open) => (key, options) =>
        callWith(next('openLocal'), options?.signal, () => open(key, options)),
    ),
  };
  return { client, calls };
}

async function callWith<T>(
  fault: Fault | undefined,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (fault?.at === 'hang') await hang(signal);
  if (fault !== undefined && (fault.at ?? 'before') === 'before') throw toError(fault);
  const result = await work();
  if (fault?.at === 'commit') throw toError(fault);
  return result;
}

async function* broken<T>(
  items: AsyncIterable<T>,
  fault: Fault | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const breaksAt = typeof fault?.at === 'number' ? fault.at : fault?.on === 'list' ? 0 : undefined;
  let count = 0;
  for await (const item of items) {
    if (fault !== undefined && count === breaksAt) {
      if (fault.error === 'end') return;
      if (fault.error === 'hang') await hang(signal);
      throw toError(fault);
    }
    yield item;
    count += 1;
  }
}

async function hang(signal: AbortSignal | undefined): Promise<never> {
  return await unlessAborted(new Promise<never>(() => undefined), [signal]);
}

function toError(fault: Fault): Error {
  return fault.error instanceof Error ? fault.error : new Error('the connection was reset');
}
