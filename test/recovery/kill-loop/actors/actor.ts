/** An actor injects a fault other than a kill, once in a round. */

import type { Setup } from '../setup.ts';

export interface Actor {
  /** Acts before the replicator of the round starts, or while it runs. */
  readonly when: 'stopped' | 'running';
  /** Codes of errors that the replicator may report because of the act. */
  readonly allowedErrors: readonly string[];
  /** Returns the broken promise, if any. Everything else is verified at the end of the round. */
  readonly act: (setup: Setup) => Promise<string | undefined>;
}
