import { expect, test } from 'vitest';
import { examinationLimitMs } from '../../src/drill/examination-limit.ts';

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
const small = { everyMs: 1_000, databaseBytes: 4_096, assertions: 0 };

test.each([
  ['a minute, whatever the size and the interval', small, 60_000],
  ['a quarter of the interval', { ...small, everyMs: 24 * HOUR_MS }, 6 * HOUR_MS],
  ['the time to read it twice at 4 MiB/s', { ...small, databaseBytes: GIB }, 512_000],
  ['and once more for each assertion', { ...small, databaseBytes: GIB, assertions: 2 }, 1_024_000],
  ['20 days at most', { ...small, everyMs: 365 * 24 * HOUR_MS }, 20 * 24 * HOUR_MS],
])('the checks of an unwatched drill may take %s', (_, size, ms) => {
  expect(examinationLimitMs(size)).toBe(ms);
});
