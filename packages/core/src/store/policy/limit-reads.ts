/**
 * Limits how many bytes per second are read through a client, all reads together. Wraps a client that has all
 * other policies: a pause between two chunks is not a stall of the server.
 */

import { sleep } from '../abort.ts';
import type { GetOptions, OpenedObject, ReplicaClient } from '../client.ts';
import { systemTimers, type TimerClock } from '../timers.ts';
import { forwardIf } from './forward.ts';

/** Does not claim `openLocal`: a local file would be read past this limit. */
export function limitReads(
  client: ReplicaClient,
  bytesPerSecond: number,
  clock: TimerClock = systemTimers,
): ReplicaClient {
  const budget = new ReadBudget(bytesPerSecond, clock);
  const { name, layout, capabilities } = client;
  return {
    name,
    layout,
    capabilities,
    list: (prefix, options) => client.list(prefix, options),
    put: (key, body, options) => client.put(key, body, options),
    delete: (keys, options) => client.delete(keys, options),
    ...forwardIf(client, 'copy', (copy) => copy),
    close: () => client.close(),
    async get(key: string, options: GetOptions = {}): Promise<OpenedObject> {
      const opened = await client.get(key, options);
      return { ...opened, body: budget.limit(opened.body, options.signal) };
    },
  };
}

class ReadBudget {
  readonly #bytesPerSecond: number;
  readonly #clock: TimerClock;
  /** When the bytes that were read so far are paid for. */
  #paidAtMs = 0;

  constructor(bytesPerSecond: number, clock: TimerClock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  async *limit(
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body) {
      const now = this.#clock.monotonic();
      this.#paidAtMs =
        Math.max(now, this.#paidAtMs) + (chunk.byteLength / this.#bytesPerSecond) * 1_000;
      if (this.#paidAtMs > now) await sleep(this.#clock, this.#paidAtMs - now, signal);
      yield chunk;
    }
  }
}
