import { describe, expect, test } from 'vitest';
import { combineCRC64, createKernel, type Kernel } from '../../src/kernel/kernel.ts';
import { LTXEncoder } from '../../src/ltx/encoder.ts';
import { lockPgno, type LTXHeader } from '../../src/ltx/header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { headerWith, readFile, writeFile } from '../support/ltx-files.ts';
import { concat } from '../support/ltx-reference-kernel.ts';

const kernel = createKernel();
const INCREMENT = { minTXID: toTXID(2), maxTXID: toTXID(2) };
const BROKEN = /invariant broken/;

/** A kernel that ignores the content of pages, so that a database above 1 GiB is cheap. */
const numbersOnly: Kernel = {
  ...Object.fromEntries(['scanFrames', 'walChecksum', 'decodePages'].map((name) => [name, fail])),
  input: kernel.input,
  crc64: (bytes, crc) => kernel.crc64(bytes, crc),
  encodePages: (pgnos, _pages, _pageSize, _encoding, crc) => ({
    bytes: new Uint8Array(11 * pgnos.length),
    sizes: new Uint32Array(pgnos.length).fill(11),
    crc,
  }),
} as Kernel;

function fail(): never {
  throw new TypeError('not asked for');
}

function started(fields: Partial<LTXHeader>, on = kernel): LTXEncoder {
  const encoder = new LTXEncoder(on, headerWith(fields));
  encoder.start();
  return encoder;
}

function put(encoder: LTXEncoder, pgnos: readonly number[], pageSize = 512): void {
  encoder.pages(Uint32Array.from(pgnos), new Uint8Array(pgnos.length * pageSize));
}

describe('the encoder', () => {
  test.each([
    ['a page beyond the commit', { ...INCREMENT, commit: 5 }, [6]],
    ['page 0', { ...INCREMENT, commit: 5 }, [0]],
    ['a page twice', { ...INCREMENT, commit: 5 }, [2, 2]],
    ['pages that descend', { ...INCREMENT, commit: 5 }, [3, 2]],
    ['a snapshot without page 1', { commit: 5 }, [2]],
    ['a snapshot with a hole', { commit: 5 }, [1, 3]],
  ])('refuses %s', (_, fields, pgnos) => {
    expect(() => put(started(fields), pgnos)).toThrow(BROKEN);
  });

  test('refuses pages that descend from one batch to the next', () => {
    const encoder = started({ ...INCREMENT, commit: 5 });
    put(encoder, [1, 3]);
    expect(() => put(encoder, [3])).toThrow(BROKEN);
  });

  test('refuses the lock page, of each page size', () => {
    for (const pageSize of [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]) {
      const lock = lockPgno(pageSize);
      const fields = { ...INCREMENT, pageSize, commit: lock + 1 };
      const encoder = started(fields, numbersOnly);
      expect(() => put(encoder, [lock - 1, lock], pageSize)).toThrow(BROKEN);
      put(started(fields, numbersOnly), [lock - 1, lock + 1], pageSize);
    }
  });

  test.each([
    ['before the lock page', -1, 16384],
    ['with the lock page', 0, 16384],
    ['after the lock page', 1, 16385],
  ])('writes a snapshot that ends %s, and refuses a shorter one', (_, beyond, pageCount) => {
    const pageSize = 65536;
    const lock = lockPgno(pageSize);
    const commit = lock + beyond;
    const all = Array.from({ length: commit }, (_, index) => index + 1).filter((p) => p !== lock);
    const whole = started({ pageSize, commit }, numbersOnly);
    put(whole, all, 0);
    expect(whole.finish().pageCount).toBe(pageCount);
    const short = started({ pageSize, commit }, numbersOnly);
    put(short, all.slice(0, -1), 0);
    expect(() => short.finish()).toThrow(BROKEN);
  });

  test('refuses an empty database, and databases with checksums', () => {
    expect(() => new LTXEncoder(kernel, headerWith({ commit: 0 }))).toThrow(BROKEN);
    expect(() => new LTXEncoder(kernel, headerWith({ flags: 0 }))).toThrow(BROKEN);
  });

  test('refuses calls out of order', () => {
    const fresh = new LTXEncoder(kernel, headerWith());
    expect(() => put(fresh, [1])).toThrow(BROKEN);
    expect(() => fresh.finish()).toThrow(BROKEN);
    fresh.start();
    expect(() => fresh.start()).toThrow(BROKEN);
    put(fresh, [1]);
    fresh.finish();
    expect(() => fresh.finish()).toThrow(BROKEN);
    expect(() => put(fresh, [1])).toThrow(BROKEN);
  });

  test('refuses a different number of pages and page numbers', () => {
    const encoder = started({ commit: 2 });
    expect(() => encoder.pages(Uint32Array.of(1, 2), new Uint8Array(512))).toThrow(BROKEN);
  });

  test('writes a file without pages, if it is not a snapshot', () => {
    const { whole, pageCount } = writeFile(kernel, headerWith({ ...INCREMENT, commit: 9 }), []);
    expect(pageCount).toBe(0);
    expect(readFile(kernel, [whole]).pages).toEqual([]);
    expect(() => writeFile(kernel, headerWith({ commit: 9 }), [])).toThrow(BROKEN);
  });
});

describe.each(['block', 'frame'] as const)('already encoded page frames, as %s', (encoding) => {
  const pageSize = 1024;
  const page = (pgno: number): Uint8Array => new Uint8Array(pageSize).fill(pgno);
  const numbers = (first: number, last: number): Uint32Array =>
    Uint32Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const pagesOf = (pgnos: Uint32Array): Uint8Array => concat([...pgnos].map(page));

  test('give the same file as the pages themselves', () => {
    const header = headerWith({ commit: 9, pageSize });
    const middle = numbers(4, 7);
    const encoded = kernel.encodePages(middle, pagesOf(middle), pageSize, encoding, 0n);
    const frames = {
      bytes: encoded.bytes.slice(),
      firstPgno: 4,
      lastPgno: 7,
      crc: encoded.crc,
      hashedBytes: 4 * (pageSize + (encoding === 'block' ? 10 : 6)),
    };
    const encoder = new LTXEncoder(kernel, header, { encoding });
    const parts: Uint8Array[] = [encoder.start().slice()];
    parts.push(encoder.pages(numbers(1, 3), pagesOf(numbers(1, 3))).slice());
    parts.push(encoder.encodedFrames(frames).slice());
    parts.push(encoder.pages(numbers(8, 9), pagesOf(numbers(8, 9))).slice());
    parts.push(encoder.finish().bytes);
    const all = [...numbers(1, 9)].map((pgno) => ({ pgno, bytes: page(pgno) }));
    expect(concat(parts)).toEqual(writeFile(kernel, header, all, encoding).whole);
  });

  test('are refused if they contain other pages than stated', () => {
    const pgnos = numbers(1, 3);
    const { bytes, crc } = kernel.encodePages(pgnos, pagesOf(pgnos), pageSize, encoding, 0n);
    const frames = { bytes: bytes.slice(), firstPgno: 1, lastPgno: 2, crc, hashedBytes: 0 };
    const encoder = started({ commit: 3, pageSize });
    expect(() => encoder.encodedFrames(frames)).toThrow(BROKEN);
  });
});

test('CRCs of parts combine to the CRC of the whole file', () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff);
  for (const at of [0, 1, 8, 4096, 5000]) {
    const rest = bytes.subarray(at);
    const combined = combineCRC64(
      kernel.crc64(bytes.subarray(0, at)),
      kernel.crc64(rest),
      rest.length,
    );
    expect(combined).toBe(kernel.crc64(bytes));
  }
});
