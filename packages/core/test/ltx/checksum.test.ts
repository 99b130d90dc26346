import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { CHECKSUM_FLAG, pageChecksum, toFileChecksum, togglePage } from '../../src/ltx/checksum.ts';
import { decodeTrailer, encodeTrailer } from '../../src/ltx/trailer.ts';
import { referenceKernel } from '../support/ltx-reference-kernel.ts';
import { codeOf } from './code-of.ts';

const KERNELS = [
  { name: 'the kernel', kernel: createKernel() },
  { name: 'the reference', kernel: referenceKernel() },
];

function pages(size: number, fills: readonly number[]): Uint8Array[] {
  return fills.map((fill) => new Uint8Array(size).fill(fill));
}

describe.each(KERNELS)('with $name', ({ kernel }) => {
  const sums = (of: readonly Uint8Array[]): bigint[] =>
    of.map((page, index) => pageChecksum(kernel, index + 1, page));
  const database = (of: readonly Uint8Array[]): bigint =>
    sums(of).reduce(togglePage, CHECKSUM_FLAG);

  test('the CRC has its known values', () => {
    expect(kernel.crc64(new TextEncoder().encode('123456789'))).toBe(0xb90956c775a41001n);
    expect(kernel.crc64(new Uint8Array(0))).toBe(0n);
  });

  test('page checksums have their known values', () => {
    expect(sums(pages(512, [1, 2, 3]))).toEqual([
      0xe4e4aaa102377eeen,
      0xc9c9554231044dddn,
      0xc2d2001cdfeaa333n,
    ]);
    expect(sums(pages(1024, [0x32, 0x33]))).toEqual([0xe0d53ff6f3d08215n, 0x815ca49babaa28bfn]);
  });

  test.each([
    [512, 0xefb1f44fecd99000n],
    [1024, 0xace3e492397a28bfn],
    [4096, 0xd9328f592d9e733dn],
  ])('a first page of %i zeros has its known checksum', (size, sum) => {
    expect(pageChecksum(kernel, 1, new Uint8Array(size))).toBe(sum);
  });

  test.each([
    [512, [1, 2, 3], 0xefffffffecd99000n],
    [1024, [0x32, 0x33], 0xe1899b6d587aaaaan],
    [512, [0x32, 0x33], 0x8b87423eeeeeeeeen],
    [512, [0x31], 0xeb1a999231044dddn],
    [1024, [0x81, 0x82, 0x83], 0x8a249272ad9f7dean],
    [1024, [0x81], 0xeb953fc47685d740n],
  ])('a database of pages of %i bytes %j has its known checksum', (size, fills, sum) => {
    expect(database(pages(size, fills))).toBe(sum);
  });

  test('toggling a page twice restores the checksum', () => {
    const [first = 0n, second = 0n] = sums(pages(512, [1, 2]));
    const both = togglePage(togglePage(CHECKSUM_FLAG, first), second);
    expect(togglePage(both, second)).toBe(togglePage(CHECKSUM_FLAG, first));
  });
});

test('the database with a lock page has its known checksum', () => {
  const kernel = createKernel();
  const page = new Uint8Array(4096).fill('x'.charCodeAt(0));
  let sum = CHECKSUM_FLAG;
  for (let pgno = 1; pgno <= 262155; pgno++) {
    if (pgno !== 262145) sum = togglePage(sum, pageChecksum(kernel, pgno, page));
  }
  expect(sum).toBe(0xc19b668c376662c7n);
});

describe('a trailer', () => {
  const bytes = encodeTrailer({ postApplyChecksum: 0n, fileChecksum: toFileChecksum(7n) });

  test('is decoded as it was encoded', () => {
    expect(decodeTrailer(bytes, 2)).toEqual({
      postApplyChecksum: 0n,
      fileChecksum: 0x8000_0000_0000_0007n,
    });
  });

  test('of fewer than 16 bytes is truncated', () => {
    expect(codeOf(() => decodeTrailer(bytes.subarray(0, 15), 2))).toBe('LTX_TRUNCATED');
  });

  test('has a post-apply checksum if and only if databases are tracked', () => {
    const fileChecksum = CHECKSUM_FLAG;
    const post = (postApplyChecksum: bigint): Uint8Array =>
      encodeTrailer({ postApplyChecksum, fileChecksum });
    expect(codeOf(() => decodeTrailer(post(0n), 0))).toBe('LTX_INVALID');
    expect(codeOf(() => decodeTrailer(post(1n), 0))).toBe('LTX_INVALID');
    expect(codeOf(() => decodeTrailer(post(CHECKSUM_FLAG), 0))).toBe('none');
    expect(codeOf(() => decodeTrailer(post(CHECKSUM_FLAG), 2))).toBe('LTX_INVALID');
    expect(codeOf(() => decodeTrailer(post(1n), 2))).toBe('LTX_INVALID');
  });

  test('has a file checksum with its flag bit', () => {
    const without = encodeTrailer({ postApplyChecksum: 0n, fileChecksum: 7n });
    expect(codeOf(() => decodeTrailer(without, 2))).toBe('LTX_INVALID');
  });
});
