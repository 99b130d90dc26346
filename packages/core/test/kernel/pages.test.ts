import * as fc from 'fast-check';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import * as lz4js from 'lz4js';
import { describe, expect, test } from 'vitest';
import { BATCH_BYTES_MAX, createKernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { referenceCRC64, referenceDecompress } from './reference.ts';
import { expectSame, incompressible, numbersFor, PAGE_SIZES, pagesOfAnySize } from './samples.ts';

const kernel = createKernel();
const END = new Uint8Array(6);
const ENCODINGS = ['block', 'frame'] as const;
const encoding = fc.constantFrom(...ENCODINGS);

/** Page header and, in block encoding, size prefix. */
const HEADER_BYTES: Readonly<Record<PageEncoding, number>> = { block: 10, frame: 6 };

function encode(pages: Uint8Array, pageSize: number, how: PageEncoding): Uint8Array {
  return kernel.encodePages(numbersFor(pages, pageSize), pages, pageSize, how, 0n).bytes.slice();
}

describe('the examples of the format are reproduced byte for byte', () => {
  const equal = '1f310100ffda000200000200b03131313131313131313131';
  const bytes = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join('');

  test.each([
    ['A, block', 1, 512, 'block', '31', `00000001000100000018${equal}`],
    [
      "A', frame",
      1,
      512,
      'frame',
      '31',
      `00000001000004224d186440a718000000${equal}000000005e2d2198`,
    ],
    [
      'B',
      2,
      512,
      'block',
      bytes,
      `00000002000100000117fff1${bytes}0001db000001e0${bytes.slice(-28)}`,
    ],
    [
      'D, page 1',
      1,
      1024,
      'block',
      '32',
      '0000000100010000001a1f320100ffffffdc000200000200b03232323232323232323232',
    ],
    [
      'D, page 2',
      2,
      1024,
      'block',
      '33',
      '0000000200010000001a1f330100ffffffdc000200000200b03333333333333333333333',
    ],
  ] as const)('%s', (_, pgno, pageSize, how, fill, expected) => {
    const page = Uint8Array.from(Buffer.alloc(pageSize, fill, 'hex'));
    const { bytes: frame, sizes } = kernel.encodePages(
      Uint32Array.of(pgno),
      page,
      pageSize,
      how,
      0n,
    );
    expect(Buffer.from(frame).toString('hex')).toBe(expected);
    expect([...sizes]).toEqual([frame.length]);
    const { pgnos, pages } = kernel.decodePages(Buffer.from(expected, 'hex'), pageSize, 0n);
    expect([...pgnos]).toEqual([pgno]);
    expectSame(pages, page);
  });

  test.each([
    ['block', 0xf86fcff36247df82n, '0164240288012400'],
    ['frame', 0xa54800ea3117d56cn, '0164330297013300'],
  ] as const)('D has its file checksum in %s encoding', (how, expected, index) => {
    const header = Buffer.alloc(100);
    header.write('4c5458310000000000000400000000020000000000000001', 'hex');
    header.write('000000000000000100000000000003e8', 24, 'hex');
    const pages = Buffer.concat([Buffer.alloc(1024, 0x32), Buffer.alloc(1024, 0x33)]);
    const { crc } = kernel.encodePages(
      Uint32Array.of(1, 2),
      pages,
      1024,
      how,
      kernel.crc64(header),
    );
    const tail = Buffer.from(`000000000000${index}0000000000000008e1899b6d587aaaaa`, 'hex');
    expect(kernel.crc64(tail, crc) | (1n << 63n)).toBe(expected);
  });
});

describe('encoded pages', () => {
  test('round-trip with the same CRC in both encodings', () => {
    fc.assert(
      fc.property(pagesOfAnySize, encoding, fc.bigInt(0n, 2n ** 64n - 1n), (sample, how, crc) => {
        const { pageSize, pages } = sample;
        const pgnos = numbersFor(pages, pageSize);
        const encoded = kernel.encodePages(pgnos, pages, pageSize, how, crc);
        const [bytes, sizes] = [encoded.bytes.slice(), encoded.sizes.slice()];
        const decoded = kernel.decodePages(bytes, pageSize, crc);
        expectSame(decoded.pages, pages);
        expect(decoded.pgnos).toEqual(pgnos);
        expect(decoded.sizes).toEqual(sizes);
        expect(decoded.consumedBytes).toBe(bytes.length);
        expect(decoded.stopped).toBe('input');
        expect(decoded.crc).toBe(encoded.crc);
      }),
    );
  });

  test('have a CRC over headers and pages, not over compressed data', () => {
    fc.assert(
      fc.property(pagesOfAnySize, encoding, ({ pageSize, pages }, how) => {
        const { bytes, sizes, crc } = kernel.encodePages(
          numbersFor(pages, pageSize),
          pages,
          pageSize,
          how,
          0n,
        );
        let expected = 0n;
        let at = 0;
        for (const [i, size] of sizes.entries()) {
          expected = referenceCRC64(bytes.subarray(at, at + HEADER_BYTES[how]), expected);
          expected = referenceCRC64(pages.subarray(i * pageSize, (i + 1) * pageSize), expected);
          at += size;
        }
        expect(crc).toBe(expected);
      }),
      { numRuns: 25 },
    );
  });

  test('are LZ4 frames that two other decoders can read', () => {
    fc.assert(
      fc.property(pagesOfAnySize, ({ pageSize, pages }) => {
        const page = pages.subarray(0, pageSize);
        const frame = encode(page, pageSize, 'frame').subarray(6);
        expectSame(decompressFrameSync(Buffer.from(frame)), page);
        expectSame(lz4js.decompress(frame), page);
      }),
    );
  });

  test('can be decoded from LZ4 frames of another encoder', () => {
    fc.assert(
      fc.property(pagesOfAnySize, ({ pageSize, pages }) => {
        const page = pages.subarray(0, pageSize);
        const frame = compressFrameSync(Buffer.from(page), { contentChecksum: true });
        const bytes = Buffer.concat([Uint8Array.of(0, 0, 0, 9, 0, 0), frame]);
        expectSame(kernel.decodePages(bytes, pageSize, 0n).pages, page);
      }),
    );
  });

  test.each(PAGE_SIZES)('of %i bytes fit into a batch even if they do not compress', (pageSize) => {
    const pages = incompressible(BATCH_BYTES_MAX);
    for (const how of ENCODINGS) {
      const bytes = encode(pages, pageSize, how);
      expect(bytes.length).toBeLessThanOrEqual(kernel.input.length);
      expectSame(kernel.decodePages(bytes, pageSize, 0n).pages, pages);
    }
  });

  test('are stored in the LZ4 frame if they do not compress', () => {
    for (const pageSize of PAGE_SIZES) {
      expect(encode(incompressible(pageSize), pageSize, 'frame').length).toBe(pageSize + 6 + 19);
    }
  });

  test('may be views of the input or of an earlier result', () => {
    const pages = incompressible(4096);
    const pgnos = numbersFor(pages, 512);
    const expected = encode(pages, 512, 'block');
    kernel.input.set(pages, 77);
    expectSame(
      kernel.encodePages(pgnos, kernel.input.subarray(77, 77 + 4096), 512, 'block', 0n).bytes,
      expected,
    );
    const decoded = kernel.decodePages(expected, 512, 0n);
    expectSame(kernel.encodePages(decoded.pgnos, decoded.pages, 512, 'block', 0n).bytes, expected);
    const encoded = kernel.encodePages(pgnos, pages, 512, 'block', 0n);
    expectSame(kernel.decodePages(encoded.bytes, 512, 0n).pages, pages);
  });

  test('do not depend on earlier calls', () => {
    const first = encode(Uint8Array.from(Buffer.alloc(8192, 'some page ')), 4096, 'block');
    encode(incompressible(65_536), 65_536, 'block');
    expectSame(encode(Uint8Array.from(Buffer.alloc(8192, 'some page ')), 4096, 'block'), first);
  });
});

describe('decoding stops', () => {
  const page = new Uint8Array(512).fill(0x31);

  test('at the end of the page block, which is hashed', () => {
    const frame = encode(page, 512, 'block');
    const decoded = kernel.decodePages(Buffer.concat([frame, END, frame]), 512, 0n);
    expect(decoded).toMatchObject({ stopped: 'end', consumedBytes: frame.length + 6 });
    expect(decoded.crc).toBe(
      kernel.crc64(END, kernel.crc64(page, kernel.crc64(frame.subarray(0, 10)))),
    );
  });

  test('at the end of the input, wherever it is truncated', () => {
    for (const how of ENCODINGS) {
      const one = encode(page, 512, how);
      const two = Buffer.concat([one, one]);
      for (let length = 0; length < two.length; length++) {
        const whole = length < one.length ? 0 : 1;
        const decoded = kernel.decodePages(two.subarray(0, length), 512, 0n);
        expect(decoded).toMatchObject({ stopped: 'input', consumedBytes: whole * one.length });
        expect(decoded.pgnos.length).toBe(whole);
      }
    }
  });

  test('when a batch is full, and can continue there', () => {
    const frame = encode(page, 512, 'block');
    const perBatch = BATCH_BYTES_MAX / 512;
    const bytes = Buffer.concat([...Array<Uint8Array>(perBatch + 3).fill(frame), END]);
    const first = kernel.decodePages(bytes, 512, 0n);
    expect(first).toMatchObject({ stopped: 'batch-full', consumedBytes: perBatch * frame.length });
    expect(first.pgnos.length).toBe(perBatch);
    const second = kernel.decodePages(bytes.subarray(first.consumedBytes), 512, first.crc);
    expect(second.stopped).toBe('end');
    expect(second.pgnos.length).toBe(3);
  });

  test('not between encodings: a batch may mix them', () => {
    const parts = [
      encode(page, 512, 'frame'),
      encode(page, 512, 'block'),
      encode(page, 512, 'frame'),
      END,
    ];
    const decoded = kernel.decodePages(Buffer.concat(parts), 512, 0n);
    expect(decoded.stopped).toBe('end');
    expect([...decoded.sizes]).toEqual(parts.slice(0, 3).map((part) => part.length));
    expectSame(decoded.pages, Buffer.concat([page, page, page]));
  });
});

describe('an invalid argument', () => {
  test.each([
    ['more pages than a batch', 4096, BATCH_BYTES_MAX + 4096],
    ['half a page', 4096, 4095],
    ['a page size that is not a power of two', 4095, 4095],
    ['a page size below 512', 256, 256],
    ['a page size above 65536', 131_072, 131_072],
  ])('is refused: %s', (_, pageSize, length) => {
    const pgnos = new Uint32Array(Math.ceil(length / pageSize)).fill(1);
    const encode = (): unknown =>
      kernel.encodePages(pgnos, new Uint8Array(length), pageSize, 'block', 0n);
    expect(encode).toThrow(TypeError);
  });

  test('is refused: more input than fits', () => {
    const bytes = new Uint8Array(kernel.input.length + 1);
    expect(() => kernel.decodePages(bytes, 512, 0n)).toThrow(TypeError);
  });
});

test('repeated text compresses well', () => {
  const page = Uint8Array.from(Buffer.alloc(4096, 'INSERT INTO orders VALUES (1, "paid");'));
  const block = encode(page, 4096, 'block').subarray(10);
  expect(block.length).toBeLessThan(100);
  expectSame(referenceDecompress(block, 4096)?.bytes, page);
});
