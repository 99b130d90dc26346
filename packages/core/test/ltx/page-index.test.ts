import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { decodePageIndex, PageIndexWriter, type PageIndexEntry } from '../../src/ltx/page-index.ts';
import {
  locatePageIndex,
  PAGE_INDEX_BYTES_MAX,
  PAGE_INDEX_TAIL_BYTES,
  readPageIndex,
} from '../../src/ltx/file.ts';
import { encodeUvarint, UVARINT_BYTES_MAX, UvarintReader } from '../../src/ltx/uvarint.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { A, D } from '../support/ltx-examples.ts';
import { forge, headerWith, hex, writeFile } from '../support/ltx-files.ts';
import { codeOf } from './code-of.ts';

const INCREMENT = { minTXID: toTXID(2), maxTXID: toTXID(2) };

describe('a varint', () => {
  test('is decoded as it was encoded, in its shortest form', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = new Uint8Array(UVARINT_BYTES_MAX);
        const length = encodeUvarint(bytes, 0, value);
        expect(length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
        const reader = new UvarintReader(bytes.subarray(0, length));
        expect(reader.take()).toBe(value);
        expect(reader.restBytes).toBe(0);
      }),
      { examples: [[0], [127], [128], [16383], [16384], [2 ** 32 - 1], [2 ** 53 - 1]] },
    );
  });

  test.each([
    ['is cut off', '80'],
    ['is empty', ''],
    ['has an unnecessary byte', '8100'],
    ['is zero in two bytes', '8000'],
    ['is 2^53', '8080808080808010'],
    ['is 2^64', '80808080808080808002'],
    ['never ends', '80'.repeat(5000)],
  ])('that %s is refused', (_, bytes) => {
    expect(() => new UvarintReader(hex(bytes)).take()).toThrow(RangeError);
  });
});

describe('an index', () => {
  const entriesOf = (sizes: readonly number[]): PageIndexEntry[] => {
    let offset = 100;
    return sizes.map((sizeBytes, index) => {
      const entry = { pgno: 3 * index + 1, offset, sizeBytes };
      offset += sizeBytes;
      return entry;
    });
  };

  test('is decoded as it was encoded, through all growth of its buffer', () => {
    for (const count of [0, 1, 100, 2000, 300_000]) {
      const entries = entriesOf(Array.from({ length: count }, (_, index) => 7 + (index % 5000)));
      const writer = new PageIndexWriter();
      for (const { pgno, offset, sizeBytes } of entries) writer.add(pgno, offset, sizeBytes);
      const bytes = writer.finish();
      const length = bytes.length - 8;
      expect(new DataView(bytes.buffer).getBigUint64(length)).toBe(BigInt(length));
      expect([...decodePageIndex(bytes.subarray(0, length))]).toEqual(entries);
    }
  });

  test.each([
    ['has no end', '01 64 22'],
    ['is cut off in an entry', '01 64'],
    ['is empty', ''],
    ['continues after its end', '01 64 22 00 00'],
    ['has pages that descend', '02 64 22  01 8601 22  00'],
    ['has a page twice', '02 64 22  02 8601 22  00'],
    ['has a page above 32 bits', '8080808010 64 22  00'],
    ['has a frame of no bytes', '01 64 00  00'],
    ['has a gap between frames', '01 64 22  02 8701 22  00'],
    ['has frames that overlap', '01 64 22  02 8501 22  00'],
    ['has a number that is too long', '01 e400 22 00'],
    ['has a number that never ends', `01 ${'80'.repeat(2000)}`],
  ])('that %s is refused', (_, bytes) => {
    expect(codeOf(() => [...decodePageIndex(hex(bytes))])).toBe('LTX_INVALID');
  });
});

describe('the index of a file', () => {
  const reading = (bytes: Uint8Array) => {
    const reads: [number, number][] = [];
    return {
      reads,
      read: async (start: number, end: number): Promise<Uint8Array> => {
        reads.push([start, end]);
        return bytes.slice(start, end);
      },
    };
  };

  test('is located by its last 24 bytes', () => {
    const tail = D.bytes.subarray(-24);
    expect(locatePageIndex(tail, D.bytes.length)).toEqual({ start: 178, end: 186 });
  });

  test('is read with one request if it is short, and with two if it is long', async () => {
    const short = reading(A.bytes);
    expect([...(await readPageIndex(short.read, A.bytes.length))]).toEqual([
      { pgno: 1, offset: 100, sizeBytes: 34 },
    ]);
    expect(short.reads).toEqual([[0, A.bytes.length]]);

    const count = 9000;
    const pages = Array.from({ length: count }, (_, index) => ({
      pgno: index + 1,
      bytes: new Uint8Array(512),
    }));
    const { whole } = writeFile(
      createKernel(),
      headerWith({ commit: count }),
      pages,
      'block',
      2000,
    );
    const long = reading(whole);
    const entries = [...(await readPageIndex(long.read, whole.length))];
    expect(entries.length).toBe(count);
    expect(entries.at(-1)?.pgno).toBe(count);
    expect(long.reads.length).toBe(2);
    expect(long.reads[0]).toEqual([whole.length - PAGE_INDEX_TAIL_BYTES, whole.length]);
  });

  const withLength = (length: bigint): Uint8Array => {
    const tail = new Uint8Array(24);
    new DataView(tail.buffer).setBigUint64(0, length);
    return tail;
  };

  test('is not searched in a file that is too small', () => {
    expect(codeOf(() => locatePageIndex(withLength(1n), 130))).toBe('LTX_TRUNCATED');
    expect(codeOf(() => locatePageIndex(new Uint8Array(23), 131))).toBe('LTX_TRUNCATED');
    expect(locatePageIndex(withLength(1n), 131)).toEqual({ start: 106, end: 107 });
  });

  test('with a length of zero, above the size of the file, or above the limit is not read', () => {
    expect(codeOf(() => locatePageIndex(withLength(0n), 1000))).toBe('LTX_INVALID');
    expect(codeOf(() => locatePageIndex(withLength(871n), 1000))).toBe('LTX_INVALID');
    expect(codeOf(() => locatePageIndex(withLength(2n ** 64n - 1n), 1000))).toBe('LTX_INVALID');
    const above = BigInt(PAGE_INDEX_BYTES_MAX) + 1n;
    expect(codeOf(() => locatePageIndex(withLength(above), 2 ** 40))).toBe('LTX_UNSUPPORTED');
  });

  test.each([
    ['begins after the header', -1],
    ['ends before the pages do', 0],
  ])('whose first frame %s is refused', async (_, at) => {
    const bytes = forge({
      header: headerWith({ ...INCREMENT, commit: 9 }),
      pages: [2, 4].map((pgno) => ({ pgno, bytes: new Uint8Array(512).fill(pgno) })),
      index: (entries) => (at === 0 ? entries.slice(0, 1) : entries.slice(1)),
    });
    const entries = await readPageIndex(reading(bytes).read, bytes.length);
    expect(codeOf(() => [...entries])).toBe('LTX_INVALID');
  });
});
