import { describe, expect, test } from 'vitest';
import {
  afterBarrier,
  BARRIER_MS_MAX,
  CHECKPOINT_START,
  decideCheckpoint,
  observe,
  APPLICATION_WAIT_MS,
} from '../../src/database/sqlite/checkpoint.ts';
import {
  beginSettling,
  QUIET_MS,
  settle,
  SETTLE_MS_MAX,
  STEADY_BYTES_MAX,
  STEADY_MS_MAX,
} from '../../src/database/settle.ts';

describe('the settle loop', () => {
  const input = {
    ...{ now: 0, log: 5, checkpointed: 5, isHeld: true, isAtRest: false, freshBytes: 0 },
    syncIntervalMs: 1_000,
  };
  test('ends when everything is held and the reader is at rest', () => {
    expect(settle(beginSettling(0), { ...input, isAtRest: true })).toBe('settled');
  });
  test('continues while some frames are not held', () => {
    const state = settle(beginSettling(0), { ...input, isAtRest: true, isHeld: false });
    expect(state).not.toBe('settled');
  });
  test('waits longer for an application that constantly writes a little, but not for one that writes much', () => {
    const longestWait = (freshBytes: number): number => {
      let state = beginSettling(0);
      for (let now = 0; now < 5_000; now += state.delayMs) {
        const next = settle(state, { ...input, now, log: now, freshBytes });
        if (next === 'settled') throw new Error('the log changed at each look');
        state = next;
      }
      return state.delayMs;
    };
    expect(longestWait(STEADY_BYTES_MAX)).toBe(STEADY_MS_MAX);
    expect(longestWait(STEADY_BYTES_MAX + 1)).toBe(SETTLE_MS_MAX);
  });
  test.for<readonly [number, number]>([
    [1_000, STEADY_MS_MAX],
    [30, 30],
    [10, 10],
    [1, 10],
  ])(
    'with a sync interval of %d ms, a steady writer is looked at every %d ms',
    ([syncIntervalMs, delayMs]) => {
      let state = beginSettling(0);
      for (let now = 0; now < 5_000; now += state.delayMs) {
        const next = settle(state, { ...input, now, log: now, syncIntervalMs });
        if (next === 'settled') throw new Error('the log changed at each look');
        state = next;
      }
      expect(state.delayMs).toBe(delayMs);
    },
  );
  test('slows down to its longest wait, and ends when nothing has changed', () => {
    let state = beginSettling(0);
    let now = 0;
    const waits: number[] = [];
    for (;;) {
      const next = settle(state, { ...input, now });
      if (next === 'settled') break;
      waits.push(next.delayMs);
      now += next.delayMs;
      state = next;
    }
    expect(Math.max(...waits)).toBe(SETTLE_MS_MAX);
    expect(now).toBeGreaterThanOrEqual(QUIET_MS);
    expect(now).toBeLessThan(QUIET_MS + 2 * SETTLE_MS_MAX);
  });
});

describe('our checkpoints', () => {
  const limits = { minPages: 100, truncateBytes: 1_000_000, intervalMs: 60_000 };
  const input = {
    now: 10_000,
    log: 150,
    checkpointed: 0,
    isHeld: true,
    isAtRest: false,
    walSizeBytes: 1000,
  };
  const seen = (at: number) => observe(CHECKPOINT_START, { ...input, now: at });

  test('are made if the application has not checkpointed for a while', () => {
    expect(decideCheckpoint(seen(10_000), input, limits)).toBe('none');
    const later = { ...input, now: 10_000 + APPLICATION_WAIT_MS };
    expect(decideCheckpoint(seen(10_000), later, limits)).toBe('passive');
  });
  test('are never made while frames are not held', () => {
    const later = { ...input, now: 99_000, log: 99_999, isHeld: false };
    expect(decideCheckpoint(seen(0), later, limits)).toBe('none');
  });
  test('are made for few frames too if they are old', () => {
    const few = { ...input, log: 3 };
    const state = observe(CHECKPOINT_START, few);
    expect(decideCheckpoint(state, few, limits)).toBe('none');
    expect(decideCheckpoint(state, { ...few, now: 10_000 + 60_000 }, limits)).toBe('passive');
  });
  test('take the write lock only for a long log, and wait longer after a slow barrier', () => {
    const long = { ...input, log: 300 };
    expect(decideCheckpoint(seen(10_000), long, limits)).toBe('barrier');
    const slow = afterBarrier(seen(10_000), 10_000, BARRIER_MS_MAX + 1);
    expect(decideCheckpoint(slow, long, limits)).toBe('none');
    const slower = afterBarrier(slow, 10_000, BARRIER_MS_MAX + 1);
    expect(slower.barrierWaitMs).toBe(2 * slow.barrierWaitMs);
    expect(afterBarrier(slower, 10_000, 5).barrierWaitMs).toBe(BARRIER_MS_MAX);
  });
  test('truncate a long file only if it is fully backfilled and the reader is at rest', () => {
    const full = { ...input, checkpointed: 150, walSizeBytes: 2_000_000 };
    expect(decideCheckpoint(seen(0), { ...full, isAtRest: true }, limits)).toBe('truncate');
    expect(decideCheckpoint(seen(0), full, limits)).toBe('none');
  });
});
