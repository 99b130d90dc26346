import { describe, expect, test } from 'vitest';
import { Health } from '../../src/replicate/health.ts';

describe('whoever waits for a destination', () => {
  function healthAt(start: number): { health: Health; at: (ms: number) => void } {
    let monotonic = start;
    const clock = { now: () => 0, monotonic: () => monotonic };
    return { health: new Health(clock), at: (ms) => (monotonic = ms) };
  }

  test('waits as long as it takes while nothing fails', () => {
    const { health, at } = healthAt(0);
    health.patienceBegins();
    at(3_600_000);
    expect(health.isHopeless(0, 'waiting')).toBe(false);
  });

  test('gives it up when nothing has succeeded for the timeout since its first failure', () => {
    const { health, at } = healthAt(0);
    health.patienceBegins();
    at(1000);
    health.failed(new Error('no'));
    at(1299);
    health.failed(new Error('no'));
    expect(health.isHopeless(300, 'trying')).toBe(false);
    at(1300);
    expect(health.isHopeless(300, 'waiting')).toBe(true);
    health.succeeded();
    expect(health.isHopeless(300, 'waiting')).toBe(false);
  });

  test('counts an older failure only from when the waiting begins', () => {
    const { health, at } = healthAt(0);
    health.failed(new Error('no'));
    at(60_000);
    health.patienceBegins();
    at(60_299);
    expect(health.isHopeless(300, 'waiting')).toBe(false);
    at(60_300);
    expect(health.isHopeless(300, 'waiting')).toBe(true);
  });

  test('gives up a try that neither fails nor moves a byte', () => {
    const { health, at } = healthAt(0);
    health.patienceBegins();
    at(59_999);
    expect(health.isHopeless(300, 'trying')).toBe(false);
    at(60_000);
    expect(health.isHopeless(300, 'trying')).toBe(true);
    health.progressed();
    expect(health.isHopeless(300, 'trying')).toBe(false);
  });
});
