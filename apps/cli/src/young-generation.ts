/**
 * Keeps the young generation of V8's heap small. By default it doubles up to 32 MiB or more while a
 * process loads its modules, and shrinks only when the process is idle, which a replicator seldom is.
 * Replication allocates little that survives, so it is no slower (BENCHMARKS.md, cost).
 */

import { setFlagsFromString } from 'node:v8';

/** Call before the modules of a long-running command are loaded. Also applies to its threads. */
export function limitYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
