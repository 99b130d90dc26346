/** When periodic snapshots are due, and who gets them. At a time of day: daylight saving time, missed days, and steps of the wall clock. */

import { beforeAll, describe, expect, test } from 'vitest';
import {
  ALL_DESTINATIONS,
  isInScope,
  parseTimeOfDay,
  refreshDueInMs,
  scopeFor,
  scopeOfDue,
  snapshotDueInMs,
  widestScope,
  type SnapshotHolder,
} from '../../src/replicate/levels/snapshot-time.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const AT_3 = 180;

/** All times of this file are those of Berlin. */
beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});

function holderOf(intervalMs: number, ageMs: number, txid = 1n): SnapshotHolder {
  return { intervalMs, newest: { txid, ageMs, guessForMs: 0 } };
}

/** The times of the snapshots of `days` days, if a commit follows each. The first one is taken at `from`. */
function snapshotsFrom(from: string, days: number, intervalMs = DAY_MS): string[] {
  const taken: string[] = [];
  let nowMs = new Date(from).getTime();
  const endMs = nowMs + days * DAY_MS;
  let lastMs = nowMs;
  while (nowMs < endMs) {
    const holders = [holderOf(intervalMs, nowMs - lastMs)];
    const waitMs = snapshotDueInMs({ atMinutes: AT_3, nowMs, head: 2n, holders });
    if (waitMs === 0) {
      taken.push(new Date(nowMs).toLocaleString('sv'));
      lastMs = nowMs;
    }
    nowMs += waitMs === 0 ? 1 : waitMs;
  }
  return taken;
}

function dueInMs(now: string, ageMs: number): number {
  const holders = [holderOf(DAY_MS, ageMs)];
  const nowMs = new Date(now).getTime();
  return snapshotDueInMs({ atMinutes: AT_3, nowMs, head: 2n, holders });
}

describe('with a time of day, snapshots are taken', () => {
  test('at that time each day, also over a change to summer time and back', () => {
    expect(snapshotsFrom('2026-03-27T03:00:00', 4)).toEqual([
      '2026-03-28 03:00:00',
      '2026-03-29 03:00:00',
      '2026-03-30 03:00:00',
      '2026-03-31 03:00:00',
    ]);
    expect(snapshotsFrom('2026-10-24T03:00:00', 4)).toEqual([
      '2026-10-25 03:00:00',
      '2026-10-26 03:00:00',
      '2026-10-27 03:00:00',
    ]);
  });

  test('on the next day if one was taken in the evening, and every other day for an interval of two', () => {
    expect(snapshotsFrom('2026-01-10T22:00:00', 2)).toEqual(['2026-01-12 03:00:00']);
    expect(snapshotsFrom('2026-01-10T03:00:00', 5, 2 * DAY_MS)).toEqual([
      '2026-01-12 03:00:00',
      '2026-01-14 03:00:00',
    ]);
  });

  test('at a start within the hour after it, and at any time after two intervals', () => {
    expect(dueInMs('2026-01-10T03:59:00', DAY_MS)).toBe(0);
    expect(dueInMs('2026-01-10T04:01:00', DAY_MS)).toBeGreaterThan(0);
    expect(dueInMs('2026-01-10T12:00:00', 2 * DAY_MS)).toBe(0);
  });

  test('not because the wall clock steps: the age counts, and the wait is short', () => {
    expect(dueInMs('2027-01-10T03:00:00', HOUR_MS)).toBe(10 * MINUTE_MS);
    expect(dueInMs('2026-01-10T02:00:00', DAY_MS - 1)).toBe(10 * MINUTE_MS);
    expect(dueInMs('2026-01-10T02:55:00', DAY_MS)).toBe(5 * MINUTE_MS);
  });

  test('only if something has changed, and at once if there is none', () => {
    const input = { atMinutes: AT_3, nowMs: 0, head: 7n };
    const none = { intervalMs: DAY_MS, newest: undefined };
    const same = holderOf(DAY_MS, 9 * DAY_MS, 7n);
    expect(snapshotDueInMs({ ...input, holders: [same] })).toBe(Infinity);
    expect(snapshotDueInMs({ ...input, holders: [none] })).toBe(0);
  });
});

describe('a snapshot is due', () => {
  const input = { head: 9n, nowMs: 0 };
  const aged = (txid: bigint, ageMs: number, guessForMs = 0, intervalMs = 500) => ({
    intervalMs,
    newest: { txid, ageMs, guessForMs },
  });
  test('if a destination has none', () => {
    const none = { intervalMs: 500, newest: undefined };
    expect(snapshotDueInMs({ ...input, holders: [none, aged(3n, 100)] })).toBe(0);
  });
  test('if its newest one is older than the interval', () => {
    expect(snapshotDueInMs({ ...input, holders: [aged(3n, 300)] })).toBe(200);
    expect(snapshotDueInMs({ ...input, holders: [aged(3n, 900)] })).toBe(0);
  });
  test('by the interval of each destination', () => {
    const holders = [aged(3n, 300, 0, 1_000), aged(3n, 300, 0, 350), aged(3n, 300)];
    expect(snapshotDueInMs({ ...input, holders })).toBe(50);
  });
  test('not while its age is only a guess', () => {
    expect(snapshotDueInMs({ ...input, holders: [aged(3n, 900, 40)] })).toBe(40);
  });
  test('not if nothing has changed since, or no destination is up to date', () => {
    expect(snapshotDueInMs({ ...input, holders: [aged(9n, 900)] })).toBe(Infinity);
    expect(snapshotDueInMs({ ...input, holders: [] })).toBe(Infinity);
  });
});

describe('a snapshot goes to', () => {
  const input = { head: 2n, nowMs: 0 };
  const none = { intervalMs: DAY_MS, newest: undefined };

  /** Which of the destinations get the snapshot that is made now. */
  function inScope(...holders: readonly SnapshotHolder[]): boolean[] {
    const scope = scopeOfDue(
      { ...input, holders },
      holders.map(({ intervalMs }) => intervalMs),
    );
    return holders.map((holder) => isInScope(scope, holder));
  }

  test('a destination that is due, and not to one with a longer interval that is not', () => {
    expect(inScope(holderOf(HOUR_MS, HOUR_MS), holderOf(DAY_MS, 5 * HOUR_MS))).toEqual([
      true,
      false,
    ]);
    expect(inScope(holderOf(HOUR_MS, HOUR_MS), holderOf(DAY_MS, DAY_MS))).toEqual([true, true]);
  });

  test('one that will be due within a tenth of the shortest interval', () => {
    const due = holderOf(HOUR_MS, HOUR_MS);
    expect(inScope(due, holderOf(DAY_MS, DAY_MS - 6 * MINUTE_MS))).toEqual([true, true]);
    expect(inScope(due, holderOf(DAY_MS, DAY_MS - 7 * MINUTE_MS))).toEqual([true, false]);
  });

  test('all whose interval is not longer than that of one that is due', () => {
    const due = holderOf(DAY_MS, DAY_MS);
    expect(inScope(due, holderOf(DAY_MS, 1), holderOf(HOUR_MS, 1))).toEqual([true, true, true]);
    expect(inScope(due, holderOf(DAY_MS + 1, 1))).toEqual([true, false]);
  });

  test('one without a snapshot, and for it to those with the same interval', () => {
    expect(inScope(none, holderOf(DAY_MS, 1), holderOf(2 * DAY_MS, 1))).toEqual([
      true,
      true,
      false,
    ]);
    expect(isInScope(scopeFor(HOUR_MS, [HOUR_MS, DAY_MS]), none)).toBe(true);
  });

  test('one that became due while it was staged', () => {
    const scope = scopeFor(HOUR_MS, [HOUR_MS, DAY_MS]);
    expect(isInScope(scope, holderOf(DAY_MS, 20 * HOUR_MS))).toBe(false);
    expect(isInScope(scope, holderOf(DAY_MS, 25 * HOUR_MS))).toBe(true);
  });

  test('all if it was ordered, or if its scope is not known', () => {
    const scope = widestScope(scopeFor(HOUR_MS, [HOUR_MS, DAY_MS]), ALL_DESTINATIONS);
    expect(isInScope(scope, holderOf(365 * DAY_MS, 0))).toBe(true);
    expect(isInScope(undefined, holderOf(365 * DAY_MS, 0))).toBe(true);
    const both = widestScope(scopeFor(HOUR_MS, [HOUR_MS]), scopeFor(DAY_MS, [HOUR_MS]));
    expect(both).toEqual({ intervalMs: DAY_MS, earlyMs: 6 * MINUTE_MS });
    expect(widestScope(undefined, both)).toBe(both);
  });
});

test('a time of day is hours and minutes', () => {
  expect(['03:00', '3:00', '23:59', '00:00'].map(parseTimeOfDay)).toEqual([180, 180, 1_439, 0]);
  expect(['24:00', '3', '03:60', '3:0', 'noon', ''].map(parseTimeOfDay)).toEqual(
    Array(6).fill(undefined),
  );
});

test('a snapshot is replaced at its maximum age, and never without one', () => {
  const newest = [{ txid: 1n, ageMs: 9 * HOUR_MS, guessForMs: 0 }, undefined];
  expect(refreshDueInMs({ maxAgeMs: 10 * HOUR_MS, newest })).toBe(HOUR_MS);
  expect(refreshDueInMs({ maxAgeMs: 9 * HOUR_MS, newest })).toBe(0);
  expect(refreshDueInMs({ maxAgeMs: undefined, newest })).toBe(Infinity);
  expect(refreshDueInMs({ maxAgeMs: HOUR_MS, newest: [] })).toBe(Infinity);
});
