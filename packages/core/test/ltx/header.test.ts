import { describe, expect, test } from 'vitest';
import {
  decodeHeader,
  encodeHeader,
  isPageSize,
  lockPgno,
  type LTXHeader,
} from '../../src/ltx/header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { EXAMPLES } from '../support/ltx-examples.ts';
import { headerWith } from '../support/ltx-files.ts';
import { codeOf } from './code-of.ts';

const FLAG = 1n << 63n;

describe('a header', () => {
  test.each(EXAMPLES)('of example $name has the 100 known bytes', ({ header, bytes }) => {
    expect(encodeHeader(header)).toEqual(bytes.subarray(0, 100));
    expect(decodeHeader(bytes)).toEqual(header);
  });

  test('keeps every field, at the edges of its range', () => {
    const header: LTXHeader = {
      flags: 0,
      pageSize: 65536,
      commit: 0xffff_ffff,
      minTXID: toTXID(2),
      maxTXID: toTXID(2n ** 64n - 1n),
      timestampMs: -Number.MAX_SAFE_INTEGER,
      preApplyChecksum: 2n ** 64n - 1n,
      walOffset: 2n ** 63n - 1n,
      walSize: 2n ** 63n - 1n,
      walSalt1: 0xffff_ffff,
      walSalt2: 0xffff_ffff,
      nodeID: 2n ** 64n - 1n,
    };
    expect(decodeHeader(encodeHeader(header))).toEqual(header);
  });

  test('is read at any offset of a buffer, and its reserved bytes are ignored', () => {
    const bytes = new Uint8Array(300).fill(0xaa);
    bytes.set(encodeHeader(headerWith()).subarray(0, 80), 13);
    expect(decodeHeader(bytes.subarray(13))).toEqual(headerWith());
  });

  test('of fewer than 100 bytes is truncated', () => {
    const bytes = encodeHeader(headerWith());
    for (let length = 0; length < 100; length++) {
      expect(codeOf(() => decodeHeader(bytes.subarray(0, length)))).toBe('LTX_TRUNCATED');
    }
  });

  test('of another version or with unknown flags is unsupported, anything else invalid', () => {
    const bytes = encodeHeader(headerWith());
    const withByte = (at: number, value: number): Uint8Array => {
      const changed = bytes.slice();
      changed[at] = value;
      return changed;
    };
    expect(codeOf(() => decodeHeader(withByte(3, 0x32)))).toBe('LTX_UNSUPPORTED');
    expect(codeOf(() => decodeHeader(withByte(0, 0x6c)))).toBe('LTX_INVALID');
    expect(codeOf(() => decodeHeader(withByte(7, 0x03)))).toBe('LTX_UNSUPPORTED');
    expect(codeOf(() => decodeHeader(withByte(4, 0x80)))).toBe('LTX_UNSUPPORTED');
  });

  const increment = { minTXID: toTXID(2), maxTXID: toTXID(2) };
  const broken: readonly [string, Partial<LTXHeader>][] = [
    ['a page size that is not a power of two', { pageSize: 1000 }],
    ['a page size of 256', { pageSize: 256 }],
    ['a page size of 131072', { pageSize: 131072 }],
    ['a page size with a fraction', { pageSize: 512.5 }],
    ['a commit above 32 bits', { commit: 2 ** 32 }],
    ['a TXID of 0', { minTXID: 0n as LTXHeader['minTXID'] }],
    ['TXIDs that descend', { minTXID: toTXID(3), maxTXID: toTXID(2) }],
    ['a TXID above 64 bits', { maxTXID: (2n ** 64n) as LTXHeader['maxTXID'] }],
    ['a timestamp that is not a whole number', { timestampMs: 0.5 }],
    ['a timestamp beyond safe integers', { timestampMs: 2 ** 53 }],
    ['a negative WAL offset', { walOffset: -1n }],
    ['a negative WAL size', { walOffset: 32n, walSize: -1n }],
    ['a WAL offset above 63 bits', { walOffset: 2n ** 63n }],
    ['a WAL size without an offset', { walSize: 536n }],
    ['salt 1 without a WAL offset', { walSalt1: 1 }],
    ['salt 2 without a WAL offset', { walSalt2: 1 }],
    ['a salt above 32 bits', { walOffset: 32n, walSalt2: 2 ** 32 }],
    ['a node id above 64 bits', { nodeID: 2n ** 64n }],
    ['a pre-apply checksum in a snapshot', { flags: 0, preApplyChecksum: FLAG | 1n }],
    ['a pre-apply checksum with NoChecksum', { ...increment, preApplyChecksum: FLAG | 1n }],
    ['no pre-apply checksum if one is required', { ...increment, flags: 0 }],
    ['one without its flag bit', { ...increment, flags: 0, preApplyChecksum: 1n }],
    ['one above 64 bits', { ...increment, flags: 0, preApplyChecksum: 3n << 63n }],
  ];
  test.each(broken)('with %s is not written', (_, fields) => {
    expect(codeOf(() => encodeHeader(headerWith(fields)))).toBe('LTX_INVALID');
  });

  const inBytes: readonly [string, number, number[]][] = [
    ['page size 0', 8, [0, 0, 0, 0]],
    ['min TXID 0', 16, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['max TXID 0', 24, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['a timestamp of 2^62 ms', 32, [0x40]],
    ['a negative WAL offset', 48, [0x80]],
    ['a WAL size without an offset', 63, [1]],
    ['a salt without an offset', 67, [1]],
    ['a pre-apply checksum', 40, [0x80]],
  ];
  test.each(inBytes)('with %s is not read', (_, at, values) => {
    const bytes = encodeHeader(headerWith());
    bytes.set(values, at);
    expect(codeOf(() => decodeHeader(bytes))).toBe('LTX_INVALID');
  });
});

test('page sizes are the powers of two from 512 to 65536', () => {
  const sizes = Array.from({ length: 70_000 }, (_, size) => size).filter(isPageSize);
  expect(sizes).toEqual([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
});

test('the lock page is the page at 1 GiB', () => {
  const sizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
  expect(sizes.map(lockPgno)).toEqual([
    2097153, 1048577, 524289, 262145, 131073, 65537, 32769, 16385,
  ]);
});
