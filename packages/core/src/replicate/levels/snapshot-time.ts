/**
 * When the next periodic snapshot is due, and which destinations get it. Pure: it gets the wall clock's time.
 *
 * Each destination has its own interval. A snapshot is made as soon as one of them is due:
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
  /** Minutes after midnight, local time; undefined: any time. */
  readonly atMinutes?: number | undefined;
  /** Age at which a snapshot is replaced although nothing has changed, where nothing is deleted. */
  readonly maxAgeMs?: number | undefined;
}

export function toSchedule(
  options: Pick<DatabaseOptions, 'snapshotAtMinutes' | 'snapshotMaxAgeMs'>,
): SnapshotSchedule {
  return {
    atMinutes: options.snapshotAtMinutes,
    maxAgeMs: options.snapshotMaxAgeMs,
  };
}

/** The snapshots of a destination. */
export interface SnapshotHolder {
  readonly intervalMs: number;
  /** undefined if it has none. */
  readonly newest: AgedSnapshot | undefined;
}

export interface SnapshotInput extends SnapshotSchedule {
  readonly head: bigint;
  /** The destinations that are up to date. */
  readonly holders: readonly SnapshotHolder[];
  /** By the wall clock. */
  readonly nowMs: number;
}

/** Which destinations get a snapshot, beside those that need one. */
export interface SnapshotScope {
  /** All whose interval is at most this. */
  readonly intervalMs: number;
  /** And those that are due, or will be within this time. */
  readonly earlyMs: number;
}

/** With `at`, a snapshot may be this much younger than the interval. */
const EARLY_MS = 6 * 3_600_000;
/** A start within this time after `at` still counts as that time. */
const LATE_MS = 3_600_000;
/** A step of the wall clock is noticed within this time. */
const RECHECK_MS = 600_000;
/** A destination that is due within this share of the shortest interval gets a snapshot that is made for others. */
const EARLY_SHARE = 1 / 10;
/** The scope of a snapshot that was ordered for all. */
export const ALL_DESTINATIONS: SnapshotScope = { intervalMs: Infinity, earlyMs: 0 };

/** Time until a snapshot is due or must be asked for again: 0 for now, Infinity if nothing has changed since the last one. */
export function snapshotDueInMs(input: SnapshotInput): number {
  return Math.min(Infinity, ...input.holders.map((holder) => dueInMs(holder, input)));
}

function dueInMs(
  { intervalMs, newest: snapshot }: SnapshotHolder,
  { atMinutes, nowMs, head }: SnapshotInput,
): number {
  if (snapshot === undefined) return 0;
  if (snapshot.txid >= head) return Infinity;
  const ageInMs = Math.max(snapshot.guessForMs, intervalMs - snapshot.ageMs, 0);
  if (atMinutes === undefined || snapshot.ageMs >= 2 * intervalMs) return ageInMs;
  const earliestInMs = Math.max(snapshot.guessForMs, intervalMs - EARLY_MS - snapshot.ageMs, 0);
  return Math.min(RECHECK_MS, timeOfDayInMs(atMinutes, nowMs, earliestInMs));
}

/** The scope of the snapshot that is made now. `intervalsMs`: of all destinations. */
export function scopeOfDue(input: SnapshotInput, intervalsMs: readonly number[]): SnapshotScope {
  const due = input.holders.filter((holder) => dueInMs(holder, input) === 0);
  return scopeFor(Math.max(0, ...due.map(({ intervalMs }) => intervalMs)), intervalsMs);
}

/** The scope of a snapshot that a destination with this interval needs. */
export function scopeFor(intervalMs: number, intervalsMs: readonly number[]): SnapshotScope {
  return { intervalMs, earlyMs: Math.min(intervalMs, ...intervalsMs) * EARLY_SHARE };
}

/** The scope of a snapshot that is made for several reasons. */
export function widestScope(a: SnapshotScope | undefined, b: SnapshotScope): SnapshotScope {
  if (a === undefined) return b;
  return {
    intervalMs: Math.max(a.intervalMs, b.intervalMs),
    earlyMs: Math.max(a.earlyMs, b.earlyMs),
  };
}

/** Whether a staged snapshot replaces the newest one of a destination. `scope`: undefined if it is not known. */
export function isInScope(
  scope: SnapshotScope | undefined,
  { intervalMs, newest }: SnapshotHolder,
): boolean {
  if (scope === undefined || newest === undefined || intervalMs <= scope.intervalMs) return true;
  return newest.ageMs + scope.earlyMs >= intervalMs;
}

/**
 * Time until the newest snapshots are so old that a lifecycle rule may delete them. They are replaced by an
 * image, which contains all that the newest state needs; a snapshot of the same TXID would have the same name.
 * `newest`: at destinations where nothing is deleted.
 */
export function refreshDueInMs({
  maxAgeMs,
  newest,
}: {
  readonly maxAgeMs: number | undefined;
  readonly newest: readonly (AgedSnapshot | undefined)[];
}): number {
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
