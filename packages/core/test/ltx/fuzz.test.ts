/**
 * Hostile files, for SLUICE_FUZZ_MS (default 4 s): real files with changed bytes, and forged files
 * with a valid checksum and inconsistent parts. Each ends with a code, or with pages that an independent
 * decoder confirms. The seed is printed; SLUICE_SEED repeats a run.
 */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { createKernel, type Kernel } from '../../src/kernel/kernel.ts';
import type { LTXHeader } from '../../src/ltx/header.ts';
import { merge } from '../../src/ltx/merge.ts';
import { readPageIndex } from '../../src/ltx/file.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import {
  chunksOf,
  forge,
  headerWith,
  readFile,
  writeFile,
  type IndexEntry,
  type Page,
} from '../support/ltx-files.ts';
import { GOLDEN_BUCKETS, goldenBucket } from '../support/ltx-golden.ts';
import { concat, literalBlock, referenceKernel } from '../support/ltx-reference-kernel.ts';
import { randomFrom, seedOf, type Random } from '../support/random.ts';

const FUZZ_MS = Number(process.env['SLUICE_FUZZ_MS'] ?? 4000);
/** Far longer than a file of a few kilobytes takes on a busy machine. */
const ONE_FILE_MS_MAX = 5000;
const kernel = createKernel();
const reference = referenceKernel();

test(
  'every file is read correctly or refused with a code',
  async () => {
    const seed = seedOf();
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const seeds = [...goldenFiles(), ...writtenFiles(random)];
    const outcomes = new Map<string, number>();
    const until = Date.now() + FUZZ_MS;
    while (Date.now() < until) {
      const bytes = random.chance(0.5) ? mutated(random, random.pick(seeds)) : forged(random);
      const started = performance.now();
      const chunkBytes = random.pick([bytes.length + 1, 1 + random.int(0, 300), 4096]);
      const found = outcome(kernel, bytes, chunkBytes);
      expect(performance.now() - started).toBeLessThan(ONE_FILE_MS_MAX);
      if (!found.startsWith('LTX_')) {
        expect(outcome(reference, bytes, bytes.length + 1)).toBe(found);
      }
      await alsoRead(bytes);
      const kind = found.startsWith('LTX_') ? found : 'read';
      outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
    }
    console.log(Object.fromEntries(outcomes));
    for (const kind of ['read', 'LTX_INVALID', 'LTX_TRUNCATED', 'LTX_CHECKSUM_MISMATCH']) {
      expect(outcomes.get(kind) ?? 0, kind).toBeGreaterThan(0);
    }
  },
  FUZZ_MS + 60_000,
);

/** The code, or the numbers and bytes of the pages. An error without a code fails the test. */
function outcome(by: Kernel, bytes: Uint8Array, chunkBytes: number): string {
  try {
    const { header, pages, pageCount, sizeBytes } = readFile(by, [...chunksOf(bytes, chunkBytes)]);
    expect(pageCount).toBe(pages.length);
    expect(sizeBytes).toBe(bytes.length);
    expect(pages.every(({ pgno }) => pgno >= 1 && pgno <= header.commit)).toBe(true);
    const content = by.crc64(concat(pages.map((page) => page.bytes)));
    return `${pages.map(({ pgno }) => pgno).join()} ${content}`;
  } catch (error) {
    if (isError(error) && error.code.startsWith('LTX_')) return error.code;
    throw error;
  }
}

/** The other ways to read a file must also end with a code. */
async function alsoRead(bytes: Uint8Array): Promise<void> {
  const whole = async function* (): AsyncGenerator<Uint8Array, void> {
    yield bytes;
  };
  const read = async (start: number, end: number): Promise<Uint8Array> => bytes.slice(start, end);
  const ways = [
    async () => Array.fromAsync(merge(kernel, [whole()])),
    async () => [...(await readPageIndex(read, bytes.length))],
  ];
  for (const way of ways) {
    try {
      await way();
    } catch (error) {
      if (!isError(error) || !error.code.startsWith('LTX_')) throw error;
    }
  }
}

function goldenFiles(): Uint8Array[] {
  return GOLDEN_BUCKETS.flatMap((name) => goldenBucket(name).files)
    .map(({ path }) => new Uint8Array(fs.readFileSync(path)))
    .filter(({ length }) => length < 20_000);
}

function writtenFiles(random: Random): Uint8Array[] {
  return [512, 1024, 4096].flatMap((pageSize) =>
    (['block', 'frame'] as const).map((encoding) => {
      const pages = pagesOf(random, pageSize, [1, 2, 3, 4, 5]);
      return writeFile(kernel, headerWith({ pageSize, commit: 5 }), pages, encoding).whole;
    }),
  );
}

function pagesOf(random: Random, pageSize: number, pgnos: readonly number[]): Page[] {
  return pgnos.map((pgno) => {
    const bytes = new Uint8Array(pageSize).fill(random.int(0, 255));
    for (let i = random.int(0, 200); i > 0; i--) bytes[random.int(0, pageSize - 1)] = i;
    return { pgno, bytes };
  });
}

/** Flips, overwrites, cuts, doubles or moves bytes, or changes nothing. */
function mutated(random: Random, from: Uint8Array): Uint8Array {
  let bytes: Uint8Array = from.slice();
  for (let i = random.int(0, 3); i > 0 && bytes.length > 0; i--) {
    const at = place(random, bytes.length);
    const way = random.int(0, 5);
    if (way === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7));
    if (way === 1) bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
    if (way === 2) bytes.fill(random.pick([0, 0xff]), at, at + random.int(1, 9));
    if (way === 3) bytes = bytes.slice(0, at);
    if (way === 4) bytes = concat([bytes.subarray(0, at), bytes.subarray(place(random, at + 1))]);
    if (way === 5) bytes.copyWithin(at, place(random, bytes.length), at + random.int(1, 40));
  }
  return bytes;
}

/** A random position, often in the structure of the file. */
function place(random: Random, length: number): number {
  const end = random.pick([120, length, length]);
  const start = random.chance(0.3) ? Math.max(0, length - 60) : 0;
  return Math.min(length - 1, random.int(start, Math.max(start, end)));
}

function forged(random: Random): Uint8Array {
  const pageSize = random.pick([512, 1024, 4096]);
  const isSnapshot = random.chance(0.5);
  const count = random.int(0, 6);
  const pgnos = Array.from({ length: count }, (_, i) => i + 1);
  const lie = random.int(0, 7);
  if (lie === 1 && count > 0) pgnos[random.int(0, count - 1)] = random.pick([1, 3, 7, 2 ** 32 - 1]);
  const header: LTXHeader = headerWith({
    pageSize,
    commit: Math.max(count, lie === 2 ? random.pick([0, 1, 2 ** 32 - 1]) : count),
    minTXID: toTXID(isSnapshot ? 1 : 2),
    maxTXID: toTXID(2),
    flags: isSnapshot && lie === 3 ? 0 : 2,
  });
  return forge({
    header,
    pages: pagesOf(random, pageSize, pgnos),
    encoding: random.pick(['block', 'frame']),
    block: (page) => (lie === 4 ? garbledBlock(random, page) : undefined),
    index: (entries) => (lie === 5 ? garbledIndex(random, entries) : entries),
    indexLength: (length) =>
      lie === 6 ? random.pick([0, 1, length - 1, length + 1, length + 8, 2 ** 40]) : length,
    ...(lie === 7 ? { before: new Uint8Array(random.int(1, 40)) } : {}),
    postApplyChecksum: header.flags === 0 ? (1n << 63n) | 1n : 0n,
  });
}

function garbledBlock(random: Random, page: Page): Uint8Array {
  const block = literalBlock(page.bytes);
  for (let i = random.int(0, 4); i > 0; i--) block[random.int(0, 20)] = random.int(0, 255);
  const most = random.pick([0, 1, block.length - 1, block.length]);
  return block.subarray(0, most);
}

function garbledIndex(random: Random, entries: IndexEntry[]): IndexEntry[] {
  const changed = entries.map((entry) => ({ ...entry }));
  const entry = changed[random.int(0, Math.max(0, changed.length - 1))];
  if (entry === undefined) return [{ pgno: 1, offset: 100, sizeBytes: 7 }];
  const field = random.pick(['pgno', 'offset', 'sizeBytes'] as const);
  entry[field] = random.pick([1, entry[field] + 1, 2 ** 32, 2 ** 53 - 1]);
  return random.chance(0.5) ? changed : changed.slice(1);
}
