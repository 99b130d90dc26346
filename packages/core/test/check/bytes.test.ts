import { expect, test } from 'vitest';

import { NOISE_BYTES, ProbeBytes } from '../../src/check/bytes.ts';
import { bytesOf } from '../store/fixtures.ts';

const bytes = new ProbeBytes(bytesOf(NOISE_BYTES), new Date(0));
const FILE = { seed: 7, sizeBytes: 2 * NOISE_BYTES + 100 };

async function whole(seed = FILE.seed): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes.body({ ...FILE, seed }).open()));
}

async function* inPieces(all: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.byteLength; at += sizeBytes) yield all.subarray(at, at + sizeBytes);
}

test('a file has its declared size, and is the same each time it is opened', async () => {
  const first = await whole();
  expect(first.byteLength).toBe(FILE.sizeBytes);
  expect(Buffer.compare(first, await whole())).toBe(0);
});

test('every byte differs from the byte at the same place in another file or chunk', async () => {
  const [one, other] = [await whole(), await whole(8)];
  expect(one.findIndex((byte, at) => byte === other[at])).toBe(-1);
  const [head, next] = [one.subarray(0, NOISE_BYTES), one.subarray(NOISE_BYTES, 2 * NOISE_BYTES)];
  expect(head.findIndex((byte, at) => byte === next[at])).toBe(-1);
});

test.each([1_000, 65_537, 3 * NOISE_BYTES])(
  'a file matches from any start, in pieces of %i bytes',
  async (pieceBytes) => {
    const all = await whole();
    for (const start of [0, 5, NOISE_BYTES - 1, NOISE_BYTES, FILE.sizeBytes - 16]) {
      const size = FILE.sizeBytes - start;
      const matched = await bytes.matching(inPieces(all.subarray(start), pieceBytes), FILE, start);
      expect(matched, `from ${start}`).toEqual({ equal: size, received: size });
    }
  },
);

test.each([0, 1, 999, NOISE_BYTES, FILE.sizeBytes - 1])(
  'a wrong byte at %i is found',
  async (at) => {
    const all = await whole();
    all[at] = (all[at] ?? 0) ^ 1;
    const { equal, received } = await bytes.matching(inPieces(all, 1_000), FILE, 0);
    expect([equal, received]).toEqual([at, FILE.sizeBytes]);
  },
);
