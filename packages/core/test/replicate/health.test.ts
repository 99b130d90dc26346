import { describe, expect, test } from 'vitest';
import { shouldGiveUp } from '../../src/replicate/destination/health.ts';

describe('a drain', () => {
  const queue = { isTrying: false, failingSince: undefined, waitingSince: undefined };
  const health = { triedAt: 0, movedAt: -Infinity };
  const at = (now: number) => ({ now, timeoutMs: 300, hangMs: 60_000, isMakingImage: false });

  test('waits as long as nothing fails and bytes are transferred', () => {
    const moving = { triedAt: 0, movedAt: 3_599_999 };
    expect(shouldGiveUp(queue, health, at(3_600_000))).toBe(false);
    expect(shouldGiveUp({ ...queue, isTrying: true }, moving, at(3_600_000))).toBe(false);
  });

  test('gives a destination up when nothing has succeeded for the timeout since its first failure', () => {
    const failing = { ...queue, failingSince: 1000 };
    for (const isTrying of [true, false]) {
      expect(shouldGiveUp({ ...failing, isTrying }, health, at(1299))).toBe(false);
      expect(shouldGiveUp({ ...failing, isTrying }, health, at(1300))).toBe(true);
    }
  });

  test('does not interrupt a try that transfers bytes, even after failures', () => {
    const failing = { ...queue, failingSince: 1000, isTrying: true };
    expect(shouldGiveUp(failing, { triedAt: 1001, movedAt: 4900 }, at(5000))).toBe(false);
    expect(shouldGiveUp(failing, { triedAt: 1001, movedAt: 4700 }, at(5000))).toBe(true);
  });

  test('gives up a try that neither fails nor transfers bytes', () => {
    const trying = { ...queue, isTrying: true };
    expect(shouldGiveUp(trying, health, at(9_999))).toBe(false);
    expect(shouldGiveUp(trying, health, at(10_000))).toBe(true);
    expect(shouldGiveUp(trying, { triedAt: 0, movedAt: 1 }, at(10_000))).toBe(false);
  });

  test.each([
    [0, 10_000],
    [3_000, 10_000],
    [20_000, 40_000],
    [30_000, 60_000],
    [45_000, 60_000],
    [90_000, 90_000],
  ])('with a timeout of %i ms waits %i ms for a silent destination', (timeoutMs, silenceMs) => {
    const trying = { ...queue, isTrying: true };
    expect(shouldGiveUp(trying, health, { ...at(silenceMs - 1), timeoutMs })).toBe(false);
    expect(shouldGiveUp(trying, health, { ...at(silenceMs), timeoutMs })).toBe(true);
  });

  test('waits for an image only while it is being made', () => {
    const waiting = { ...queue, failingSince: 1000, waitingSince: 1000 };
    expect(shouldGiveUp(waiting, health, { ...at(9000), isMakingImage: true })).toBe(false);
    expect(shouldGiveUp(waiting, health, at(9000))).toBe(true);
    expect(shouldGiveUp({ ...queue, waitingSince: 1000 }, health, at(1299))).toBe(false);
    expect(shouldGiveUp({ ...queue, waitingSince: 1000 }, health, at(1300))).toBe(true);
  });
});
