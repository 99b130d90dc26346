import { describe, expect, test } from 'vitest';
import { toTXID } from '../../src/ltx/txid.ts';
import { SnapshotAge } from '../../src/replicate/levels/snapshot-age.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const NOON = Date.UTC(2026, 0, 31, 12);

/** A server with a correct clock, and a local wall clock that is `aheadMs` ahead. */
function scene(aheadMs: number) {
  let passedMs = 0;
  let stepMs = aheadMs;
  const clock = { now: () => NOON + passedMs + stepMs, monotonic: () => 77 + passedMs };
  const age = new SnapshotAge(clock);
  return {
    age,
    pass: (ms: number) => (passedMs += ms),
    step: (ms: number) => (stepMs += ms),
    write: (level: number, txid: number) =>
      age.wrote({ level, maxTXID: toTXID(txid), modifiedAt: new Date(NOON + passedMs) }),
    listed: { txid: 5n, modifiedAtMs: NOON - 2 * HOUR_MS },
  };
}

describe('the age of a snapshot', () => {
  test("uses the server's clock after the first write, regardless of our clock", () => {
    for (const ahead of [0, YEAR_MS, -YEAR_MS]) {
      const { age, pass, write, listed } = scene(ahead);
      write(0, 6);
      expect(age.of(listed)).toEqual({ txid: 5n, ageMs: 2 * HOUR_MS, guessForMs: 0 });
      pass(HOUR_MS);
      expect(age.of(listed).ageMs).toBe(3 * HOUR_MS);
    }
  });

  test("is counted from the write by our monotonic clock even if the server's time is wrong", () => {
    const { age, pass } = scene(0);
    age.wrote({ level: 9, maxTXID: toTXID(6), modifiedAt: new Date(NOON - YEAR_MS) });
    pass(1_000);
    expect(age.of({ txid: 6n, modifiedAtMs: NOON - YEAR_MS }).ageMs).toBe(1_000);
  });

  test('is a guess by our clock before the first write, and is not acted on at once', () => {
    const { age, pass, listed } = scene(YEAR_MS);
    const { ageMs, guessForMs } = age.of(listed);
    expect(ageMs).toBe(YEAR_MS + 2 * HOUR_MS);
    expect(guessForMs).toBeGreaterThan(0);
    pass(guessForMs);
    expect(age.of(listed).guessForMs).toBe(0);
  });

  test('does not jump with our clock, and is never negative', () => {
    const { age, step, pass, listed } = scene(-YEAR_MS);
    expect(age.of(listed).ageMs).toBe(0);
    step(2 * YEAR_MS);
    expect(age.of(listed).ageMs).toBe(0);
    pass(YEAR_MS);
    expect(age.of(listed).ageMs).toBe(2 * HOUR_MS);
  });
});
