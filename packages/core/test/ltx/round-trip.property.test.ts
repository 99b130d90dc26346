import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { decodePageIndex } from '../../src/ltx/page-index.ts';
import { locatePageIndex } from '../../src/ltx/file.ts';
import { lockPgno, type LTXHeader } from '../../src/ltx/header.ts';
import { nextPgno } from '../../src/ltx/page-order.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { chunksOf, headerWith, readFile, writeFile, type Page } from '../support/ltx-files.ts';
import { referenceKernel } from '../support/ltx-reference-kernel.ts';
import { randomFrom, type Random } from '../support/random.ts';

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const kernel = createKernel();
const reference = referenceKernel();

interface Given {
  readonly header: LTXHeader;
  readonly pages: Page[];
  readonly encoding: PageEncoding;
  readonly perBatch: number;
  readonly chunkBytes: number;
}

/** Pages that are partly empty, text, repeating or random. */
function contentOf(random: Random, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const kind = random.int(0, 4);
  const until = random.int(0, size);
  for (let at = 0; at < until; at++) {
    if (kind === 1) bytes[at] = random.int(97, 122);
    if (kind === 2) bytes[at] = at % (1 + (until % 200));
    if (kind >= 3) bytes[at] = random.int(0, 255);
  }
  return bytes;
}

function givenBy(seed: number, pageSize: number): Given {
  const random = randomFrom(seed);
  const isSnapshot = random.chance(0.4);
  const count = random.int(isSnapshot ? 1 : 0, Math.min(60, 524288 / pageSize));
  const lock = lockPgno(pageSize);
  let pgno = isSnapshot ? 0 : random.pick([0, 1000, lock - 30, 2 ** 31, 2 ** 32 - 20_000]);
  const pages: Page[] = [];
  for (let i = 0; i < count; i++) {
    pgno = nextPgno(pgno, pageSize);
    if (!isSnapshot && random.chance(0.3)) pgno += random.pick([1, 7, 127, 300]);
    if (pgno === lock) pgno += 1;
    pages.push({ pgno, bytes: contentOf(random, pageSize) });
  }
  const minTXID = toTXID(isSnapshot ? 1 : random.int(2, 2 ** 40));
  const header = headerWith({
    pageSize,
    commit: isSnapshot ? count : pgno + random.int(1, 20),
    minTXID,
    maxTXID: toTXID(minTXID + BigInt(random.int(0, 1000))),
    timestampMs: random.int(0, 2 ** 42),
    walOffset: 32n,
    walSize: BigInt(random.int(0, 2 ** 40)),
    walSalt1: random.int(0, 2 ** 32 - 1),
    walSalt2: random.int(0, 2 ** 32 - 1),
    nodeID: BigInt(random.int(0, 2 ** 52)),
  });
  return {
    header,
    pages,
    encoding: random.pick(['block', 'frame']),
    perBatch: random.int(1, Math.max(1, Math.floor((1024 * 1024) / pageSize))),
    chunkBytes: random.pick([1000, 4096, 65_536, 5_000_000]),
  };
}

describe.each(PAGE_SIZES)('pages of %i bytes', (pageSize) => {
  test('are decoded as they were encoded, by our kernel and by the independent one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const { header, pages, encoding, perBatch, chunkBytes } = givenBy(seed, pageSize);
        const written = writeFile(kernel, header, pages, encoding, perBatch);
        const { whole } = written;
        expect(whole.length).toBe(written.sizeBytes);
        for (const by of [kernel, reference]) {
          const file = readFile(by, [...chunksOf(whole, chunkBytes)]);
          expect(file.header).toEqual(header);
          expect(file.pageCount).toBe(pages.length);
          expect(file.sizeBytes).toBe(whole.length);
          expect(file.trailer.fileChecksum).toBe(written.fileChecksum);
          expect(samePages(file.pages, pages)).toBe(true);
        }
        const { start, end } = locatePageIndex(whole, whole.length);
        const index = [...decodePageIndex(whole.subarray(start, end))];
        expect(index.map(({ pgno }) => pgno)).toEqual(pages.map(({ pgno }) => pgno));
      }),
      { numRuns: 25 },
    );
  });

  test('written by the independent kernel are read by ours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const { header, pages, encoding, perBatch, chunkBytes } = givenBy(seed, pageSize);
        const { whole } = writeFile(reference, header, pages, encoding, perBatch);
        const file = readFile(kernel, [...chunksOf(whole, chunkBytes)]);
        expect(samePages(file.pages, pages)).toBe(true);
      }),
      { numRuns: 10 },
    );
  });
});

/** A fast comparison: the test runner's own takes a second per megabyte. */
function samePages(left: readonly Page[], right: readonly Page[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ pgno, bytes }, i) => {
      const other = right[i];
      return other?.pgno === pgno && Buffer.compare(bytes, other.bytes) === 0;
    })
  );
}
