/**
 * The states that can be restored from generations of Litestream 0.3, from a listing. Pure.
 *
 * Litestream 0.3 has no TXIDs: each upload of a snapshot or of a part of a WAL gives a state. A state is
 * reported only if a plan leads to it, without a missing object.
 */

import type { Generation } from './generations.ts';
import { planIfStored, planV03 } from './plan.ts';

/** A state, by the time of its last upload. */
export interface V03Moment {
  readonly generation: string;
  readonly at: Date;
}

/** What can be restored from one generation. */
export interface V03Span {
  readonly generation: string;
  /** undefined if nothing can be restored from it. */
  readonly first: Date | undefined;
  readonly last: Date | undefined;
  readonly snapshots: number;
  readonly segments: number;
  readonly sizeBytes: number;
}

/** What can be restored from a backup of Litestream 0.3. Lists are newest first. */
export interface V03History {
  readonly spans: readonly V03Span[];
  /** The newest `momentsMax` states of the range. */
  readonly moments: readonly V03Moment[];
}

export interface V03Range {
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly momentsMax?: number | undefined;
}

/** Uploads without a plan that are skipped in search of one: each needs a pass over the generation. */
const SKIPPED_MAX = 1_000;

/** The generations of a listing, and their states within the range. */
export function historyOfV03(
  generations: readonly Generation[],
  { since, until, momentsMax = 0 }: V03Range = {},
): V03History {
  const isWanted = (at: Date): boolean =>
    (since === undefined || at >= since) && (until === undefined || at <= until);
  const moments = generations.flatMap((generation) => {
    const times = timesOf(generation).filter(isWanted).toReversed();
    return statesAt(generation, times, momentsMax);
  });
  return {
    spans: generations.map(toSpan).toReversed(), // listed by their last upload
    moments: moments.sort((a, b) => b.at.getTime() - a.at.getTime()).slice(0, momentsMax),
  };
}

/** Times of uploads, oldest first. */
function timesOf({ snapshots, segments }: Generation): Date[] {
  const times = new Set([...snapshots, ...segments].map(({ modifiedAt }) => modifiedAt.getTime()));
  return [...times].sort((a, b) => a - b).map((ms) => new Date(ms));
}

/** The first `max` of these uploads that can be restored. */
function statesAt(generation: Generation, times: readonly Date[], max: number): V03Moment[] {
  const { id } = generation;
  const found: V03Moment[] = [];
  let skipped = 0;
  for (const at of times) {
    if (found.length === max || skipped > SKIPPED_MAX) break;
    const plan = planIfStored(() => planV03([generation], { generation: id, at }));
    if (plan?.at.getTime() === at.getTime()) found.push({ generation: id, at });
    else skipped += 1;
  }
  return found;
}

function toSpan(generation: Generation): V03Span {
  const { id, snapshots, segments } = generation;
  const times = timesOf(generation);
  const [first] = statesAt(generation, times, 1);
  const [last] = statesAt(generation, times.toReversed(), 1);
  return {
    generation: id,
    first: first?.at,
    last: last?.at,
    snapshots: snapshots.length,
    segments: segments.length,
    sizeBytes: [...snapshots, ...segments].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}
