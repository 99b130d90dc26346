/** Times that people write: RFC 3339, local, and relative to the clock. */

import { expect, onTestFinished, test } from 'vitest';
import { parseTime } from '../src/restoring/time.ts';
import { runProcess } from './support/process.ts';

const NOW = new Date(2026, 10, 29, 14, 0, 30, 250);

function timeOf(text: string): Date {
  const parsed = parseTime(text, NOW);
  if (parsed.kind === 'time') return parsed.at;
  throw new Error(`"${text}": ${parsed.kind}`);
}

test.each([
  ['2026-11-28 14:00', new Date(2026, 10, 28, 14)],
  ['2026-11-28T14:00:05', new Date(2026, 10, 28, 14, 0, 5)],
  ['2026-11-28 9:05:07.5', new Date(2026, 10, 28, 9, 5, 7, 500)],
  ['2026-11-28', new Date(2026, 10, 28)],
  ['today 09:30', new Date(2026, 10, 29, 9, 30)],
  ['Today 9:30', new Date(2026, 10, 29, 9, 30)],
  ['yesterday 14:00', new Date(2026, 10, 28, 14)],
  ['yesterday 23:59:59.999', new Date(2026, 10, 28, 23, 59, 59, 999)],
])('"%s" is local time', (text, at) => {
  expect(timeOf(text)).toEqual(at);
});

test.each([
  '2026-11-28T14:00:05Z',
  '2026-11-28t14:00:05z',
  '2026-11-28 14:00:05 UTC',
  '2026-11-28 14:00:05 GMT',
  '2026-11-28T16:00:05+02:00',
  '2026-11-28T16:00:05+0200',
  '2026-11-28 09:00:05.000 -05:00',
])('"%s" is a moment in any time zone', (text) => {
  expect(timeOf(text)).toEqual(new Date('2026-11-28T14:00:05Z'));
});

test.each(['2026-11-28T14:00Z', '2026-11-28 14:00 UTC', '2026-11-28 15:00+01:00'])(
  '"%s" needs no seconds',
  (text) => {
    expect(timeOf(text)).toEqual(new Date('2026-11-28T14:00:00Z'));
  },
);

test('yesterday is the day before, also at the start of a month and of a year', () => {
  const newYear = parseTime('yesterday 00:00', new Date(2027, 0, 1, 0, 0, 1));
  expect(newYear).toEqual({ kind: 'time', at: new Date(2026, 11, 31) });
});

test.each([
  ['0s', 0],
  ['30s ago', 30_000],
  ['500ms', 500],
  ['2h', 2 * 3_600_000],
  ['2h ago', 2 * 3_600_000],
  ['1h30m', 90 * 60_000],
  ['1h 30m ago', 90 * 60_000],
  ['1.5h', 90 * 60_000],
  ['5 minutes ago', 5 * 60_000],
  ['1 min ago', 60_000],
  ['3 days ago', 3 * 86_400_000],
  ['2d', 2 * 86_400_000],
])('"%s" is relative to the clock', (text, agoMs) => {
  expect(timeOf(text)).toEqual(new Date(NOW.getTime() - agoMs));
});

test.each([
  '',
  'now',
  'yesterday',
  '14:00',
  '2026-11',
  '2',
  '-2h',
  'ago',
  '2 weeks ago',
  '2h later',
  '2026-11-28 14:00 CET',
  '2026-11-28 UTC',
])('"%s" is not a time', (text) => {
  expect(parseTime(text, NOW)).toEqual({ kind: 'unknown' });
});

test.each([
  '2026-02-30 14:00',
  '2026-13-01 14:00',
  'today 24:00',
  'yesterday 12:60',
  '2025-02-29 0:00',
  '2026-02-30',
  '2026-02-30T14:00Z',
  '2026-02-28T14:00+99:00',
])('"%s" does not exist in the calendar', (text) => {
  expect(parseTime(text, NOW)).toEqual({
    kind: 'impossible',
    why: 'does not exist in the calendar',
  });
});

test.each([
  ['Europe/Berlin', '2026-03-29', '2026-03-28T23:00:00.000Z'],
  // There is no midnight: the clock is put forward to 01:00.
  ['Africa/Cairo', '2026-04-24', '2026-04-23T22:00:00.000Z'],
  // Midnight comes twice: at 01:00 the clock is put back.
  ['America/Havana', '2026-11-01', '2026-11-01T04:00:00.000Z'],
])('in %s, %s begins at %s', (zone, text, at) => {
  const own = process.env['TZ'];
  onTestFinished(() => {
    if (own === undefined) delete process.env['TZ'];
    else process.env['TZ'] = own;
  });
  process.env['TZ'] = zone;
  expect(parseTime(text, NOW)).toEqual({ kind: 'time', at: new Date(at) });
});

test.each([
  ['2026-03-29 02:30', 'does not exist here, because the clock was put forward then'],
  [
    '2026-10-25 02:30',
    'happened twice here, because the clock was put back then: choose 2026-10-25T00:30:00.000Z or 2026-10-25T01:30:00.000Z',
  ],
])('in Berlin, %s is refused', async (text, why) => {
  const words = ['restore', '-timestamp', text, 'file:///nowhere'];
  const { code, stderr } = await runProcess(words, { TZ: 'Europe/Berlin' });
  expect([code, stderr]).toEqual([2, expect.stringContaining(`-timestamp "${text}" ${why}`)]);
});
