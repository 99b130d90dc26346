/** Errors that the simulation must find: in wrappers around the ports, and in copies of the sources. */

import type { ReplicaClient } from '../../packages/core/src/store/client.ts';
import { PLANTED, type Planted } from '../../packages/core/test/support/mutant.ts';
import type { SimulatedProcess } from './ports/process.ts';
import type { Wrappers } from './actors/replicator.ts';
import type { PlantedError } from './planted-error.ts';
import { PLANTED_IN_OPTIONAL_ACTORS } from './planted-optional.ts';

const LOST_WRITE_EVERY = 12;
const HALF_WRITE_MS = 400;

/** A merge is not compared with its inputs. */
const UNVERIFIED: Planted = {
  file: 'replicate/levels/merge-files.ts',
  find: "if (order.verify === 'verify') {",
  replace: "if (order.verify !== 'verify') {",
};
/** A deletion is not checked. */
const UNGUARDED: Planted = {
  file: 'history/retention.ts',
  find: 'const objection = objectionTo(input, ordered);',
  replace: 'const objection = undefined;',
};

export const PLANTED_ERRORS = {
  /** I1: a destination confirms a write that it did not store. */
  lostWrite: {
    breaks: [
      'I1 acknowledged restores',
      'green over a loss',
      'promised moments',
      'a plan at any time',
    ],
    wrappers: () => ({ client: loseWrites }),
  },
  /** I1, I4: a write is not atomic, so that a crash leaves half an object. */
  halfWrite: {
    breaks: ['I1 acknowledged restores', 'green over a loss', 'exact files'],
    wrappers: () => ({ client: writeInHalves }),
  },
  /** I2: a start continues although the log has restarted since. */
  resumeWithoutProof: {
    breaks: ['I1 acknowledged restores', 'I2 no hole', 'green over a loss', 'exact files'],
    sources: PLANTED.resumeWithoutProof,
  },
  /** I2: a full snapshot lacks the frames of the log before it. */
  imageWithoutFramesBefore: {
    breaks: ['I1 acknowledged restores', 'I2 no hole', 'green over a loss', 'exact files'],
    sources: PLANTED.imageWithoutFramesBefore,
  },
  /** I3: all destinations share one request at a time. */
  oneRequestAtATime: { breaks: ['I3 independent destinations'], wrappers: shareOneRequest },
  /** I4: a database whose following failed is not opened again. */
  failureIsFinal: {
    breaks: ['I4 continues'],
    foundBy: 22,
    sources: [
      {
        file: 'database/engine.ts',
        find: '    this.#later(this.#reopenMs);\n    this.#reopenMs',
        replace: '    this.#reopenMs',
      },
    ],
  },
  /** I2: commits to a database that was closed while it was idle are not noticed. */
  blindWhileIdle: {
    breaks: ['I1 acknowledged restores', 'I2 no hole', 'green over a loss'],
    sources: [
      {
        file: 'database/idle-database.ts',
        find: 'if (!isSame) return true;',
        replace: 'isUnchanged(files, kernel);',
      },
    ],
  },
  /** I4: an uploader that waits for the database tries again at once. */
  busyWaiting: {
    breaks: ['no busy loop'],
    foundBy: 32,
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
    foundBy: 9,
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
    foundBy: 51,
    breaks: ['I1 acknowledged restores', 'green over a loss'],
    sources: [
      {
        file: 'replicate/destination/health.ts',
        find: 'return isNext ? next.since : this.asOf(name);',
        replace: 'return isNext ? next.asOf : this.asOf(name);',
      },
    ],
  },
  /** After a restart, what the run before has staged counts as sent. */
  foundCountsAsSent: {
    foundBy: 20_026,
    breaks: ['green over a loss'],
    sources: [
      {
        file: 'replicate/destination/health.ts',
        find: 'const staged = newest > stagedTXID ? newest : BigInt(stagedTXID);',
        replace: 'const staged = BigInt(stagedTXID);',
      },
    ],
  },
  /** A merge loses a page. */
  mergeDropsPage: {
    breaks: ['exact files'],
    sources: [
      UNVERIFIED,
      {
        file: 'ltx/merge.ts',
        find: 'if (input.pgno <= commit) {',
        replace: 'if (input.pgno <= commit && input.pgno !== 3) {',
      },
    ],
  },
  /** A merge takes the oldest version of a page. */
  mergeTakesOlderPage: {
    breaks: ['exact files'],
    sources: [
      UNVERIFIED,
      {
        file: 'ltx/merge.ts',
        find: 'input.pgno <= (newest?.pgno ?? NO_MORE_PAGES)',
        replace: 'input.pgno < (newest?.pgno ?? NO_MORE_PAGES)',
      },
    ],
  },
  /** The same, with the verification: it stops the merge. */
  verifiedMergeTakesOlderPage: {
    breaks: ['no fault of its own'],
    sources: [
      {
        file: 'ltx/merge.ts',
        find: 'input.pgno <= (newest?.pgno ?? NO_MORE_PAGES)',
        replace: 'input.pgno < (newest?.pgno ?? NO_MORE_PAGES)',
      },
    ],
  },
  /** A merge has the time of its oldest input. */
  mergeLosesTime: {
    breaks: ['exact files'],
    sources: [
      UNVERIFIED,
      {
        file: 'ltx/merged-header.ts',
        find: 'timestampMs: last.timestampMs',
        replace: 'timestampMs: first.timestampMs',
      },
    ],
  },
  /** A merge leads over a full snapshot. */
  /** Files are deleted as soon as they are not needed, under the hands of readers. */
  noGrace: {
    breaks: ['slow readers', 'promised moments'],
    foundBy: 193,
    sources: [
      {
        file: 'replicate/retention/deleter.ts',
        find: 'const CHECK_MS = 3_600_000;',
        replace: 'const CHECK_MS = 60_000;',
      },
      {
        file: 'history/retention-policy.ts',
        find: 'DELETE_GRACE_MS = 3_600_000',
        replace: 'DELETE_GRACE_MS = 0',
      },
    ],
  },
  /** The newest file of a level is deleted. */
  newestDeleted: {
    breaks: ['levels without holes', 'promised moments', 'a plan at any time'],
    foundBy: 10,
    sources: [
      UNGUARDED,
      {
        file: 'history/retention.ts',
        find: 'return this.#newest.get(file.level)?.maxTXID === file.maxTXID;',
        replace: 'return this.#newest.get(file.level)?.maxTXID === 0n;',
      },
    ],
  },
  /** The same, with the check of each deletion. */
  guardedNewestDeleted: {
    breaks: ['no fault of its own'],
    foundBy: 2,
    sources: [
      {
        file: 'history/retention.ts',
        find: 'return this.#newest.get(file.level)?.maxTXID === file.maxTXID;',
        replace: 'return this.#newest.get(file.level)?.maxTXID === 0n;',
      },
    ],
  },
  /** The full snapshot is deleted on which everything after it stands. */
  baseDeleted: {
    breaks: ['promised moments', 'a plan at any time'],
    foundBy: 20,
    sources: [
      UNGUARDED,
      {
        file: 'history/retention.ts',
        find: 'isBelow(file) && file !== horizon)',
        replace: 'isBelow(file))',
      },
    ],
  },
  /** A full snapshot at a merged level counts as cover for the states that the level jumps over. */
  jumpsCount: {
    breaks: ['promised moments'],
    foundBy: 77,
    sources: [
      {
        file: 'history/retention-guard.ts',
        find: '(sizes.get(maxTXID) ?? Infinity) <= sizeBytes;',
        replace: 'sizes.get(maxTXID) === -1;',
      },
    ],
  },
  /** Ages are counted with the clock of this machine. */
  wallClockDeletes: {
    breaks: ['promised moments', 'slow readers', 'a plan at any time', 'old files go'],
    foundBy: 41,
    sources: [
      {
        file: 'replicate/retention/deleter.ts',
        find: 'this.#enforceAt(this.#time.nowMs, signal)',
        replace: 'this.#enforceAt(this.#context.clock.now(), signal)',
      },
    ],
  },
  ...PLANTED_IN_OPTIONAL_ACTORS,
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
