import { describe, expect, test } from 'vitest';
import { nextStamp, STAMP_STEP_MS_MAX } from '../../src/database/cut/stamps.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
const NOON = Date.UTC(2026, 0, 31, 12);

describe('the times of files', () => {
  test('are those of the wall clock', () => {
    expect(nextStamp(NOON, NOON + 5)).toBe(NOON + 5);
    expect(nextStamp(0, NOON)).toBe(NOON);
  });

  test('do not run backwards over a small step of the clock', () => {
    for (const back of [1, STAMP_STEP_MS_MAX]) expect(nextStamp(NOON, NOON - back)).toBe(NOON);
  });

  test('follow a large step, ahead and back: a wrong year is not kept', () => {
    expect(nextStamp(NOON, NOON + YEAR_MS)).toBe(NOON + YEAR_MS);
    expect(nextStamp(NOON + YEAR_MS, NOON)).toBe(NOON);
    expect(nextStamp(NOON, NOON - STAMP_STEP_MS_MAX - 1)).toBe(NOON - STAMP_STEP_MS_MAX - 1);
  });

  test('are never further from the wall clock than a small step', () => {
    let stamp = 0;
    for (const wall of [500, 900, 100, 2_000, 1_500, 900_000, 3, 4, 1, 950, 20]) {
      stamp = nextStamp(stamp, wall);
      expect(stamp).toBeGreaterThanOrEqual(wall);
      expect(stamp - wall).toBeLessThanOrEqual(STAMP_STEP_MS_MAX);
    }
  });
});
