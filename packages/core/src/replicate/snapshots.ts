/** When a database's next periodic snapshot is due. Pure. */

import type { AgedSnapshot } from './snapshot-age.ts';

export interface SnapshotInput {
  readonly intervalMs: number;
  readonly head: bigint;
  /** Newest snapshot of each destination that is up to date; undefined where it has none. */
  readonly newest: readonly (AgedSnapshot | undefined)[];
}

/** In how many ms a snapshot is due: 0 = now; Infinity while nothing has changed since the last one. */
export function snapshotDueInMs(input: SnapshotInput): number {
  const dues = input.newest.map((snapshot) => {
    if (snapshot === undefined) return 0;
    if (snapshot.txid >= input.head) return Infinity;
    return Math.max(snapshot.guessForMs, input.intervalMs - snapshot.ageMs, 0);
  });
  return dues.length === 0 ? Infinity : Math.min(...dues);
}
