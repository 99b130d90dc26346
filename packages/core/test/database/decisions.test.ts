import { describe, expect, test } from 'vitest';
import {
  afterBarrier,
  BARRIER_MS_MAX,
  CHECKPOINT_START,
  decideCheckpoint,
  observe,
  UNTOUCHED_MS,
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
  const input = { now: 0, log: 5, checkpointed: 5, held: true, atRest: false, freshBytes: 0 };
  test('ends when everything is held and the reader is at rest', () => {
    expect(settle(beginSettling(0), { ...input, atRest: true })).toBe('settled');
  });
  test('goes on while something is not held', () => {
    const state = settle(beginSettling(0), { ...input, atRest: true, held: false });
    expect(state).not.toBe('settled');
  });
  test('waits longer beside who writes a little all the time, and not beside who writes much', () => {
    const longestBeside = (freshBytes: number): number => {
      let state = beginSettling(0);
      for (let now = 0; now < 5_000; now += state.delayMs) {
        const next = settle(state, { ...input, now, log: now, freshBytes });
        if (next === 'settled') throw new Error('the log has moved at each look');
        state = next;
      }
      return state.delayMs;
    };
    expect(longestBeside(STEADY_BYTES_MAX)).toBe(STEADY_MS_MAX);
    expect(longestBeside(STEADY_BYTES_MAX + 1)).toBe(SETTLE_MS_MAX);
  });
  test('slows down to its longest wait, and ends when nothing has moved', () => {
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
    held: true,
    atRest: false,
    walSizeBytes: 1000,
  };
  const seen = (at: number) => observe(CHECKPOINT_START, { ...input, now: at });

  test('are made once the application has left the log alone', () => {
    expect(decideCheckpoint(seen(10_000), input, limits)).toBe('none');
    const later = { ...input, now: 10_000 + UNTOUCHED_MS };
    expect(decideCheckpoint(seen(10_000), later, limits)).toBe('passive');
  });
  test('are never made of what we do not hold', () => {
    const later = { ...input, now: 99_000, log: 99_999, held: false };
    expect(decideCheckpoint(seen(0), later, limits)).toBe('none');
  });
  test('are made of few frames too, when they are old', () => {
    const few = { ...input, log: 3 };
    const state = observe(CHECKPOINT_START, few);
    expect(decideCheckpoint(state, few, limits)).toBe('none');
    expect(decideCheckpoint(state, { ...few, now: 10_000 + 60_000 }, limits)).toBe('passive');
  });
  test('take the write lock only for a long log, and wait longer after one that was slow', () => {
    const long = { ...input, log: 300 };
    expect(decideCheckpoint(seen(10_000), long, limits)).toBe('barrier');
    const slow = afterBarrier(seen(10_000), 10_000, BARRIER_MS_MAX + 1);
    expect(decideCheckpoint(slow, long, limits)).toBe('none');
    const slower = afterBarrier(slow, 10_000, BARRIER_MS_MAX + 1);
    expect(slower.barrierWaitMs).toBe(2 * slow.barrierWaitMs);
    expect(afterBarrier(slower, 10_000, 5).barrierWaitMs).toBe(BARRIER_MS_MAX);
  });
  test('truncate a long file only where all of it is backfilled and nobody reads in it', () => {
    const full = { ...input, checkpointed: 150, walSizeBytes: 2_000_000 };
    expect(decideCheckpoint(seen(0), { ...full, atRest: true }, limits)).toBe('truncate');
    expect(decideCheckpoint(seen(0), full, limits)).toBe('none');
  });
});
