import { describe, expect, test } from 'vitest';
import { Watched } from './watched.ts';
import { nextTimestamp, TIMESTAMP_STEP_MS_MAX } from '../../src/database/cut/timestamps.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
const NOON = Date.UTC(2026, 0, 31, 12);

describe('file timestamps', () => {
  test('come from the wall clock', () => {
    expect(nextTimestamp(NOON, NOON + 5)).toBe(NOON + 5);
    expect(nextTimestamp(0, NOON)).toBe(NOON);
  });

  test('do not decrease after a small step back of the clock', () => {
    for (const back of [1, TIMESTAMP_STEP_MS_MAX])
      expect(nextTimestamp(NOON, NOON - back)).toBe(NOON);
  });

  test('follow a large step in either direction', () => {
    expect(nextTimestamp(NOON, NOON + YEAR_MS)).toBe(NOON + YEAR_MS);
    expect(nextTimestamp(NOON + YEAR_MS, NOON)).toBe(NOON);
    expect(nextTimestamp(NOON, NOON - TIMESTAMP_STEP_MS_MAX - 1)).toBe(
      NOON - TIMESTAMP_STEP_MS_MAX - 1,
    );
  });

  test('differ from the wall clock by at most a small step', () => {
    let timestamp = 0;
    for (const wall of [500, 900, 100, 2_000, 1_500, 900_000, 3, 4, 1, 950, 20]) {
      timestamp = nextTimestamp(timestamp, wall);
      expect(timestamp).toBeGreaterThanOrEqual(wall);
      expect(timestamp - wall).toBeLessThanOrEqual(TIMESTAMP_STEP_MS_MAX);
    }
  });
});

test('a full snapshot has the time of its newest transaction, not the time when it was taken', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  const { timestampMs } = await watched.next('staged');
  watched.clock.stepWallClock(60_000);
  engine.snapshot();
  const snapshot = await watched.next('staged', ({ content }) => content === 'snapshot');
  expect(snapshot.timestampMs).toBe(timestampMs);
  watched.commit();
  const increment = await watched.next('staged', ({ file }) => file.maxTXID === 2n);
  expect(increment.timestampMs).toBeGreaterThanOrEqual(timestampMs + 60_000);
});
