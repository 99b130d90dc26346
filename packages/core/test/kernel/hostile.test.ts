import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { createKernel, type DecodedPages } from '../../src/kernel/kernel.ts';
import { expectSame, numbersFor, pagesOfAnySize } from './samples.ts';

const kernel = createKernel();
const PAGE = Uint8Array.from(Buffer.alloc(512, 'a page of repeated text '));

function frameOf(how: 'block' | 'frame'): Buffer {
  return Buffer.from(kernel.encodePages(Uint32Array.of(7), PAGE, 512, how, 0n).bytes);
}

/** The decoded pages; undefined for LTX_INVALID. Throws any other error. */
function decode(bytes: Uint8Array, pageSize: number): DecodedPages | undefined {
  try {
    return kernel.decodePages(bytes, pageSize, 0n);
  } catch (error) {
    if (isError(error, 'LTX_INVALID')) return undefined;
    throw error;
  }
}

describe('an invalid page frame is refused', () => {
  const refused: readonly [string, 'block' | 'frame', (frame: Buffer) => unknown][] = [
    ['an unknown flag', 'block', (frame) => frame.writeUInt16BE(3, 4)],
    ['a high flag', 'frame', (frame) => frame.writeUInt16BE(0x8000, 4)],
    ['flags without a page number', 'block', (frame) => frame.writeUInt32BE(0, 0)],
    ['a size of 0', 'block', (frame) => frame.writeUInt32BE(0, 6)],
    ['a size one above the limit', 'block', (frame) => frame.writeUInt32BE(512 + 2 + 16 + 1, 6)],
    ['a size of 4 GiB', 'block', (frame) => frame.writeUInt32BE(0xffffffff, 6)],
    ['a size that is one too small', 'block', (frame) => frame.writeUInt32BE(frame.length - 11, 6)],
    ['another magic number', 'frame', (frame) => frame.writeUInt8(0x05, 6)],
    ['dependent blocks', 'frame', (frame) => frame.writeUInt8(0x44, 10)],
    ['blocks of 4 MiB', 'frame', (frame) => frame.writeUInt8(0x70, 11)],
    ['a wrong header checksum', 'frame', (frame) => frame.writeUInt8(0xa8, 12)],
    ['an empty block', 'frame', (frame) => frame.writeUInt32LE(0, 13)],
    ['a block of 2 GiB', 'frame', (frame) => frame.writeUInt32LE(0x7fffffff, 13)],
    ['a stored block of half a page', 'frame', (frame) => frame.writeUInt32LE(0x80000100, 13)],
    ['a second block', 'frame', (frame) => frame.writeUInt32LE(1, frame.length - 8)],
    ['another content checksum', 'frame', (frame) => frame.writeUInt32LE(0, frame.length - 4)],
  ];

  test.each(refused)('%s', (_, how, damage) => {
    const frame = frameOf(how);
    expectSame(decode(frame, 512)?.pages, PAGE);
    damage(frame);
    expect(decode(frame, 512)).toBeUndefined();
  });

  test('an impossible size, before all its bytes have arrived', () => {
    const frame = frameOf('block');
    frame.writeUInt32BE(0xffffffff, 6);
    expect(decode(frame.subarray(0, 10), 512)).toBeUndefined();
  });

  test('a page of another size', () => {
    for (const how of ['block', 'frame'] as const) {
      const frame = Buffer.concat([frameOf(how), new Uint8Array(2000)]);
      expect(decode(frame, 1024)).toBeUndefined();
    }
  });

  test('the error names the page, its offset and the reason', () => {
    const good = frameOf('block');
    const bad = frameOf('frame');
    bad.writeUInt32LE(0, bad.length - 4);
    const bytes = Buffer.concat([good, bad]);
    expect(() => kernel.decodePages(bytes, 512, 0n)).toThrow(
      `decode page 7, ${good.length} bytes into a batch of page frames: the checksum of its LZ4 frame does not match`,
    );
  });
});

describe('a damaged batch of page frames', () => {
  const batch = fc
    .record({ sample: pagesOfAnySize, how: fc.constantFrom('block' as const, 'frame' as const) })
    .map(({ sample: { pageSize, pages }, how }) => {
      const encoded = kernel.encodePages(numbersFor(pages, pageSize), pages, pageSize, how, 0n);
      return { pageSize, pages, how, crc: encoded.crc, bytes: Buffer.from(encoded.bytes) };
    });

  test('that is truncated gives the pages before the end', () => {
    fc.assert(
      fc.property(batch, fc.double({ min: 0, max: 1, noNaN: true }), (sample, share) => {
        const { bytes, pages, pageSize } = sample;
        const decoded = decode(bytes.subarray(0, Math.floor(share * bytes.length)), pageSize);
        expect(decoded?.stopped).toBe('input');
        expectSame(decoded?.pages, pages.subarray(0, decoded?.pages.length));
      }),
    );
  });

  test('with one bit flipped gives an error, a wrong CRC, or the right bytes', () => {
    fc.assert(
      fc.property(batch, fc.nat(), ({ bytes, pages, pageSize, crc }, bit) => {
        const at = (bit >> 3) % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at);
        const decoded = decode(bytes, pageSize);
        if (decoded === undefined || decoded.consumedBytes < bytes.length) return;
        if (decoded.crc === crc) expectSame(decoded.pages, pages);
        else expect(decoded.stopped).toMatch(/input|end/);
      }),
      { numRuns: 1000 },
    );
  });

  test('with any single bit flipped is never accepted with wrong contents', () => {
    for (const how of ['block', 'frame'] as const) {
      const frame = frameOf(how);
      const { crc } = kernel.decodePages(frame, 512, 0n);
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const bytes = Buffer.from(frame);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const decoded = decode(bytes, 512);
        if (decoded?.crc === crc && decoded.pgnos.length === 1) expectSame(decoded.pages, PAGE);
        else expect(decoded?.crc).not.toBe(crc);
      }
    }
  });

  test('of random bytes gives an error or no pages', () => {
    const noise = fc.record({
      bytes: fc.uint8Array({ minLength: 10, maxLength: 3000 }),
      flags: fc.constantFrom(0, 1),
      pageSize: fc.constantFrom(512, 4096, 65_536),
    });
    fc.assert(
      fc.property(noise, ({ bytes, flags, pageSize }) => {
        bytes.set([0, 0, 0, 1, 0, flags], 0);
        if (flags === 1) bytes.set([0, 0], 6);
        const decoded = decode(bytes, pageSize);
        if (decoded !== undefined) expect(decoded.pages.length % pageSize).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});
