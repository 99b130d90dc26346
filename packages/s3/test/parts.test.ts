import { expect, test } from 'vitest';
import { partSizeFor } from '../src/multipart.ts';

const MIB = 1024 * 1024;

test('parts grow only where there would be too many of them', () => {
  expect(partSizeFor(100 * MIB, 8 * MIB, 10_000)).toBe(8 * MIB);
  expect(partSizeFor(80_000 * MIB, 8 * MIB, 10_000)).toBe(8 * MIB);
  expect(partSizeFor(80_000 * MIB + 1, 8 * MIB, 10_000)).toBe(9 * MIB);
  expect(partSizeFor(80_000 * MIB, 8 * MIB, 1_000)).toBe(80 * MIB);
  for (const sizeBytes of [1, 12_345_678_901, 5 * 1024 ** 4]) {
    const partBytes = partSizeFor(sizeBytes, 5 * MIB, 10_000);
    expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(10_000);
  }
});
