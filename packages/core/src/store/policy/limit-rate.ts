/**
 * Limits what is sent through a client: bytes of bodies, and calls. Wraps a client that has all other policies,
 * so a pause is not a stall of the server. Retries of a call, the parts of a large object and the pages of a
 * listing after the first are not counted.
 */

import { sleep } from '../abort.ts';
import type { ObjectBody, ReplicaClient } from '../client.ts';
import { systemTimers, type TimerClock } from '../timers.ts';
import { forwardIf } from './forward.ts';

/** Limits of one destination. Default: none. */
export interface RateLimits {
  /** Maximum bytes per second of all bodies together. */
  readonly uploadBytesPerSecond?: number | undefined;
  /** Maximum calls per second, evenly spaced. */
  readonly requestsPerSecond?: number | undefined;
}

/** A body is sent in pieces of at most this many milliseconds each: no server takes such a pause for a silence. */
const PIECE_MS = 250;

interface Budgets {
  readonly bytes: Budget | undefined;
  readonly calls: Budget | undefined;
}

/** Returns a wrapper. The clients that it wraps share the limits. */
export function rateLimiter(
  { uploadBytesPerSecond, requestsPerSecond }: RateLimits,
  clock: TimerClock = systemTimers,
): (client: ReplicaClient) => ReplicaClient {
  const bytes = toBudget(uploadBytesPerSecond, clock);
  const calls = toBudget(requestsPerSecond, clock);
  return (client) => limited(client, { bytes, calls });
}

/** Pauses before calls and between pieces of bodies. */
function limited(client: ReplicaClient, { bytes, calls }: Budgets): ReplicaClient {
  const { name, layout, capabilities } = client;
  const turn = async (signal: AbortSignal | undefined): Promise<void> => calls?.spend(1, signal);
  return {
    name,
    layout,
    capabilities,
    async *list(prefix, options) {
      await turn(options?.signal);
      yield* client.list(prefix, options);
    },
    async get(key, options) {
      await turn(options?.signal);
      return await client.get(key, options);
    },
    async put(key, body, options) {
      await turn(options?.signal);
      const slow = bytes === undefined ? body : paced(body, bytes, options?.signal);
      return await client.put(key, slow, options);
    },
    async delete(keys, options) {
      await turn(options?.signal);
      await client.delete(keys, options);
    },
    ...forwardIf(client, 'copy', (copy) => async (from, to, options) => {
      await turn(options?.signal);
      return await copy(from, to, options);
    }),
    ...forwardIf(client, 'openLocal', (open) => open),
    close: () => client.close(),
  };
}

function toBudget(perSecond: number | undefined, clock: TimerClock): Budget | undefined {
  return perSecond === undefined ? undefined : new Budget(perSecond, clock);
}

class Budget {
  readonly perSecond: number;
  readonly #clock: TimerClock;
  /** When everything that was spent so far is paid for. */
  #paidAtMs = -Infinity;

  constructor(perSecond: number, clock: TimerClock) {
    this.perSecond = perSecond;
    this.#clock = clock;
  }

  /** Waits until what was spent before is paid for. */
  async spend(amount: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.monotonic();
    const startMs = Math.max(now, this.#paidAtMs);
    this.#paidAtMs = startMs + (amount / this.perSecond) * 1_000;
    if (startMs > now) await sleep(this.#clock, startMs - now, signal);
  }
}

function paced(body: ObjectBody, budget: Budget, signal: AbortSignal | undefined): ObjectBody {
  const { sizeBytes, createdAt } = body;
  return { sizeBytes, createdAt, open: () => inPieces(body.open(), budget, signal) };
}

async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  budget: Budget,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const pieceBytes = Math.max(1, Math.floor((budget.perSecond * PIECE_MS) / 1_000));
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += pieceBytes) {
      const piece = chunk.subarray(at, at + pieceBytes);
      await budget.spend(piece.byteLength, signal);
      yield piece;
    }
  }
}
