import type { ReplicaClient } from '@sluice/core/backend';
import { changeFiles } from '../../packages/core/test/support/files-view.ts';
/** Wraps a destination and counts its calls and its pending promises. */

export interface Accounted {
  readonly destination: ReplicaClient;
  /** Calls so far. A retry by core is another call. */
  readonly calls: number;
  /** Calls, and reads of their streams, that are not settled. */
  readonly pending: number;
}

export function accounted(destination: ReplicaClient): Accounted {
  let calls = 0;
  let pending = 0;

  async function settle<T>(work: Promise<T>): Promise<T> {
    pending += 1;
    try {
      return await work;
    } finally {
      pending -= 1;
    }
  }

  function call<T>(work: Promise<T>): Promise<T> {
    calls += 1;
    return settle(work);
  }

  function stream<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
    return {
      [Symbol.asyncIterator]() {
        const iterator = open()[Symbol.asyncIterator]();
        return {
          next: () => settle(iterator.next()),
          return: async () => {
            const left = iterator.return?.() ?? Promise.resolve({ done: true, value: undefined });
            return await settle(left);
          },
        };
      },
    };
  }

  const counted = changeFiles(destination, (client) => ({
    listFiles(level, options) {
      calls += 1;
      return stream(() => client.listFiles(level, options));
    },
    async openFile(file, options) {
      const opened = await call(client.openFile(file, options));
      return { ...opened, body: stream(() => opened.body) };
    },
    writeFile: (file, body, options) => call(client.writeFile(file, body, options)),
    deleteFiles: (files, options) => call(client.deleteFiles(files, options)),
  }));

  return {
    destination: counted,
    get calls() {
      return calls;
    },
    get pending() {
      return pending;
    },
  };
}
