import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createKernel, type Kernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { isFullImage } from '../../src/ltx/decoder.ts';
import { merge } from '../../src/ltx/merge.ts';
import { readPageIndex } from '../../src/ltx/file.ts';
import { formatTXID } from '../../src/ltx/txid.ts';
import { readFile, writeFile, type Page, type ReadFile } from '../support/ltx-files.ts';
import { GOLDEN_BUCKETS, goldenBucket, type GoldenFile } from '../support/ltx-golden.ts';
import { concat, referenceKernel } from '../support/ltx-reference-kernel.ts';

const kernel = createKernel();

describe.each(GOLDEN_BUCKETS)('the bucket %s', (name) => {
  const bucket = goldenBucket(name);
  const bytesOf = ({ path }: GoldenFile): Uint8Array => fs.readFileSync(path);

  test('has files on several levels, which can all be read completely', () => {
    expect(new Set(bucket.files.map(({ level }) => level)).size).toBeGreaterThan(3);
    for (const file of bucket.files) {
      const bytes = bytesOf(file);
      const { header, pageCount, sizeBytes } = readFile(kernel, [bytes]);
      expect(header.minTXID).toBe(file.minTXID);
      expect(header.maxTXID).toBe(file.maxTXID);
      expect(header.pageSize).toBe(bucket.pageSize);
      expect(sizeBytes).toBe(bytes.length);
      expect(isFullImage(header, pageCount)).toBe(
        file.minTXID === 1n || pageCount === header.commit,
      );
    }
  });

  test('gives the same with the independent kernel', () => {
    for (const file of bucket.files.filter(({ level }) => level !== 0)) {
      const bytes = bytesOf(file);
      expect(digest(readFile(referenceKernel(), [bytes]))).toBe(digest(readFile(kernel, [bytes])));
    }
  });

  test('has indexes that lead to each page', async () => {
    for (const file of bucket.files) {
      const bytes = bytesOf(file);
      const read = async (start: number, end: number): Promise<Uint8Array> =>
        bytes.subarray(start, end);
      const { pages, header } = readFile(kernel, [bytes]);
      const entries = [...(await readPageIndex(read, bytes.length))];
      expect(entries.map(({ pgno }) => pgno)).toEqual(pages.map(({ pgno }) => pgno));
      for (const [i, { offset, sizeBytes }] of entries.entries()) {
        const frame = bytes.subarray(offset, offset + sizeBytes);
        const decoded = kernel.decodePages(frame, header.pageSize, 0n);
        expect(Buffer.compare(decoded.pages, pages[i]?.bytes ?? new Uint8Array(0))).toBe(0);
      }
    }
  });

  test("is encoded to the same bytes, with Litestream's blocks", async () => {
    for (const file of bucket.files) {
      const bytes = bytesOf(file);
      const encoding = bytes[105] === 1 ? 'block' : 'frame';
      const { header, pages } = readFile(kernel, [bytes]);
      const blocks = await blocksOf(bytes, encoding, pages);
      const litestreams = referenceKernel((page) => blocks.get(sha256Of(page)));
      const { whole } = writeFile(litestreams, header, pages, encoding, 5);
      expect(Buffer.compare(whole, bytes)).toBe(0);
    }
  });

  test('merges to what Litestream restores, at every TXID', async () => {
    for (const [txid, sha256] of bucket.restores) {
      const merged = await mergeTo(kernel, bucket.files, txid);
      const { header, pages } = readFile(kernel, [merged]);
      expect(header.minTXID).toBe(1n);
      expect(header.maxTXID).toBe(txid);
      const database = concat(pages.map(({ bytes }) => bytes));
      expect(`${formatTXID(txid)} ${sha256Of(database)}`).toBe(`${formatTXID(txid)} ${sha256}`);
    }
  });

  test('merges in two steps to the same bytes as in one step', async () => {
    const [base, ...increments] = planOf(bucket.files, 1n).concat(
      bucket.files.filter(({ level, minTXID }) => level === 0 && minTXID > 1n).toSorted(byTXID),
    );
    expect(increments.length).toBeGreaterThan(10);
    const first = base === undefined ? new Uint8Array(0) : bytesOf(base);
    const rest = increments.map(bytesOf);
    const once = await merged(kernel, [first, ...rest]);
    const half = await merged(kernel, rest.slice(0, 5));
    const other = await merged(kernel, rest.slice(5));
    expect(Buffer.compare(await merged(kernel, [first, half, other]), once)).toBe(0);
  });
});

/** A simple plan: the newest snapshot that is not beyond `txid`, then single transactions. */
function planOf(files: readonly GoldenFile[], txid: bigint): GoldenFile[] {
  const snapshots = files.filter(({ level, maxTXID }) => level === 9 && maxTXID <= txid);
  const base = snapshots.reduce((best, file) => (file.maxTXID > best.maxTXID ? file : best));
  const rest = files.filter(
    ({ level, minTXID }) => level === 0 && minTXID > base.maxTXID && minTXID <= txid,
  );
  return [base, ...rest.toSorted(byTXID)];
}

function byTXID(left: GoldenFile, right: GoldenFile): number {
  return left.minTXID < right.minTXID ? -1 : 1;
}

/** The LZ4 block of each page in the file, by the page's SHA-256. */
async function blocksOf(
  file: Uint8Array,
  encoding: PageEncoding,
  pages: readonly Page[],
): Promise<Map<string, Uint8Array>> {
  const entries = [
    ...(await readPageIndex(async (start, end) => file.slice(start, end), file.length)),
  ];
  return new Map(
    entries.map(({ offset, sizeBytes }, i) => {
      const frame = file.subarray(offset, offset + sizeBytes);
      const block = encoding === 'block' ? frame.subarray(10) : frame.subarray(17, -8);
      return [sha256Of(pages[i]?.bytes ?? new Uint8Array(0)), block];
    }),
  );
}

async function mergeTo(
  kernel: Kernel,
  files: readonly GoldenFile[],
  txid: bigint,
): Promise<Uint8Array> {
  return merged(
    kernel,
    planOf(files, txid).map(({ path }) => fs.readFileSync(path)),
  );
}

async function merged(kernel: Kernel, files: readonly Uint8Array[]): Promise<Uint8Array> {
  return concat(await Array.fromAsync(merge(kernel, files.map(body))));
}

async function* body(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

function digest({ pages, trailer }: ReadFile): string {
  const numbers = Uint32Array.from(pages, ({ pgno }) => pgno);
  const content = concat([new Uint8Array(numbers.buffer), ...pages.map(({ bytes }) => bytes)]);
  return `${trailer.fileChecksum} ${sha256Of(content)}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
