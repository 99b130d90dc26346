import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readDueDrills, recordDueDrills } from '../../src/drill/due.ts';
import { dueAtStart, type ScheduleState } from '../../src/drill/schedule.ts';
import type { Random } from '../../src/random.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MINUTE = 60_000;
const NOW = Date.parse('2026-01-31T12:00:00Z');

const drawing = (fraction: number): Random => ({ fraction: () => fraction, bits64: () => 0n });

/** Milliseconds from now until the next drill. */
function wait(state: Partial<ScheduleState>, fraction = 0.5): number {
  const whole = { nowMs: NOW, everyMs: DAY, due: undefined, lastMs: undefined, ...state };
  return dueAtStart(whole, drawing(fraction)) - NOW;
}

const due = (fromNowMs: number, everyMs = DAY): ScheduleState['due'] => ({
  atMs: NOW + fromNowMs,
  everyMs,
});

test('the first drill comes at a random moment within the interval', () => {
  expect([0, 0.25, 0.999].map((fraction) => wait({}, fraction))).toEqual([
    0,
    DAY / 4,
    Math.floor(DAY * 0.999),
  ]);
});

test('a restart keeps the recorded time: it neither drills at once nor postpones', () => {
  for (const lastMs of [undefined, NOW - 2 * DAY]) {
    expect(wait({ due: due(5 * HOUR), lastMs })).toBe(5 * HOUR);
  }
});

test('a drill that was missed is made up for within ten minutes, not at once', () => {
  expect(wait({ due: due(-HOUR) }, 0.5)).toBe(5 * MINUTE);
  expect(wait({ due: due(-HOUR, MINUTE), everyMs: MINUTE }, 0.5)).toBe(MINUTE / 2);
});

test('without a record, the next drill follows the last one', () => {
  expect(wait({ lastMs: NOW - HOUR })).toBe(DAY - HOUR);
  expect(wait({ lastMs: NOW - 2 * DAY }, 0.5)).toBe(5 * MINUTE);
});

test('a new interval counts from the last drill', () => {
  expect(wait({ due: due(20 * HOUR), everyMs: 6 * HOUR, lastMs: NOW - HOUR })).toBe(5 * HOUR);
});

test('times of a clock that was wrong are not believed', () => {
  expect(wait({ due: due(400 * DAY) }, 0.5)).toBe(DAY / 2);
  expect(wait({ due: due(400 * DAY), lastMs: NOW - HOUR })).toBe(DAY - HOUR);
  expect(wait({ lastMs: NOW + 400 * DAY }, 0.5)).toBe(5 * MINUTE);
});

test('a process that is restarted every hour drills once a day', () => {
  const random = drawing(0.9);
  const drills: number[] = [];
  let [recorded, lastMs]: [ScheduleState['due'], number | undefined] = [undefined, undefined];
  for (let nowMs = NOW; nowMs < NOW + 5 * DAY; nowMs += HOUR) {
    let atMs = dueAtStart({ nowMs, everyMs: DAY, due: recorded, lastMs }, random);
    if (atMs < nowMs + HOUR) {
      drills.push(atMs);
      lastMs = atMs;
      atMs += DAY;
    }
    recorded = { atMs, everyMs: DAY };
  }
  expect(drills).toHaveLength(5);
  const steps = drills.slice(1).map((atMs, place) => atMs - (drills[place] ?? 0));
  expect(steps).toEqual(steps.map(() => DAY));
});

const RECORD = { name: 'one', target: 'file:///one', at: '2026-01-31T12:00:00.000Z', everyMs: DAY };

test('the times of the next drills are recorded in the staging folder', async () => {
  const folder = temporaryFolder();
  expect(await readDueDrills(folder)).toEqual([]);
  expect(await recordDueDrills(folder, [RECORD])).toBe('recorded');
  expect(await readDueDrills(folder)).toEqual([RECORD]);
  expect(fs.readdirSync(folder)).toEqual(['drill-due.json']);
  const missing = path.join(folder, 'meta');
  expect(await recordDueDrills(missing, [RECORD])).toBe('no folder');
  expect(fs.existsSync(missing)).toBe(false);
});

test.each(['', '[{"name":"one"', '{}', '[1, {"name":"one"}]', '[{"at":"x"}]'])(
  'the text %j has no times',
  async (text) => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, 'drill-due.json'), text);
    expect(await readDueDrills(folder)).toEqual([]);
  },
);
