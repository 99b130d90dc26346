import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatFilename, parseFilename } from '../../src/ltx/filename.ts';
import { formatTXID, nextTXID, parseTXID, toTXID, TXID_MAX } from '../../src/ltx/txid.ts';
import { codeOf } from './code-of.ts';

const txids = fc.bigInt({ min: 1n, max: TXID_MAX }).map(toTXID);

describe('a TXID', () => {
  test('is formatted as 16 lowercase hex digits', () => {
    expect(formatTXID(1000n)).toBe('00000000000003e8');
    expect(formatTXID(TXID_MAX)).toBe('ffffffffffffffff');
  });

  test('is parsed as it was formatted, and texts sort like numbers', () => {
    fc.assert(
      fc.property(txids, txids, (a, b) => {
        expect(parseTXID(formatTXID(a))).toBe(a);
        expect(formatTXID(a) < formatTXID(b)).toBe(a < b);
      }),
    );
  });

  test('is also parsed in uppercase', () => {
    expect(parseTXID('00000000000003E8')).toBe(1000n);
  });

  test.each([
    '',
    '3e8',
    '0x000000000003e8',
    ' 00000000000003e8',
    '00000000000003e8\n',
    'g'.repeat(16),
  ])('is not read from %j', (text) => {
    expect(codeOf(() => parseTXID(text))).toBe('LTX_INVALID');
  });

  test('is at least 1 and at most 2^64-1', () => {
    expect(codeOf(() => toTXID(0))).toBe('LTX_INVALID');
    expect(codeOf(() => toTXID(-1))).toBe('LTX_INVALID');
    expect(codeOf(() => parseTXID('0'.repeat(16)))).toBe('LTX_INVALID');
    expect(codeOf(() => nextTXID(TXID_MAX))).toBe('LTX_INVALID');
    expect(nextTXID(1n)).toBe(2n);
  });
});

describe('a file name', () => {
  test('is parsed as it was formatted', () => {
    fc.assert(
      fc.property(txids, txids, (a, b) => {
        const [minTXID, maxTXID] = a < b ? [a, b] : [b, a];
        const name = formatFilename(minTXID, maxTXID);
        expect(name).toMatch(/^[0-9a-f]{16}-[0-9a-f]{16}\.ltx$/);
        expect(parseFilename(name)).toEqual({ minTXID, maxTXID });
      }),
    );
  });

  test.each([
    '',
    '0000000000000001-0000000000000001',
    '0000000000000001-0000000000000001.ltx.tmp',
    '0000000000000001-0000000000000001.ltx\n',
    'a0000000000000001-0000000000000001.ltx',
    '000000000000000A-000000000000000A.ltx',
    '0000000000000000-0000000000000001.ltx',
    '0000000000000000-0000000000000000.ltx',
    '0000000000000002-0000000000000001.ltx',
    '../0000000000000001-0000000000000001.ltx',
    'lock.json',
  ])('is not read from %j', (name) => {
    expect(parseFilename(name)).toBeUndefined();
  });
});
