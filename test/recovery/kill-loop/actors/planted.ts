/** For each actor an error in core's code that the loop must find, when that actor acts in every round. */

import {
  PLANTED,
  PLANTED_IN_THE_TAIL,
  type Planted,
} from '../../../../packages/core/test/support/mutant.ts';
import type { ActorName } from './actors.ts';

export const PLANTED_FOR_ACTORS: Readonly<Record<ActorName, readonly Planted[]>> = {
  'spilled tail': PLANTED_IN_THE_TAIL.spilledTailOfAStart,
  /** The log stays beside the database, though nobody needs it. */
  'clean stop': [
    {
      file: 'database/following.ts',
      find: `await this.close(needsLog ? 'keep the log' : 'as the application');`,
      replace: `await this.close(needsLog ? 'keep the log' : 'keep the log');`,
    },
  ],
  'replaced while stopped': PLANTED.fileIsNotLookedAt,
  /** The file that is open is looked at, and not the one that has its name now. */
  'replaced while running': [
    {
      file: 'database/continuity/guard.ts',
      find: `const stamp = readStamp(path);`,
      replace: `const stamp = readStamp('/proc/self/fd/' + this.#context.descriptor);`,
    },
  ],
  /** What is due is reckoned by the wall clock. */
  'clock step': [
    {
      file: 'database/cut/cutter.ts',
      find: `cutDueInMs(this.#budget, this.#context.clock.monotonic())`,
      replace: `cutDueInMs(this.#budget, this.#context.clock.now())`,
    },
    {
      file: 'database/cut/cutter.ts',
      find: `afterCut(this.#budget, clock.monotonic())`,
      replace: `afterCut(this.#budget, clock.now())`,
    },
  ],
  /** What is damaged is an error, and not as if it were not there. */
  'damaged staging': [
    {
      file: 'database/continuity/position.ts',
      find: `    return undefined; // not a position`,
      replace: `    throw new TypeError('damaged'); // not a position`,
    },
    {
      file: 'replicate/record.ts',
      find: `    return records; // torn by a power loss`,
      replace: `    throw new TypeError('damaged'); // torn by a power loss`,
    },
  ],
  /** A destination that ends with what was sent is taken for whole. */
  'damaged destination': [
    {
      file: 'replicate/destination/admission.ts',
      find: `if (missing === undefined) return undefined;`,
      replace: `if (missing === undefined || files.highest > 0n) return undefined;`,
    },
  ],
  /** A short write is taken for a whole one. */
  'full disk': [
    {
      file: 'file-io.ts',
      find: `    if (count === 0) throw refused(rest);
    done += count;`,
      replace: `    if (count === 0) throw refused(rest);
    done += rest;`,
    },
    {
      file: 'file-io.ts',
      find: `done += bytesWritten;`,
      replace: `done += rest;`,
    },
  ],
  /** Everybody has the staging folder. */
  'second replicator': [
    {
      file: 'database/staging/owner-lock.ts',
      find: `connection.exec('BEGIN EXCLUSIVE');`,
      replace: `connection.exec('BEGIN');`,
    },
  ],
};
