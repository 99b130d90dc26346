/** What machines and people do to a replicator besides killing it; one act in a round. */

import type { Setup } from '../setup.ts';

export interface Actor {
  /** Before the replicator of the round starts, or beside it. */
  readonly when: 'stopped' | 'running';
  /** Codes of errors that the replicator may well report because of it. */
  readonly mayReport: readonly string[];
  /** Gives what is broken. What it returns nothing about is judged at the end of the round. */
  readonly act: (setup: Setup) => Promise<string | undefined>;
}
