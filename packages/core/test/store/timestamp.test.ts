import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { formatTimestamp, parseTimestamp } from '../../src/store/timestamp.ts';

test.each([
  [1_700_000_000_000, '2023-11-14T22:13:20Z'],
  [1_700_000_000_120, '2023-11-14T22:13:20.12Z'],
  [1_700_000_000_001, '2023-11-14T22:13:20.001Z'],
  [1_699_920_000_000, '2023-11-14T00:00:00Z'],
  [0, '1970-01-01T00:00:00Z'],
  [-1, '1969-12-31T23:59:59.999Z'],
])('%d ms is formatted like in Go: %s', (ms, text) => {
  expect(formatTimestamp(new Date(ms))).toBe(text);
});

test('formatted times are parsed back', () => {
  const times = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(times, (time) => {
      expect(parseTimestamp(formatTimestamp(time))).toEqual(time);
    }),
  );
});

test('a time that RFC 3339 cannot represent is refused', () => {
  const refused = expect.objectContaining({ code: 'LTX_INVALID' });
  for (const ms of [Number.NaN, 8e15, -8e15]) {
    expect(() => formatTimestamp(new Date(ms))).toThrow(refused);
  }
});

test.each([
  ['2023-11-14T22:13:20.123456789Z', 1_700_000_000_123],
  ['2023-11-14T23:13:20+01:00', 1_700_000_000_000],
  ['2023-11-14t22:13:20.5z', 1_700_000_000_500],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000],
])('any RFC 3339 time is parsed: %s', (text, ms) => {
  expect(parseTimestamp(text)?.getTime()).toBe(ms);
});

test.each([
  '',
  'yesterday',
  '2023-11-14',
  '2023-11-14T22:13:20',
  '2023-02-29T00:00:00Z',
  '2023-13-01T00:00:00Z',
  '2023-11-14T25:00:00Z',
  '2023-11-14T22:13:20+24:00',
  ' 2023-11-14T22:13:20Z',
  '1700000000000',
])('other text is not parsed: %j', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});
