/** Periodic snapshots at a time of day: daylight saving time, missed days, and steps of the wall clock. */

import { beforeAll, describe, expect, test } from 'vitest';
import {
  parseTimeOfDay,
  refreshDueInMs,
  snapshotDueInMs,
} from '../../src/replicate/levels/snapshot-time.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const AT_3 = 180;

/** All times of this file are those of Berlin. */
beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});

/** The times of the snapshots of `days` days, if a commit follows each. The first one is taken at `from`. */
function snapshotsFrom(from: string, days: number, intervalMs = DAY_MS): string[] {
  const taken: string[] = [];
  let nowMs = new Date(from).getTime();
  const endMs = nowMs + days * DAY_MS;
  let lastMs = nowMs;
  while (nowMs < endMs) {
    const newest = [{ txid: 1n, ageMs: nowMs - lastMs, guessForMs: 0 }];
    const waitMs = snapshotDueInMs({ intervalMs, atMinutes: AT_3, nowMs, head: 2n, newest });
    if (waitMs === 0) {
      taken.push(new Date(nowMs).toLocaleString('sv'));
      lastMs = nowMs;
    }
    nowMs += waitMs === 0 ? 1 : waitMs;
  }
  return taken;
}

function dueInMs(now: string, ageMs: number): number {
  const newest = [{ txid: 1n, ageMs, guessForMs: 0 }];
  const nowMs = new Date(now).getTime();
  return snapshotDueInMs({ intervalMs: DAY_MS, atMinutes: AT_3, nowMs, head: 2n, newest });
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
    const input = { intervalMs: DAY_MS, atMinutes: AT_3, nowMs: 0, head: 7n };
    const same = [{ txid: 7n, ageMs: 9 * DAY_MS, guessForMs: 0 }];
    expect(snapshotDueInMs({ ...input, newest: same })).toBe(Infinity);
    expect(snapshotDueInMs({ ...input, newest: [undefined] })).toBe(0);
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
