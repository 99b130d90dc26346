/** Both ends of a file: read without its pages, and replaced so that the file stays valid. */

import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import {
  formatFileChecksum,
  readEnds,
  readFileChecksum,
  readHeader,
  withTXIDs,
  type ReadFileRange,
} from '../../src/ltx/file.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { headerWith, readFile, writeFile } from '../support/ltx-files.ts';
import { concat } from '../support/ltx-reference-kernel.ts';
import { randomFrom } from '../support/random.ts';

const kernel = createKernel();
const random = randomFrom(11);
const PAGES = [1, 2, 3].map((pgno) => ({
  pgno,
  bytes: Uint8Array.from({ length: 512 }, () => random.int(0, 255)),
}));

function image(encoding: 'block' | 'frame'): Uint8Array {
  const header = headerWith({ minTXID: toTXID(7), commit: 3, nodeID: 5n });
  return writeFile(kernel, header, PAGES, encoding).whole;
}

function reading(bytes: Uint8Array): ReadFileRange {
  return async (start, end) => bytes.slice(start, end);
}

describe.each(['block', 'frame'] as const)('a file of %s pages', (encoding) => {
  const bytes = image(encoding);

  test('has ends that match the whole file', async () => {
    const ends = await readEnds(reading(bytes), bytes.length);
    const whole = readFile(kernel, [bytes]);
    expect(ends.header).toEqual(whole.header);
    expect(ends.trailer).toEqual(whole.trailer);
    expect(await readHeader(reading(bytes), bytes.length)).toEqual(whole.header);
    const checksum = await readFileChecksum(reading(bytes), bytes.length);
    expect(checksum).toBe(whole.trailer.fileChecksum);
    expect(formatFileChecksum(checksum)).toBe(Buffer.from(bytes.slice(-8)).toString('hex'));
  });

  test('is valid with other TXIDs, and has the matching checksum', async () => {
    const ends = await readEnds(reading(bytes), bytes.length);
    const TXIDs = { minTXID: toTXID(1), maxTXID: toTXID(9) };
    const { head, tail, fileChecksum } = withTXIDs(ends, TXIDs, kernel);
    const renamed = readFile(kernel, [concat([head, bytes.slice(100, -8), tail])]);
    expect(renamed.header).toEqual({ ...ends.header, ...TXIDs });
    expect(renamed.pages).toEqual(PAGES);
    expect(renamed.trailer.fileChecksum).toBe(fileChecksum);
  });

  test('that is cut off in its header or end is refused', async () => {
    for (let length = 0; length < 131; length++) {
      await expect(readEnds(reading(bytes.slice(0, length)), length)).rejects.toMatchObject({
        code: 'LTX_TRUNCATED',
      });
    }
    const short = bytes.slice(0, -1);
    await expect(readEnds(reading(short), short.length)).rejects.toMatchObject({
      code: 'LTX_INVALID',
    });
  });
});

test.each([
  [3, 1],
  [100, 2],
])('the ends of a file of %i pages take %i reads', async (count, reads) => {
  const pages = Array.from({ length: count }, (_, index) => ({
    pgno: index + 1,
    bytes: Uint8Array.from({ length: 512 }, () => random.int(0, 255)),
  }));
  const { whole } = writeFile(kernel, headerWith({ commit: count }), pages, 'block');
  const asked: number[] = [];
  const ends = await readEnds(async (start, end) => {
    asked.push(end - start);
    return whole.slice(start, end);
  }, whole.length);
  const { header, trailer } = readFile(kernel, [whole]);
  expect([ends.header, ends.trailer]).toEqual([header, trailer]);
  expect(asked).toHaveLength(reads);
  expect(Math.max(...asked)).toBeLessThanOrEqual(16 * 1024);
});

test('an index longer than a file of this size is refused', async () => {
  const bytes = image('block');
  new DataView(bytes.buffer).setBigUint64(bytes.length - 24, 2n ** 40n);
  await expect(readEnds(reading(bytes), bytes.length)).rejects.toMatchObject({
    code: 'LTX_INVALID',
  });
});
