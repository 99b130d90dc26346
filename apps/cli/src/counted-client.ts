/** Counts the calls of a backend and their bytes, for each replica, and sees their errors first. It wraps the bare client, so retries count too. */

import type { CallOptions, ObjectBody, ReplicaClient } from '@sluice/core/backend';
import { toLabels, type Labels } from './http/metrics/family.ts';

export type Operation = 'list' | 'get' | 'put' | 'delete' | 'copy';

/** Of one operation with one result. */
export interface CallCount {
  readonly operation: Operation;
  readonly result: 'ok' | 'error';
  readonly labels: Labels;
  count: number;
}

/** The calls for one replica. */
export class Calls {
  readonly counts: CallCount[] = [];
  readBytes = 0;
  writtenBytes = 0;

  add(operation: Operation, result: CallCount['result']): void {
    const known = this.counts.find(
      (each) => each.operation === operation && each.result === result,
    );
    if (known !== undefined) known.count += 1;
    else this.counts.push({ operation, result, labels: toLabels({ operation, result }), count: 1 });
  }
}

/** The calls of one client by the root of the replica. */
export class CallCounter {
  readonly #byRoot = new Map<string, Calls>();
  readonly #onError: (error: unknown) => void;

  /** `onError`: called with each error of a call, before anybody else sees it. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Counts the calls for `root` from now on. */
  count(root: string, calls: Calls): void {
    this.#byRoot.set(root, calls);
  }

  /** The same client, whose calls are counted. */
  counted(client: ReplicaClient): ReplicaClient {
    const of = ({ root = '' }: CallOptions = {}): Calls => this.#byRoot.get(root) ?? new Calls();
    const onError = this.#onError;
    const copy = client.copy?.bind(client);
    const openLocal = client.openLocal?.bind(client);
    return {
      name: client.name,
      layout: client.layout,
      capabilities: client.capabilities,
      list: (prefix, options) => {
        const calls = of(options);
        return observed(() => client.list(prefix, options), {
          onEnd: (result) => calls.add('list', result),
          onError,
        });
      },
      get: async (key, options) => {
        const calls = of(options);
        const opened = await settled({ calls, onError }, 'get', client.get(key, options));
        const onItem = ({ byteLength }: Uint8Array): void => void (calls.readBytes += byteLength);
        return { ...opened, body: observed(() => opened.body, { onItem, onError }) };
      },
      put: (key, body, options) => {
        const calls = of(options);
        const written = countWritten(body, calls);
        return settled({ calls, onError }, 'put', client.put(key, written, options));
      },
      delete: (keys, options) =>
        settled({ calls: of(options), onError }, 'delete', client.delete(keys, options)),
      ...(copy && {
        copy: (from, to, options) =>
          settled({ calls: of(options), onError }, 'copy', copy(from, to, options)),
      }),
      ...(openLocal && {
        openLocal: (key, options) =>
          settled({ calls: of(options), onError }, 'get', openLocal(key, options)),
      }),
      close: () => client.close(),
    };
  }
}

async function settled<Value>(
  { calls, onError }: { readonly calls: Calls; readonly onError: (error: unknown) => void },
  operation: Operation,
  call: Promise<Value>,
): Promise<Value> {
  try {
    const value = await call;
    calls.add(operation, 'ok');
    return value;
  } catch (error) {
    calls.add(operation, 'error');
    onError(error);
    throw error;
  }
}

function countWritten(body: ObjectBody, calls: Calls): ObjectBody {
  const onItem = ({ byteLength }: Uint8Array): void => void (calls.writtenBytes += byteLength);
  const { sizeBytes, createdAt } = body;
  return { sizeBytes, createdAt, open: () => observed(() => body.open(), { onItem }) };
}

interface Observer<Item> {
  readonly onItem?: ((item: Item) => void) | undefined;
  /** Called once. Leaving early is no error. */
  readonly onEnd?: ((result: CallCount['result']) => void) | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Not a generator: its `return` must reach the source at once, also during a `next` that hangs. */
function observed<Item>(
  open: () => AsyncIterable<Item>,
  { onItem, onEnd, onError }: Observer<Item>,
): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator]: () => {
      const source = open()[Symbol.asyncIterator]();
      let hasEnded = false;
      const end = (result: CallCount['result']): void => {
        if (!hasEnded) onEnd?.(result);
        hasEnded = true;
      };
      return {
        next: async () => {
          try {
            const next = await source.next();
            if (next.done === true) end('ok');
            else onItem?.(next.value);
            return next;
          } catch (error) {
            end('error');
            onError?.(error);
            throw error;
          }
        },
        return: async () => {
          end('ok');
          await source.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
