/** Page frames decoded into a window are the same as those decoded by themselves. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createKernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { WindowKernel } from '../../src/kernel/window-kernel.ts';
import { expectSame, pagesOfAnySize } from './samples.ts';

const kernel = createKernel();
const ENCODINGS = ['block', 'frame'] as const;
const FIRST_PGNO = 4_000_000_001;
/** What is in the window before. */
const FILL = 0xa5;

interface File {
  readonly pgnos: readonly number[];
  readonly pages: Uint8Array;
  readonly how: PageEncoding;
}

function encode({ pgnos, pages, how }: File): { bytes: Uint8Array; crc: bigint; hashed: number } {
  const pageSize = pages.length / pgnos.length;
  const numbers = Uint32Array.from(pgnos);
  const { bytes, crc } = kernel.encodePages(numbers, pages, pageSize, how, 0n);
  const hashed = pgnos.length * (pageSize + (how === 'block' ? 10 : 6));
  return { bytes: bytes.slice(), crc, hashed };
}

/** A page size, and files with pages of a window of eight. The newest file is first. */
const files = fc
  .record({ first: pagesOfAnySize, others: fc.array(pagesOfAnySize, { maxLength: 3 }) })
  .chain(({ first: { pageSize, pages: bytes }, others }) => {
    const file = ({ pages: source }: { pages: Uint8Array }): fc.Arbitrary<File> =>
      fc
        .record({
          slots: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 8 }),
          how: fc.constantFrom(...ENCODINGS),
        })
        .map(({ slots, how }) => ({
          pgnos: slots.toSorted((a, b) => a - b).map((slot) => FIRST_PGNO + slot),
          pages: Uint8Array.from(Buffer.alloc(slots.length * pageSize, Buffer.from(source))),
          how,
        }));
    const all = [{ pages: bytes }, ...others].map(file);
    return fc.record({ pageSize: fc.constant(pageSize), newestFirst: fc.tuple(...all) });
  });

test('each page is that of the newest file that has it, and each file has its CRC', () => {
  fc.assert(
    fc.property(files, fc.nat(8), fc.nat(), ({ pageSize, newestFirst }, within, cut) => {
      const window = new WindowKernel(pageSize, 8);
      window.pages.fill(FILL);
      const range = {
        firstPgno: FIRST_PGNO,
        lastPgno: FIRST_PGNO + 7,
        commit: FIRST_PGNO - 1 + within,
      };
      const expected = new Map<number, Uint8Array>();
      for (const file of newestFirst) {
        const { bytes, crc, hashed } = encode(file);
        // The bytes arrive in two parts.
        const end = cut % (bytes.length + 1);
        window.input.set(bytes.subarray(0, end));
        const start = { afterPgno: FIRST_PGNO - 1, crc: 0n };
        const first = window.decode({ start: 0, end }, range, start);
        window.input.set(bytes.subarray(first.consumedBytes));
        const rest = { start: 0, end: bytes.length - first.consumedBytes };
        const next = { afterPgno: first.lastPgno, crc: first.crc };
        const second = window.decode(rest, range, next);
        expect(second.consumedBytes).toBe(rest.end);
        expect([second.stopped, second.lastPgno, second.crc]).toEqual([
          'input',
          file.pgnos.at(-1),
          crc,
        ]);
        expect(first.pages + second.pages).toBe(file.pgnos.length);
        expect(first.hashedBytes + second.hashedBytes).toBe(hashed);
        for (const [index, pgno] of file.pgnos.entries()) {
          const page = file.pages.subarray(index * pageSize, (index + 1) * pageSize);
          if (pgno <= range.commit && !expected.has(pgno)) expected.set(pgno, page);
        }
      }
      const untouched = new Uint8Array(pageSize).fill(FILL);
      for (let slot = 0; slot < 8; slot++) {
        const page = window.pages.subarray(slot * pageSize, (slot + 1) * pageSize);
        const wanted = expected.get(FIRST_PGNO + slot);
        expectSame(page, wanted ?? untouched);
        expect(window.taken[slot]).toBe(wanted === undefined ? 0 : 1);
      }
    }),
    { numRuns: 200 },
  );
});

test.each([
  ['before the window', [1], 'order'],
  ['after the window', [10], 'order'],
  ['twice', [3, 3], 'order'],
  ['descending', [4, 3], 'order'],
  ['at the end of the pages', [0], 'end'],
] as const)('decoding stops at a page %s, which is not hashed', (_, slots, stopped) => {
  const window = new WindowKernel(512, 8);
  const first = encode({ pgnos: [2], pages: new Uint8Array(512).fill(1), how: 'block' });
  const rest = slots.map((pgno) => {
    if (pgno === 0) return new Uint8Array(6);
    return encode({ pgnos: [pgno], pages: new Uint8Array(512).fill(pgno), how: 'frame' }).bytes;
  });
  const good = slots.length > 1 ? [first.bytes, rest[0] ?? first.bytes] : [first.bytes];
  const bytes = Buffer.concat([first.bytes, ...rest]);
  window.input.set(bytes);
  const range = { firstPgno: 2, lastPgno: 9, commit: 9 };
  const decoded = window.decode({ start: 0, end: bytes.length }, range, { afterPgno: 1, crc: 0n });
  expect(decoded).toMatchObject({ stopped, consumedBytes: Buffer.concat(good).length });
});

test('an invalid frame is refused with the same error as by decodePages', () => {
  const window = new WindowKernel(512, 8);
  const { bytes } = encode({ pgnos: [2], pages: new Uint8Array(512).fill(1), how: 'frame' });
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  window.input.set(bytes);
  const range = { firstPgno: 1, lastPgno: 8, commit: 8 };
  const decode = (): unknown =>
    window.decode({ start: 0, end: bytes.length }, range, { afterPgno: 0, crc: 0n });
  expect(decode).toThrow('decode page 2, 0 bytes into a batch of page frames: the checksum');
  expect(() => kernel.decodePages(bytes, 512, 0n)).toThrow('decode page 2, 0 bytes into a batch');
});
