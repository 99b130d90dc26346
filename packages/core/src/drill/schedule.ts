/**
 * When a destination is drilled next. Pure. All times are in milliseconds.
 *
 * The first drill comes at a random moment within `everyMs`, so that many databases that start together do
 * not drill together. Later ones follow in steps of `everyMs`, counted from the start of the last drill. The
 * time of the next drill is recorded, so that a restart neither drills at once nor postpones it:
 *
 *  recorded for this `everyMs`    drilled before    next drill
 *  in the future                  -                 as recorded
 *  passed while nothing ran       -                 at random within OVERDUE_SPREAD_MS, or within everyMs
 *  no                             yes               everyMs after the last drill; if that has passed: as above
 *  no                             no                at random within everyMs
 *
 * A recorded time further ahead than `everyMs` is not believed: the clock was set back.
 */

import type { Random } from '../random.ts';

/** A recorded time of the next drill. */
export interface DueTime {
  readonly atMs: number;
  readonly everyMs: number;
}

/** What decides when the next drill is due. */
export interface ScheduleState {
  /** The wall clock, because the process may have been restarted. */
  readonly nowMs: number;
  readonly everyMs: number;
  readonly due: DueTime | undefined;
  /** Start of the last drill. */
  readonly lastMs: number | undefined;
}

/** After an outage of many machines, overdue drills are spread over this long. */
const OVERDUE_SPREAD_MS: number = 10 * 60_000;

/** The time of the next drill, for a process that starts now. */
export function dueAtStart(state: ScheduleState, random: Random): number {
  const { nowMs, everyMs, lastMs } = state;
  const wanted = recordedDue(state) ?? nextAfter(state);
  if (wanted !== undefined && wanted > nowMs) return wanted;
  const isFirst = wanted === undefined && lastMs === undefined;
  const spreadMs = isFirst ? everyMs : Math.min(everyMs, OVERDUE_SPREAD_MS);
  return nowMs + Math.floor(random.fraction() * spreadMs);
}

function recordedDue({ due, nowMs, everyMs }: ScheduleState): number | undefined {
  if (due === undefined || due.everyMs !== everyMs) return undefined;
  return due.atMs > nowMs + everyMs ? undefined : due.atMs;
}

/** undefined if there was no drill, or one in the future of this clock. */
function nextAfter({ lastMs, nowMs, everyMs }: ScheduleState): number | undefined {
  return lastMs === undefined || lastMs > nowMs ? undefined : lastMs + everyMs;
}
