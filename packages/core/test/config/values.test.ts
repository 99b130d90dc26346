import { inspect } from 'node:util';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatBytes, parseBytes } from '../../src/config/bytes.ts';
import { formatDuration, parseDuration } from '../../src/config/duration.ts';
import { nearest } from '../../src/config/nearest.ts';
import { sameConfig } from '../../src/config/same.ts';
import { isSecret, secret } from '../../src/config/secret.ts';

describe('durations', () => {
  test.each([
    ['1s', 1_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['0', 0],
    ['0s', 0],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1m0.5s', 60_500],
    ['100us', 0.1],
    ['1µs', 0.001],
    ['+2s', 2_000],
    ['7d', 604_800_000],
    ['1d12h', 129_600_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each([
    '',
    '5',
    '1w',
    '1 s',
    '-1s',
    's',
    '1s ',
    '1S',
    '1e3s',
    '.s',
    '1m-5s',
    'Infinitys',
    '99999999999999h',
  ])('%j is not a duration', (text) => expect(parseDuration(text)).toBeUndefined());

  test('formatted durations are parsed back', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 12), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3);
      }),
    );
    expect([0, 500, 1_500, 60_000, 5_400_000].map(formatDuration)).toEqual([
      '0s',
      '500ms',
      '1.5s',
      '1m',
      '1h30m',
    ]);
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    ['10MB', 10_000_000],
    ['10MiB', 10_485_760],
    ['5 mib', 5_242_880],
    ['1.5GiB', 1_610_612_736],
    ['8k', 8_000],
    ['8Ki', 8_192],
    ['7B', 7],
    ['2TB', 2e12],
    ['10  MB', 10_000_000],
    ['10,485,760', 10_485_760],
    ['1,5MB', 15_000_000],
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  test.each(['', 'MB', '-1', '1XB', '1 000', '1e3', 'NaN', ',5', '9000PB', '1MBit'])(
    '%j is not a size',
    (text) => expect(parseBytes(text)).toBeUndefined(),
  );

  test('are formatted briefly', () => {
    expect([0, 1023, 1536, 10_485_760].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '10 MiB',
    ]);
  });
});

describe('a secret', () => {
  const key = secret('hunter2');

  test('is only returned by reveal()', () => {
    expect(key.reveal()).toBe('hunter2');
    const shown = [
      String(key),
      ['key:', key].join(' '),
      JSON.stringify({ key }),
      inspect(key),
      inspect({ key }, { showHidden: true, depth: 9 }),
    ];
    for (const text of shown) {
      expect(text).toContain('[redacted]');
      expect(text).not.toContain('hunter2');
    }
    expect(Object.keys(key)).toEqual([]);
  });

  test('from another copy of this package is recognized', () => {
    const foreign = { [Symbol.for('sluice.Secret')]: true, reveal: () => 'x' };
    expect([isSecret(key), isSecret(foreign), isSecret({}), isSecret('x'), isSecret(null)]).toEqual(
      [true, true, false, false, false],
    );
  });
});

test('the closest known key is suggested, if one is close', () => {
  const known = ['access-key-id', 'bucket', 'path', 'region', 'force-path-style', 'url'];
  expect(nearest('accessKeyId', known)).toBe('access-key-id');
  expect(nearest('buckt', known)).toBe('bucket');
  expect(nearest('reigon', known)).toBe('region');
  expect(nearest('pth', known)).toBe('path');
  expect(nearest('compression', known)).toBeUndefined();
});

test('configurations are equal if and only if all values are, including secrets', () => {
  const config = { bucket: 'b', key: secret('k'), parts: [1, 2], region: undefined };
  expect(sameConfig(config, { bucket: 'b', key: secret('k'), parts: [1, 2] })).toBe(true);
  expect(sameConfig(config, { bucket: 'b', key: secret('other'), parts: [1, 2] })).toBe(false);
  expect(sameConfig(config, { bucket: 'b', key: secret('k'), parts: [2, 1] })).toBe(false);
  expect(sameConfig(config, { bucket: 'b', key: secret('k'), parts: [1, 2], more: 1 })).toBe(false);
  expect(sameConfig({ a: [] }, { a: {} })).toBe(false);
  expect(sameConfig({ a: 1 }, { b: 1 })).toBe(false);
  expect(sameConfig(new Date(1), new Date(2))).toBe(false);
});
