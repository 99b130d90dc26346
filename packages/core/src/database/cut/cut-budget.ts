/**
 * Limits how often a database is cut into L0 files, because each file is a write at every destination:
 * once per sync interval on average, and up to CUT_BURST times in a row after a pause. So a commit is
 * cut immediately unless many came just before it, and an hour costs at most 3,600 + CUT_BURST writes.
 *
 * A token bucket, stored as the time at which it is full again. Times are of a monotonic clock.
 */

/** Cuts in a row without waiting. Small groups of commits, as from human users, are cut immediately. */
export const CUT_BURST = 10;

export interface CutBudget {
  readonly intervalMs: number;
  /** When CUT_BURST cuts are available again; in the past if they are available now. */
  readonly fullAtMs: number;
}

export function fullBudget(intervalMs: number): CutBudget {
  return { intervalMs, fullAtMs: -Infinity };
}

/** Time in ms until the next cut is allowed; 0 if it is allowed now. */
export function cutDueInMs({ intervalMs, fullAtMs }: CutBudget, nowMs: number): number {
  return Math.max(0, fullAtMs - (CUT_BURST - 1) * intervalMs - nowMs);
}

/** The budget after a cut. A cut ahead of its time empties the budget, but leaves no debt. */
export function afterCut({ intervalMs, fullAtMs }: CutBudget, nowMs: number): CutBudget {
  const next = Math.max(fullAtMs, nowMs) + intervalMs;
  return { intervalMs, fullAtMs: Math.min(next, nowMs + CUT_BURST * intervalMs) };
}
