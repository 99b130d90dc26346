/** For each actor, an error in core that the kill loop must find when that actor acts in every round. */

import {
  PLANTED,
  PLANTED_IN_THE_TAIL,
  type Planted,
} from '../../../../packages/core/test/support/mutant.ts';
import type { ActorName } from './actors.ts';

export const PLANTED_FOR_ACTORS: Readonly<Record<ActorName, readonly Planted[]>> = {
  'spilled tail': PLANTED_IN_THE_TAIL.spilledTailOfAStart,
  /** The WAL stays beside the database although nothing needs it. */
  'clean stop': [
    {
      file: 'database/following.ts',
      find: `await this.close(needsLog ? 'keep the log' : 'as the application');`,
      replace: `await this.close(needsLog ? 'keep the log' : 'keep the log');`,
    },
  ],
  'replaced while stopped': PLANTED.fileIsNotLookedAt,
  /** The open file is checked instead of the file that now has its name. */
  'replaced while running': [
    {
      file: 'database/continuity/guard.ts',
      find: `const stamp = readStamp(path);`,
      replace: `const stamp = readStamp('/proc/self/fd/' + this.#context.descriptor);`,
    },
  ],
  /** The time of the next cut depends on the wall clock. */
  'clock step': [
    {
      file: 'database/cut/cutter.ts',
      find: `cutDueInMs(this.#budget, now)`,
      replace: `cutDueInMs(this.#budget, this.#context.clock.now())`,
    },
    {
      file: 'database/cut/cutter.ts',
      find: `afterCut(this.#budget, clock.monotonic())`,
      replace: `afterCut(this.#budget, clock.now())`,
    },
  ],
  /** A damaged file is an error instead of being treated as missing. */
  'damaged staging': [
    {
      file: 'database/continuity/position.ts',
      find: `    return undefined; // not a position`,
      replace: `    throw new TypeError('damaged'); // not a position`,
    },
    {
      file: 'replicate/record.ts',
      find: `    return []; // torn by a power loss`,
      replace: `    throw new TypeError('damaged'); // torn by a power loss`,
    },
  ],
  /** A destination with missing files is accepted because its newest file is the one that was sent. */
  'damaged destination': [
    {
      file: 'replicate/destination/admission.ts',
      find: `if (missing === undefined) return undefined;`,
      replace: `if (missing === undefined || files.highest > 0n) return undefined;`,
    },
  ],
  /** A short write counts as complete. */
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
      find: `done += written;`,
      replace: `done += rest;`,
    },
  ],
  /** The staging folder is not locked. */
  'second replicator': [
    {
      file: 'database/staging/file-lock.ts',
      find: `'BEGIN EXCLUSIVE; ROLLBACK'`,
      replace: `'BEGIN; ROLLBACK'`,
    },
  ],
};
