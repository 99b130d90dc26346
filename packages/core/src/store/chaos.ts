/**
 * Faults on cue, for tests: a client that fails, hangs or breaks off where a test says. Beside the
 * reference client in memory, so that core's tests and the test kit have the same.
 */

import type { LTXFileInfo, ReplicaClient } from './client.ts';
import { wrapCopy } from './policy/wrap-copy.ts';
import { wrapLocal } from './policy/wrap-local.ts';

type Method = 'listFiles' | 'openFile' | 'writeFile' | 'deleteFiles' | 'copyFile' | 'openLocalFile';

export interface Fault {
  readonly on: Method;
  /** Calls that go well before it. Default 0. */
  readonly after?: number;
  /** How many calls it strikes. Default 1. */
  readonly times?: number;
  /**
   * 'before': nothing was done. 'commit': all was done, and the answer is lost. 'hang': no answer
   * until the signal aborts. A number: so many items (files, chunks) come before it.
   */
  readonly at?: 'before' | 'commit' | 'hang' | number;
  /** What is thrown; 'end' for a stream that ends early without a word, 'hang' for one that stops. */
  readonly error: Error | 'end' | 'hang';
}

export interface Chaos {
  readonly client: ReplicaClient;
  /** How often each method was called. */
  readonly calls: Record<Method, number>;
}

export function chaos(inner: ReplicaClient, ...faults: readonly Fault[]): Chaos {
  const calls = {
    listFiles: 0,
    openFile: 0,
    writeFile: 0,
    deleteFiles: 0,
    copyFile: 0,
    openLocalFile: 0,
  };
  const struck = new Map<Fault, number>();

  /** The fault of this call, if any. */
  const next = (method: Method): Fault | undefined => {
    const index = calls[method];
    calls[method] += 1;
    const fault = faults.find(
      (each) =>
        each.on === method &&
        index >= (each.after ?? 0) &&
        (struck.get(each) ?? 0) < (each.times ?? 1),
    );
    if (fault !== undefined) struck.set(fault, (struck.get(fault) ?? 0) + 1);
    return fault;
  };

  const call = async <T>(
    fault: Fault | undefined,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    if (fault?.at === 'hang') await untilAbort(signal);
    if (fault !== undefined && (fault.at ?? 'before') === 'before') throw toError(fault);
    const result = await work();
    if (fault?.at === 'commit') throw toError(fault);
    return result;
  };

  const client: ReplicaClient = {
    listFiles(level, options) {
      const fault = next('listFiles');
      return broken<LTXFileInfo>(inner.listFiles(level, options), fault, options?.signal);
    },
    async openFile(file, options) {
      const fault = next('openFile');
      const opened = await call(fault, options?.signal, () => inner.openFile(file, options));
      return { ...opened, body: broken(opened.body, fault, options?.signal) };
    },
    writeFile: (file, body, options) =>
      call(next('writeFile'), options?.signal, () => inner.writeFile(file, body, options)),
    deleteFiles: (files, options) =>
      call(next('deleteFiles'), options?.signal, () => inner.deleteFiles(files, options)),
    ...wrapLocal(
      inner,
      (open) => (file, options) =>
        call(next('openLocalFile'), options?.signal, () => open(file, options)),
    ),
    ...wrapCopy(
      inner,
      (copy) => (from, to, options) =>
        call(next('copyFile'), options?.signal, () => copy(from, to, options)),
    ),
  };
  return { client, calls };
}

async function* broken<T>(
  items: AsyncIterable<T>,
  fault: Fault | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const breaksAt =
    typeof fault?.at === 'number' ? fault.at : fault?.on === 'listFiles' ? 0 : undefined;
  let count = 0;
  for await (const item of items) {
    if (fault !== undefined && count === breaksAt) {
      if (fault.error === 'end') return;
      if (fault.error === 'hang') await untilAbort(signal);
      throw toError(fault);
    }
    yield item;
    count += 1;
  }
}

async function untilAbort(signal: AbortSignal | undefined): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return await promise;
}

function toError(fault: Fault): Error {
  return fault.error instanceof Error ? fault.error : new Error('the connection was reset');
}
