/** Test data for codecs: compressible and incompressible bytes, and edge cases. */

import * as fc from 'fast-check';
import { expect } from 'vitest';

export const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const;

/** A part of a page: a repeated short pattern, random bytes, or repeated text. */
type Stretch =
  | { readonly kind: 'run'; readonly pattern: Uint8Array; readonly length: number }
  | { readonly kind: 'random'; readonly bytes: Uint8Array }
  | { readonly kind: 'text'; readonly words: readonly number[] };

const WORDS = ['INSERT', 'customer', 'order ', '2024-01-01T', '@example.com', '\0\0\0\0', 'é', ' '];

const stretch: fc.Arbitrary<Stretch> = fc.oneof(
  fc.record({
    kind: fc.constant('run' as const),
    pattern: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    length: fc.integer({ min: 1, max: 700 }),
  }),
  fc.record({
    kind: fc.constant('random' as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  }),
  fc.record({
    kind: fc.constant('text' as const),
    words: fc.array(fc.nat(WORDS.length - 1), { minLength: 1, maxLength: 80 }),
  }),
);

function toBytes(part: Stretch): Uint8Array {
  switch (part.kind) {
    case 'run':
      return Uint8Array.from(
        { length: part.length },
        (_, i) => part.pattern[i % part.pattern.length] ?? 0,
      );
    case 'random':
      return part.bytes;
    case 'text':
      return Buffer.from(part.words.map((word) => WORDS[word]).join(''));
  }
}

/** `length` bytes, made of repeated stretches. */
function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.array(stretch, { minLength: 1, maxLength: 12 }).map((parts) => {
    const once = Buffer.concat(parts.map((part) => toBytes(part)));
    return Uint8Array.from(Buffer.alloc(length, once));
  });
}

/** Bytes of any length up to `lengthMax`, often short. */
export function anyBytes(lengthMax: number): fc.Arbitrary<Uint8Array> {
  return fc
    .oneof(fc.nat(40), fc.nat(lengthMax), fc.constantFrom(12, 13, 14, 15, 16, 255, 270, 271))
    .chain((length) => bytesOf(length));
}

/** A page size and a few pages of that size. */
export const pagesOfAnySize: fc.Arbitrary<{ pageSize: number; pages: Uint8Array }> = fc
  .record({ pageSize: fc.constantFrom(...PAGE_SIZES), count: fc.integer({ min: 1, max: 4 }) })
  .chain(({ pageSize, count }) => bytesOf(pageSize * count).map((pages) => ({ pageSize, pages })));

/** Bytes that LZ4 cannot compress, from a generator with a fixed seed. */
export function incompressible(length: number): Uint8Array {
  let state = 0x2545f491;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 24;
  });
}

/** Page numbers 1, 2, 3… for `pages`. */
export function numbersFor(pages: Uint8Array, pageSize: number): Uint32Array {
  return Uint32Array.from({ length: pages.length / pageSize }, (_, i) => i + 1);
}

/** Compares bytes. Faster than `toEqual` for large arrays. */
export function expectSame(bytes: Uint8Array | undefined, expected: Uint8Array): void {
  if (bytes !== undefined && Buffer.compare(bytes, expected) === 0) return;
  expect(Buffer.from(bytes ?? []).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
  expect(bytes).toBeDefined();
}
