import { expect, test } from 'vitest';
import { decideRestart } from '../../src/library/restarts.ts';

const MINUTE_MS = 60_000;

test('the wait doubles with each unexpected end', () => {
  const ends = [0, 1_000, 2_000];
  const delays = ends.map((_, index) => decideRestart(ends.slice(0, index + 1)));
  expect(delays).toEqual([250, 500, 1_000].map((delayMs) => ({ kind: 'restart', delayMs })));
});

test('the sixth end within ten minutes is the last', () => {
  const ends = [0, 1, 2, 3, 4, 5].map((minute) => minute * MINUTE_MS);
  expect(decideRestart(ends.slice(0, 5))).toMatchObject({ kind: 'restart' });
  expect(decideRestart(ends)).toEqual({ kind: 'give up' });
});

test('ends that are long ago do not count', () => {
  const ends = [0, 1, 2, 3, 4, 60].map((minute) => minute * MINUTE_MS);
  expect(decideRestart(ends)).toEqual({ kind: 'restart', delayMs: 250 });
});
