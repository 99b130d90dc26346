import { describe, expect, test } from 'vitest';
import { isHopeless } from '../../src/replicate/destination/health.ts';

describe('whoever waits for a destination', () => {
  const queue = { isTrying: false, failingSince: undefined, waitingSince: undefined };
  const health = { triedAt: 0, movedAt: -Infinity };
  const at = (now: number) => ({ now, timeoutMs: 300, hangMs: 60_000, isMakingImage: false });

  test('waits as long as it takes while nothing fails and bytes move', () => {
    const moving = { triedAt: 0, movedAt: 3_599_999 };
    expect(isHopeless(queue, health, at(3_600_000))).toBe(false);
    expect(isHopeless({ ...queue, isTrying: true }, moving, at(3_600_000))).toBe(false);
  });

  test('gives it up when nothing has succeeded for the timeout since its first failure', () => {
    const failing = { ...queue, failingSince: 1000 };
    for (const isTrying of [true, false]) {
      expect(isHopeless({ ...failing, isTrying }, health, at(1299))).toBe(false);
      expect(isHopeless({ ...failing, isTrying }, health, at(1300))).toBe(true);
    }
  });

  test('lets a try that moves bytes go on, whatever failed before', () => {
    const failing = { ...queue, failingSince: 1000, isTrying: true };
    expect(isHopeless(failing, { triedAt: 1001, movedAt: 4900 }, at(5000))).toBe(false);
    expect(isHopeless(failing, { triedAt: 1001, movedAt: 4700 }, at(5000))).toBe(true);
  });

  test('gives up a try that neither fails nor moves a byte', () => {
    const trying = { ...queue, isTrying: true };
    expect(isHopeless(trying, health, at(9_999))).toBe(false);
    expect(isHopeless(trying, health, at(10_000))).toBe(true);
    expect(isHopeless(trying, { triedAt: 0, movedAt: 1 }, at(10_000))).toBe(false);
  });

  test.each([
    [0, 10_000],
    [3_000, 10_000],
    [20_000, 40_000],
    [30_000, 60_000],
    [45_000, 60_000],
    [90_000, 90_000],
  ])('who waits %i ms for failures waits %i ms in silence', (timeoutMs, silenceMs) => {
    const trying = { ...queue, isTrying: true };
    expect(isHopeless(trying, health, { ...at(silenceMs - 1), timeoutMs })).toBe(false);
    expect(isHopeless(trying, health, { ...at(silenceMs), timeoutMs })).toBe(true);
  });

  test('waits for an image that is being made, and not for one that is not', () => {
    const waiting = { ...queue, failingSince: 1000, waitingSince: 1000 };
    expect(isHopeless(waiting, health, { ...at(9000), isMakingImage: true })).toBe(false);
    expect(isHopeless(waiting, health, at(9000))).toBe(true);
    expect(isHopeless({ ...queue, waitingSince: 1000 }, health, at(1299))).toBe(false);
    expect(isHopeless({ ...queue, waitingSince: 1000 }, health, at(1300))).toBe(true);
  });
});
