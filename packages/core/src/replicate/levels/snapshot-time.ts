/**
 * When the next periodic snapshot is due. Pure: it gets the wall clock's time.
 *
 *  without `at`   as soon as the newest snapshot is as old as the interval
 *  with `at`      at this local time, on the first day on which the newest snapshot is as old as the interval, or
 *                 nearly: a day has 23 to 25 hours. If that was missed (the machine was off) and the newest
 *                 snapshot is twice as old as the interval, at once.
 *
 * The wall clock may step. So a wait for a time of day is cut into short ones, after which it is asked again.
 */

import type { DatabaseOptions } from '../../database/options.ts';
import type { AgedSnapshot } from './snapshot-age.ts';

export interface SnapshotSchedule {
  readonly intervalMs: number;
  /** Minutes after midnight, local time; undefined: any time. */
  readonly atMinutes?: number | undefined;
  /** Age at which a snapshot is replaced although nothing has changed, where nothing is deleted. */
  readonly maxAgeMs?: number | undefined;
}

export function toSchedule(
  options: Pick<DatabaseOptions, 'snapshotIntervalMs' | 'snapshotAtMinutes' | 'snapshotMaxAgeMs'>,
): SnapshotSchedule {
  return {
    intervalMs: options.snapshotIntervalMs,
    atMinutes: options.snapshotAtMinutes,
    maxAgeMs: options.snapshotMaxAgeMs,
  };
}

export interface SnapshotInput extends SnapshotSchedule {
  readonly head: bigint;
  /** Newest snapshot of each destination that is up to date; undefined if it has none. */
  readonly newest: readonly (AgedSnapshot | undefined)[];
  /** By the wall clock. */
  readonly nowMs: number;
}

/** With `at`, a snapshot may be this much younger than the interval. */
const EARLY_MS = 6 * 3_600_000;
/** A start within this time after `at` still counts as that time. */
const LATE_MS = 3_600_000;
/** A step of the wall clock is noticed within this time. */
const RECHECK_MS = 600_000;

/** Time until a snapshot is due or must be asked for again: 0 for now, Infinity if nothing has changed since the last one. */
export function snapshotDueInMs(input: SnapshotInput): number {
  const dues = input.newest.map((snapshot) => {
    if (snapshot === undefined) return 0;
    if (snapshot.txid >= input.head) return Infinity;
    const { atMinutes, nowMs } = input;
    const ageInMs = Math.max(snapshot.guessForMs, input.intervalMs - snapshot.ageMs, 0);
    if (atMinutes === undefined || snapshot.ageMs >= 2 * input.intervalMs) return ageInMs;
    const earliestInMs = Math.max(
      snapshot.guessForMs,
      input.intervalMs - EARLY_MS - snapshot.ageMs,
      0,
    );
    return Math.min(RECHECK_MS, timeOfDayInMs(atMinutes, nowMs, earliestInMs));
  });
  return dues.length === 0 ? Infinity : Math.min(...dues);
}

/**
 * Time until the newest snapshots are so old that a lifecycle rule may delete them. They are replaced by an
 * image, which contains all that the newest state needs; a snapshot of the same TXID would have the same name.
 * `newest`: at destinations where nothing is deleted.
 */
export function refreshDueInMs({
  maxAgeMs,
  newest,
}: Pick<SnapshotInput, 'maxAgeMs' | 'newest'>): number {
  if (maxAgeMs === undefined) return Infinity;
  const dues = newest.map((snapshot) =>
    snapshot === undefined ? Infinity : Math.max(snapshot.guessForMs, maxAgeMs - snapshot.ageMs, 0),
  );
  return Math.min(Infinity, ...dues);
}

/** Wait from `nowMs` until this local time, but at least `leastMs`. */
function timeOfDayInMs(atMinutes: number, nowMs: number, leastMs: number): number {
  const fromMs = nowMs + leastMs;
  const last = [-1, 0].map((days) => onDay(atMinutes, fromMs, days));
  if (last.some((timeMs) => fromMs >= timeMs && fromMs - timeMs < LATE_MS)) return leastMs;
  const next = [0, 1].map((days) => onDay(atMinutes, fromMs, days));
  return (next.find((timeMs) => timeMs > fromMs) ?? fromMs) - nowMs;
}

/** The time of day on the day of `nowMs`, or some days after it. A time that a DST change skips is an hour later. */
function onDay(atMinutes: number, nowMs: number, days: number): number {
  const day = new Date(nowMs);
  const [year, month, date] = [day.getFullYear(), day.getMonth(), day.getDate() + days];
  return new Date(year, month, date, 0, atMinutes).getTime();
}

/** "03:00" in minutes after midnight; undefined if it is not a time of day. */
export function parseTimeOfDay(text: string): number | undefined {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
}
