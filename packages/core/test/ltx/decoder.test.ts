import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../../src/ltx/decoder.ts';
import { lockPgno } from '../../src/ltx/header.ts';
import { sizeOfFrame } from '../../src/ltx/page-frame.ts';
import { PageOrder } from '../../src/ltx/page-order.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { A, A_FRAME, B, D, knownBlocks } from '../support/ltx-examples.ts';
import {
  chunksOf,
  forge,
  headerWith,
  readFile,
  writeFile,
  type Page,
} from '../support/ltx-files.ts';
import { poisonOldResults } from '../support/ltx-poisoning-kernel.ts';
import { concat, literalBlock, referenceKernel } from '../support/ltx-reference-kernel.ts';
import { codeOf } from './code-of.ts';

const INCREMENT = { minTXID: toTXID(2), maxTXID: toTXID(2) };
const page = (pgno: number, size = 512): Page => ({ pgno, bytes: new Uint8Array(size).fill(pgno) });
const pages = (...pgnos: number[]): Page[] => pgnos.map((pgno) => page(pgno));
const header = headerWith({ ...INCREMENT, commit: 9 });
const snapshot = headerWith({ commit: 3 });

describe.each([
  { kind: 'the kernel', kernel: createKernel() },
  { kind: 'the reference', kernel: referenceKernel() },
  { kind: 'a kernel that overwrites old results', kernel: poisonOldResults(createKernel()) },
])('the decoder, with $kind', ({ kernel }) => {
  const read = (bytes: Uint8Array): string => codeOf(() => readFile(kernel, [bytes]));

  test('accepts chunks of any size', () => {
    for (const { bytes, pages } of [A, A_FRAME, B, D]) {
      for (const size of [1, 2, 7, 99, 100, 101, 1000]) {
        expect(readFile(kernel, [...chunksOf(bytes, size)]).pages).toEqual(pages);
      }
    }
  });

  test('keeps no reference to a chunk: its memory may be reused', () => {
    const { whole } = writeFile(kernel, headerWith({ ...INCREMENT, commit: 9 }), pages(2, 5, 9));
    const reused = new Uint8Array(13);
    const decoder = new LTXDecoder(kernel);
    const found: number[] = [];
    for (const chunk of chunksOf(whole, reused.length)) {
      reused.set(chunk);
      for (const batch of decoder.push(reused.subarray(0, chunk.length)))
        found.push(...batch.pgnos);
      reused.fill(0xff);
    }
    expect(decoder.finish().pageCount).toBe(3);
    expect(found).toEqual([2, 5, 9]);
  });

  test('reads both encodings in one file', () => {
    const block = forge({ header, pages: pages(2), encoding: 'block' });
    const frame = forge({ header, pages: pages(2), encoding: 'frame' });
    expect(readFile(kernel, [block]).pages).toEqual(readFile(kernel, [frame]).pages);
  });

  test.each([
    ['a block as long as its page', 512, 'LTX_TRUNCATED'],
    ['a longer one', 513, 'LTX_INVALID'],
    ['a much longer one', 0x7fff_ffff, 'LTX_INVALID'],
    ['a stored one that is longer', 0x8000_0201, 'LTX_INVALID'],
    ['a stored one', 0x8000_0200, 'LTX_TRUNCATED'],
    ['an empty one', 0, 'LTX_INVALID'],
  ])('does not wait for an LZ4 frame that cannot be: %s', (_, length, code) => {
    const file = forge({ header, pages: pages(2), encoding: 'frame' }).slice(0, 130);
    new DataView(file.buffer).setUint32(113, length, true);
    for (const size of [1, file.length]) {
      expect(codeOf(() => readFile(kernel, [...chunksOf(file, size)]))).toBe(code);
    }
    const scan = (): number => sizeOfFrame(file, 100, file.length, 512);
    if (code === 'LTX_INVALID') expect(codeOf(scan)).toBe(code);
    else expect(scan()).toBe(0);
  });

  test.each([
    ['pages that descend', header, pages(5, 4)],
    ['a page twice', header, pages(5, 5)],
    ['a page beyond the commit', header, pages(5, 10)],
    ['a snapshot with a hole', snapshot, pages(1, 3)],
    ['a snapshot without page 1', snapshot, pages(2, 3)],
    ['a snapshot without its last page', snapshot, pages(1, 2)],
    ['a snapshot of no pages', snapshot, []],
  ])('refuses %s with a valid checksum', (_, header, pages) => {
    expect(read(forge({ header, pages }))).toBe('LTX_INVALID');
  });

  test('refuses the lock page', () => {
    const lock = lockPgno(65536);
    const of = (pgno: number): Uint8Array =>
      forge({
        header: headerWith({ ...INCREMENT, pageSize: 65536, commit: lock + 1 }),
        pages: [{ pgno, bytes: new Uint8Array(65536) }],
      });
    expect(read(of(lock))).toBe('LTX_INVALID');
    expect(read(of(lock - 1))).toBe('none');
    expect(read(of(lock + 1))).toBe('none');
  });

  test.each([
    ['one byte short', 511],
    ['one byte long', 513],
    ['empty', 0],
  ])('refuses a page whose block is %s', (_, size) => {
    const block = (): Uint8Array => literalBlock(new Uint8Array(size));
    expect(read(forge({ header, pages: pages(2), block }))).toBe('LTX_INVALID');
  });

  test('refuses a block with a size above that of a page, at its header', () => {
    const whole = forge({ header, pages: pages(2) });
    const lie = whole.slice(0, 110);
    lie.set([0xff, 0xff, 0xff, 0xff], 106);
    expect(codeOf(() => [...new LTXDecoder(kernel).push(lie)])).toBe('LTX_INVALID');
  });

  test.each([
    ['lacks a page', (entries) => entries.slice(1)],
    ['has an extra page', (entries) => [...entries, { pgno: 9, offset: 700, sizeBytes: 7 }]],
    ['is empty', () => []],
    ['tells another page', ([first, ...rest]) => [{ ...first!, pgno: 3 }, ...rest]],
    ['tells another offset', ([first, ...rest]) => [{ ...first!, offset: 101 }, ...rest]],
    ['tells another size', ([first, ...rest]) => [{ ...first!, sizeBytes: 9 }, ...rest]],
    ['is in another order', (entries) => entries.toReversed()],
  ] as [string, NonNullable<Parameters<typeof forge>[0]['index']>][])(
    'refuses an index that %s with a valid checksum',
    (_, index) => {
      expect(read(forge({ header, pages: pages(2, 4) }))).toBe('none');
      expect(read(forge({ header, pages: pages(2, 4), index }))).toBe('LTX_INVALID');
    },
  );

  test('refuses a wrong length of the index with a valid checksum', () => {
    for (const wrong of [-1, 1, 2 ** 52]) {
      const indexLength = (length: number): number => length + wrong;
      expect(read(forge({ header, pages: pages(2), indexLength }))).toBe('LTX_INVALID');
    }
  });

  test('refuses extra bytes before or after the trailer', () => {
    const whole = forge({ header, pages: pages(2) });
    for (const count of [1, 8, 16, 24, 1000]) {
      const more = new Uint8Array(count);
      expect(read(concat([whole, more]))).toBe('LTX_INVALID');
      expect(read(forge({ header, pages: pages(2), before: more }))).toBe('LTX_INVALID');
    }
    expect(read(concat([whole, whole]))).toBe('LTX_INVALID');
  });

  test('reports every cut as a truncated file', () => {
    for (const { bytes } of [A, A_FRAME, B, D]) {
      for (let length = 0; length < bytes.length; length++) {
        expect(`${length} ${read(bytes.subarray(0, length))}`).toBe(`${length} LTX_TRUNCATED`);
      }
    }
  });

  test('reports a wrong file checksum as a mismatch', () => {
    const bytes = A.bytes.slice();
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    expect(read(bytes)).toBe('LTX_CHECKSUM_MISMATCH');
  });

  test('checks the database checksum of a snapshot that has one', () => {
    const block = (page: Page): Uint8Array | undefined => knownBlocks(page.bytes);
    const withSum = (postApplyChecksum: bigint): Uint8Array =>
      forge({ header: D.header, pages: D.pages, block, postApplyChecksum });
    expect(read(withSum(D.postApplyChecksum))).toBe('none');
    expect(read(withSum(D.postApplyChecksum ^ 1n))).toBe('LTX_CHECKSUM_MISMATCH');
    expect(read(withSum(0n))).toBe('LTX_INVALID');
  });

  test('reads an increment with database checksums', () => {
    const preApplyChecksum = (1n << 63n) | 5n;
    const tracked = headerWith({ ...INCREMENT, flags: 0, commit: 9, preApplyChecksum });
    const bytes = forge({ header: tracked, pages: pages(4), postApplyChecksum: 7n << 61n });
    expect(readFile(kernel, [bytes]).header).toEqual(tracked);
  });

  test('keeps failing with its first error', () => {
    const decoder = new LTXDecoder(kernel);
    const bad = forge({ header, pages: pages(5, 4) });
    expect(codeOf(() => [...decoder.push(bad)])).toBe('LTX_INVALID');
    expect(codeOf(() => decoder.push(bad))).toBe('LTX_INVALID');
    expect(codeOf(() => decoder.finish())).toBe('LTX_INVALID');
  });

  test('requires that all batches of a chunk are read', () => {
    const { whole } = writeFile(kernel, headerWith({ commit: 3 }), pages(1, 2, 3));
    const unasked = new LTXDecoder(kernel);
    unasked.push(whole);
    expect(() => unasked.finish()).toThrow(/invariant broken/);
    const left = new LTXDecoder(kernel);
    for (const batch of left.push(whole)) {
      expect(batch.pgnos.length).toBe(3);
      break;
    }
    expect(() => left.push(whole)).toThrow(/invariant broken/);
  });

  test('is not affected by other uses of its kernel between batches', () => {
    const one = writeFile(
      kernel,
      headerWith({ commit: 9 }),
      pages(1, 2, 3, 4, 5, 6, 7, 8, 9),
    ).whole;
    const decoder = new LTXDecoder(kernel);
    const found: Page[] = [];
    for (const chunk of chunksOf(one, 200)) {
      for (const batch of decoder.push(chunk)) {
        for (const [i, pgno] of batch.pgnos.entries()) {
          found.push({ pgno, bytes: batch.pages.slice(i * 512, (i + 1) * 512) });
        }
        readFile(kernel, [B.bytes]);
        kernel.input.fill(0xee);
      }
      readFile(kernel, [A_FRAME.bytes]);
      kernel.input.fill(0xee);
    }
    decoder.finish();
    expect(found).toEqual(pages(1, 2, 3, 4, 5, 6, 7, 8, 9));
  });
});

test('the kernel is called only when a page may be complete, with chunks of any size', () => {
  const kernel = poisonOldResults(createKernel());
  const noise = Uint8Array.from({ length: 65536 }, (_, at) => (at * at * 7919) >> 8);
  const header = headerWith({ ...INCREMENT, pageSize: 65536, commit: 9 });
  for (const encoding of ['block', 'frame'] as const) {
    const { whole } = writeFile(kernel, header, [{ pgno: 4, bytes: noise }], encoding);
    const before = kernel.decodeCalls;
    readFile(kernel, [...chunksOf(whole, 1)]);
    expect(kernel.decodeCalls - before).toBeLessThan(10);
  }
});

describe('the order of pages', () => {
  const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

  test.each(PAGE_SIZES)('in a snapshot skips only the lock page, pages of %i', (pageSize) => {
    const lock = lockPgno(pageSize);
    const order = new PageOrder(headerWith({ pageSize, commit: lock + 1 }));
    for (let pgno = 1; pgno < lock; pgno++) order.check(pgno);
    expect(codeOf(() => order.check(lock))).toBe('LTX_INVALID');
    expect(codeOf(() => order.finish())).toBe('LTX_INVALID');
    order.check(lock + 1);
    order.finish();
    expect(order.count).toBe(lock);
    expect(isFullImage(headerWith({ pageSize, commit: lock + 1 }), order.count)).toBe(true);
  });

  test('in a snapshot that ends before or with the lock page is complete without it', () => {
    const lock = lockPgno(65536);
    for (const commit of [lock - 1, lock]) {
      const order = new PageOrder(headerWith({ pageSize: 65536, commit }));
      for (let pgno = 1; pgno < lock; pgno++) order.check(pgno);
      order.finish();
      expect(isFullImage(headerWith({ pageSize: 65536, commit }), order.count)).toBe(true);
      expect(isFullImage(headerWith({ pageSize: 65536, commit }), order.count - 1)).toBe(false);
    }
  });
});
