import { expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { randomFrom } from '../support/random.ts';

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const rotate = (value: bigint, by: bigint): bigint =>
  ((value << by) | ((value & MASK) >> (64n - by))) & MASK;
const round = (lane: bigint, word: bigint): bigint =>
  (rotate((lane + word * P2) & MASK, 31n) * P1) & MASK;

/** XXH64 as specified, for bytes of any length. */
function referenceXXH64(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash = (seed + P5) & MASK;
  if (bytes.length >= 32) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map((lane) => lane & MASK);
    for (; at + 32 <= bytes.length; at += 32) {
      for (const [lane, value] of lanes.entries()) {
        lanes[lane] = round(value, view.getBigUint64(at + 8 * lane, true));
      }
    }
    const [a = 0n, b = 0n, c = 0n, d = 0n] = lanes;
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes[at] ?? 0) * P5) & MASK), 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

const kernel = createKernel();

function hashesOf(pages: Uint8Array, pageSize: number, seed: bigint): bigint[] {
  const words = kernel.hashPages(pages, pageSize, seed);
  const hashes: bigint[] = [];
  for (let index = 0; index < words.length; index += 2) {
    hashes.push((BigInt(words[index + 1] ?? 0) << 32n) | BigInt(words[index] ?? 0));
  }
  return hashes;
}

test.for([
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
] as const)('the reference has the published hash of "%s"', ([text, hash]) => {
  expect(referenceXXH64(Buffer.from(text), 0n)).toBe(hash);
});

test.for([512, 1024, 4096, 65_536])('pages of %d bytes have their XXH64', (pageSize) => {
  const random = randomFrom(pageSize);
  const pages = Uint8Array.from({ length: 5 * pageSize }, () => random.int(0, 255));
  for (const seed of [0n, 1n, 0xfedcba9876543210n]) {
    const expected = Array.from({ length: 5 }, (_, index) =>
      referenceXXH64(pages.subarray(index * pageSize, (index + 1) * pageSize), seed),
    );
    expect(hashesOf(pages, pageSize, seed)).toEqual(expected);
    kernel.input.set(pages);
    expect(hashesOf(kernel.input.subarray(0, pages.length), pageSize, seed)).toEqual(expected);
  }
});

test('a change that leaves the CRC unchanged changes the hash', () => {
  const page = new Uint8Array(4096);
  const changed = page.slice();
  changed.set([0x01, 0, 0, 0, 0, 0, 0, 0xb0, 0x01], 100); // the polynomial itself
  expect(kernel.crc64(changed)).toBe(kernel.crc64(page));
  expect(hashesOf(changed, 4096, 7n)).not.toEqual(hashesOf(page, 4096, 7n));
});
