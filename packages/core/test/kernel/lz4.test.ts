import * as fc from 'fast-check';
import { uncompressSync, compressSync } from 'lz4-napi';
import * as lz4js from 'lz4js';
import { describe, expect, test } from 'vitest';
import { instantiate } from '../../src/kernel/wasm-kernel.ts';
import { referenceDecompress, referenceXXH32 } from './reference.ts';
import { anyBytes, expectSame, incompressible, PAGE_SIZES } from './samples.ts';

const wasm = instantiate();
const memory = new Uint8Array(wasm.memory.buffer);
const INPUT = wasm.INPUT.value;
const OUTPUT = wasm.OUTPUT.value;

const SIZE_MAX = 65_536;
/** Copies move 16 bytes at a time, so up to this many bytes may be written beyond the end. */
const OVERRUN_MAX = 15;

function compress(bytes: Uint8Array): Uint8Array {
  memory.set(bytes, INPUT);
  const size = wasm.compressBlock(INPUT, bytes.length, OUTPUT);
  return memory.slice(OUTPUT, OUTPUT + size);
}

/** The decompressed bytes; undefined if the block does not give exactly `size` bytes. */
function decompress(block: Uint8Array, size: number): Uint8Array | undefined {
  memory.set(block, INPUT);
  const isWhole = wasm.decompressBlock(INPUT, block.length, OUTPUT, size) !== 0;
  return isWhole ? memory.slice(OUTPUT, OUTPUT + size) : undefined;
}

function decompressByNapi(block: Uint8Array, size: number): Uint8Array {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(size);
  return uncompressSync(Buffer.concat([prefix, block]));
}

function decompressByLZ4JS(block: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  expect(lz4js.decompressBlock(block, bytes, 0, block.length, 0)).toBe(size);
  return bytes;
}

function expectGoodBlock(bytes: Uint8Array): void {
  const block = compress(bytes);
  expect(block.length).toBeLessThanOrEqual(bytes.length + Math.floor(bytes.length / 255) + 16);
  expectSame(decompressByNapi(block, bytes.length), bytes);
  expectSame(decompressByLZ4JS(block, bytes.length), bytes);
  expectSame(decompress(block, bytes.length), bytes);
  const { tailLiterals, lastMatchStart } = referenceDecompress(block, bytes.length) ?? {};
  if (lastMatchStart === undefined) return;
  expect(tailLiterals).toBeGreaterThanOrEqual(5);
  expect(lastMatchStart).toBeLessThanOrEqual(bytes.length - 12);
}

describe('a block that we write', () => {
  test('is read by two other decoders, and follows the end-of-block rules', () => {
    fc.assert(fc.property(anyBytes(SIZE_MAX), expectGoodBlock), { numRuns: 400 });
  });

  test.each([0, 1, 2, 4, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 27, 28, 29])(
    'of %i bytes is good, equal or not',
    (length) => {
      expectGoodBlock(new Uint8Array(length).fill(7));
      expectGoodBlock(incompressible(length));
    },
  );

  test('is valid if a repetition ends anywhere near the end', () => {
    // The last match must not start in the last 12 bytes or reach into the last 5.
    for (let distance = 0; distance <= 40; distance++) {
      const bytes = Uint8Array.from({ length: 512 }, (_, i) => (i * 37 + (i >> 3)) & 255);
      bytes.copyWithin(512 - distance - 16, 8, 24);
      expectGoodBlock(bytes);
    }
  });

  test.each(PAGE_SIZES)('of %i random bytes grows only by its length bytes', (size) => {
    const bytes = incompressible(size);
    expectGoodBlock(bytes);
    expect(compress(bytes).length).toBe(size + 1 + Math.floor((size - 15) / 255) + 1);
  });

  test.each(PAGE_SIZES)('of %i equal bytes is small', (size) => {
    const bytes = new Uint8Array(size).fill(65);
    expectGoodBlock(bytes);
    expect(compress(bytes).length).toBeLessThan(30 + size / 255);
  });

  test('does not depend on earlier blocks', () => {
    fc.assert(
      fc.property(anyBytes(4096), anyBytes(4096), (bytes, before) => {
        const first = compress(bytes);
        compress(before);
        expectSame(compress(bytes), first);
      }),
    );
  });
});

describe('a block from another encoder', () => {
  test('is decoded: lz4-napi', () => {
    fc.assert(
      fc.property(anyBytes(SIZE_MAX), (bytes) => {
        const block = compressSync(Buffer.from(bytes)).subarray(4);
        expectSame(decompress(block, bytes.length), bytes);
      }),
      { numRuns: 400 },
    );
  });

  test('is decoded: lz4js', () => {
    fc.assert(
      fc.property(anyBytes(SIZE_MAX), (bytes) => {
        const block = new Uint8Array(lz4js.compressBound(bytes.length));
        const size = lz4js.compressBlock(bytes, block, 0, bytes.length, new Uint32Array(65_536));
        fc.pre(size > 0); // lz4js could compress the input
        expectSame(decompress(block.subarray(0, size), bytes.length), bytes);
      }),
    );
  });

  test('is decoded for every self-overlapping offset', () => {
    for (let offset = 1; offset <= 40; offset++) {
      const start = Uint8Array.from({ length: offset }, (_, i) => i + 1);
      for (const length of [4, 5, 18, 19, 100, 333]) {
        const block = blockOf(start, offset, length, Uint8Array.of(9, 9, 9, 9, 9));
        const expected = referenceDecompress(block, 1000)?.bytes ?? new Uint8Array(0);
        expect(expected.length).toBe(offset + length + 5);
        expectSame(decompress(block, expected.length), expected);
      }
    }
  });
});

describe('an invalid block', () => {
  const mutated = anyBytes(2000).chain((bytes) =>
    fc.record({
      size: fc.oneof(fc.constant(bytes.length), fc.nat(2100)),
      cut: fc.oneof(fc.constant(0), fc.nat(20)),
      flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }),
      more: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 5 })),
      block: fc.oneof(fc.constant(compress(bytes)), fc.uint8Array({ maxLength: 100 })),
    }),
  );

  test('is refused exactly if the reference decoder refuses it, without other changes in memory', () => {
    fc.assert(
      fc.property(mutated, ({ size, cut, flips, more, block }) => {
        const bytes = Uint8Array.from([
          ...block.subarray(0, Math.max(0, block.length - cut)),
          ...more,
        ]);
        for (const [at, mask] of flips) {
          if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ mask;
        }
        const reference = referenceDecompress(bytes, size)?.bytes;
        const expected = reference?.length === size ? reference : undefined;
        memory.set(bytes, INPUT);
        const before = memory.slice();
        expect(decompress(bytes, size)).toEqual(expected);
        const beyond = OUTPUT + size + OVERRUN_MAX;
        expectSame(memory.subarray(0, OUTPUT), before.subarray(0, OUTPUT));
        expectSame(memory.subarray(beyond), before.subarray(beyond));
      }),
      { numRuns: 600 },
    );
  });

  test.each([
    ['nothing', ''],
    ['a match at the end', '1f41010000'],
    ['offset 0', '1041000050aaaaaaaaaa'],
    ['an offset before the start', '1041020050aaaaaaaaaa'],
    ['literals beyond the input', 'f0ff'],
    ['a length that never ends', `f0${'ff'.repeat(60)}`],
    ['half an offset', '104101'],
    ['one byte too many', '1041010050aaaaaaaaaa00'],
  ])('is refused: %s', (_, hex) => {
    const bytes = Buffer.from(hex, 'hex');
    for (let size = 0; size < 100; size++) expect(decompress(bytes, size)).toBeUndefined();
  });

  test.each(['f0', 'f0ff', '1f410100', '1f410100ff'])(
    'is refused if a length is truncated, whatever follows in memory: %s',
    (hex) => {
      // The output is before the input, so a decoder that reads on reaches the end of memory.
      memory.fill(255, INPUT);
      memory.set(Buffer.from(hex, 'hex'), INPUT);
      const to = wasm.COMMITS.value;
      expect(wasm.decompressBlock(INPUT, hex.length / 2, to, 4096)).toBe(0);
    },
  );

  test('is refused when truncated anywhere, although the rest follows in memory', () => {
    const bytes = Uint8Array.from(Buffer.alloc(700, Buffer.from(incompressible(300))));
    const block = compress(bytes);
    memory.set(block, INPUT);
    for (let length = 0; length < block.length; length++) {
      expect(wasm.decompressBlock(INPUT, length, OUTPUT, bytes.length)).toBe(0);
    }
    expect(wasm.decompressBlock(INPUT, block.length, OUTPUT, bytes.length)).toBe(1);
  });

  test('is refused if it gives one byte more or less than a page', () => {
    const block = compress(new Uint8Array(512).fill(3));
    expect(decompress(block, 511)).toBeUndefined();
    expectSame(decompress(block, 512), new Uint8Array(512).fill(3));
    expect(decompress(block, 513)).toBeUndefined();
  });
});

test('xxh32 matches the specification', () => {
  fc.assert(
    fc.property(anyBytes(SIZE_MAX), (bytes) => {
      memory.set(bytes, INPUT);
      expect(wasm.xxh32(INPUT, bytes.length) >>> 0).toBe(referenceXXH32(bytes));
    }),
  );
  expect(referenceXXH32(Buffer.from('abc'))).toBe(0x32d153ff);
});

/** A block with literals, one match, and final literals. */
function blockOf(
  literals: Uint8Array,
  offset: number,
  match: number,
  tail: Uint8Array,
): Uint8Array {
  const token = (Math.min(15, literals.length) << 4) | Math.min(15, match - 4);
  return Uint8Array.from([
    token,
    ...(literals.length >= 15 ? [literals.length - 15] : []),
    ...literals,
    offset & 255,
    offset >> 8,
    ...extended(match - 4),
    tail.length << 4,
    ...tail,
  ]);
}

function extended(length: number): number[] {
  if (length < 15) return [];
  const rest = length - 15;
  return [...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
}
