/** Each destination gets full snapshots at its own interval, and promises the same moments as the others. */

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Found } from './snapshot-intervals.main.ts';

const MAIN = path.join(import.meta.dirname, 'snapshot-intervals.main.ts');

test('in two days one destination gets a snapshot each hour and one each day; each restores every promised moment', () => {
  const found = JSON.parse(execFileSync(process.execPath, [MAIN], { encoding: 'utf8' })) as Found[];
  const [hourly, daily] = found;
  expect(found).toHaveLength(2);
  // A snapshot is made after its interval, as soon as the machine is awake.
  expect(hourly?.snapshotsWritten).toBeGreaterThanOrEqual(40);
  expect(hourly?.snapshotsWritten).toBeLessThanOrEqual(50);
  // The first one, and one after each day.
  expect(daily?.snapshotsWritten).toBe(3);
  // Six hours of retention, and the base before them.
  expect(hourly?.snapshotsKept).toBeLessThanOrEqual(10);
  expect(daily?.snapshotsKept).toBe(2);
  // All other files are the same.
  expect(daily?.levelZeroWritten).toBe(hourly?.levelZeroWritten);
  expect(daily?.mergesWritten).toBe(hourly?.mergesWritten);
  expect(hourly?.restored).toBeGreaterThan(20);
  expect(daily?.restored).toBe(hourly?.restored);
});
