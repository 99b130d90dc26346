/** Errors that the simulation must find: in wrappers around the ports, and in copies of the sources. */

import type { ReplicaClient } from '../../packages/core/src/store/client.ts';
import { PLANTED, type Planted } from '../../packages/core/test/support/mutant.ts';
import type { Invariant } from './claims.ts';
import type { SimulatedProcess } from './ports/process.ts';
import type { Wrappers } from './actors/replicator.ts';

export interface PlantedError {
  /** The invariants that it breaks. */
  readonly breaks: readonly Invariant[];
  /** Changes of the sources of core. */
  readonly sources?: readonly Planted[];
  /** Wrappers of one run. */
  readonly wrappers?: () => Wrappers;
}

const LOST_WRITE_EVERY = 12;
const HALF_WRITE_MS = 400;

export const PLANTED_ERRORS = {
  /** I1: a destination confirms a write that it did not store. */
  lostWrite: {
    breaks: ['I1 acknowledged restores', 'green over a loss'],
    wrappers: () => ({ client: loseWrites }),
  },
  /** I1, I4: a write is not atomic, so that a crash leaves half an object. */
  halfWrite: {
    breaks: ['I1 acknowledged restores', 'green over a loss'],
    wrappers: () => ({ client: writeInHalves }),
  },
  /** I2: a start continues although the log has restarted since. */
  resumeWithoutProof: {
    breaks: ['I1 acknowledged restores', 'I2 no hole', 'green over a loss'],
    sources: PLANTED.resumeWithoutProof,
  },
  /** I2: a full snapshot lacks the frames of the log before it. */
  imageWithoutFramesBefore: {
    breaks: ['I1 acknowledged restores', 'I2 no hole', 'green over a loss'],
    sources: PLANTED.imageWithoutFramesBefore,
  },
  /** I3: all destinations share one request at a time. */
  oneRequestAtATime: { breaks: ['I3 independent destinations'], wrappers: shareOneRequest },
  /** I4: a database whose following failed is not opened again. */
  failureIsFinal: {
    breaks: ['I4 continues'],
    sources: [
      {
        file: 'database/engine.ts',
        find: '    this.#later(this.#reopenMs);\n    this.#reopenMs',
        replace: '    this.#reopenMs',
      },
    ],
  },
  /** I4: an uploader that waits for the database tries again at once. */
  busyWaiting: {
    breaks: ['no busy loop'],
    sources: [
      {
        file: 'replicate/destination/lister.ts',
        find: 'return this.#listed === undefined || knowsBacklog() ? 0 : Infinity;',
        replace: 'return this.#listed === undefined || knowsBacklog() ? 0 : 0;',
      },
    ],
  },
  /** A status is healthy whatever the problems are. */
  alwaysHealthy: {
    breaks: ['green over a loss'],
    sources: [
      {
        file: 'replicate/status/verdict.ts',
        find: 'healthy: problems.length === 0',
        replace: 'healthy: problems.length >= 0',
      },
    ],
  },
  /** A destination counts as confirmed up to now while a file is on its way. */
  confirmedTooEarly: {
    breaks: ['I1 acknowledged restores', 'green over a loss'],
    sources: [
      {
        file: 'replicate/destination/health.ts',
        find: 'return isNext ? next.since : this.asOf(name);',
        replace: 'return isNext ? next.asOf : this.asOf(name);',
      },
    ],
  },
} as const satisfies Record<string, PlantedError>;

export type PlantedName = keyof typeof PLANTED_ERRORS;

export function isPlanted(name: string): name is PlantedName {
  return name in PLANTED_ERRORS;
}

function loseWrites(client: ReplicaClient): ReplicaClient {
  let writes = 0;
  return {
    ...client,
    async put(key, body, options) {
      writes += 1;
      const info = await client.put(key, body, options);
      if (writes % LOST_WRITE_EVERY === 0) await client.delete([key]);
      return info;
    },
  };
}

function writeInHalves(client: ReplicaClient, process: SimulatedProcess): ReplicaClient {
  return {
    ...client,
    async put(key, body, options) {
      const half = Math.floor(body.sizeBytes / 2);
      const cut = { ...body, sizeBytes: half, open: () => take(body.open(), half) };
      await client.put(key, cut, options);
      await process.pause(HALF_WRITE_MS);
      return await client.put(key, body, { signal: options?.signal });
    },
  };
}

async function* take(
  chunks: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = sizeBytes;
  for await (const chunk of chunks) {
    if (left > 0) yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

function shareOneRequest(): Wrappers {
  let before: Promise<unknown> = Promise.resolve();
  const afterOthers = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = before.then(work);
    before = mine.catch(() => undefined);
    return await mine;
  };
  return {
    client: (client) => ({
      ...client,
      put: (key, body, options) => afterOthers(() => client.put(key, body, options)),
    }),
  };
}
