import { expect, test } from 'vitest';
import { IdlePolls } from '../../src/database/idle/idle-polls.ts';

test('the more databases are closed, the rarer are the polls of each, up to a limit', () => {
  const polls = new IdlePolls();
  expect(polls.intervalMs(1_000, 15_000)).toBe(1_000);
  for (let count = 0; count < 100; count++) polls.add();
  expect(polls.intervalMs(1_000, 15_000)).toBe(5_000);
  for (let count = 0; count < 900; count++) polls.add();
  expect(polls.intervalMs(1_000, 15_000)).toBe(15_000);
  for (let count = 0; count < 990; count++) polls.remove();
  expect(polls.intervalMs(1_000, 15_000)).toBe(1_000);
});

test('a longer interval of the configuration is kept', () => {
  expect(new IdlePolls().intervalMs(60_000, 15_000)).toBe(60_000);
});
