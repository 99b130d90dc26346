/**
 * How often a database may be cut into an L0 file, each of which is a write at every destination:
 * once per sync interval on average, and CUT_BURST times at once after a pause. So a commit is safe
 * at once unless many came before it, and a busy hour costs 3,600 writes and CUT_BURST at most.
 *
 * A token bucket, kept as the moment at which it is full again. Times are of a monotonic clock.
 */

/** Commits that come by a few at a time, as people's do, are each cut at once. */
export const CUT_BURST = 10;

export interface CutBudget {
  readonly intervalMs: number;
  /** When CUT_BURST cuts may be made again; in the past where they may be now. */
  readonly fullAtMs: number;
}

export function fullBudget(intervalMs: number): CutBudget {
  return { intervalMs, fullAtMs: -Infinity };
}

/** In how many ms a cut may be made; 0 where it may be now. */
export function cutDueInMs({ intervalMs, fullAtMs }: CutBudget, nowMs: number): number {
  return Math.max(0, fullAtMs - (CUT_BURST - 1) * intervalMs - nowMs);
}

/** The budget after a cut. One that could not wait for its turn leaves nothing, and no debt. */
export function afterCut({ intervalMs, fullAtMs }: CutBudget, nowMs: number): CutBudget {
  const next = Math.max(fullAtMs, nowMs) + intervalMs;
  return { intervalMs, fullAtMs: Math.min(next, nowMs + CUT_BURST * intervalMs) };
}
