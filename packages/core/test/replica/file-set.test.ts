/** Compares a FileSet with a plain map, and measures its memory. */

import v8 from 'node:v8';
import vm from 'node:vm';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import { file } from '../restore/files.ts';

const FILES = 100_000;
/** Limit for 100,000 files: a replicator has one set per destination and database. */
const BYTES_MAX = 20_000_000;

const anyFile = fc
  .record({
    level: fc.nat(9),
    min: fc.integer({ min: 1, max: 9 }),
    length: fc.nat(5),
    sizeBytes: fc.nat(1_000),
    modifiedAt: fc.date({ noInvalidDate: true }),
  })
  .map(({ level, min, length, sizeBytes, modifiedAt }) =>
    file(level, min, min + length, { sizeBytes, modifiedAt }),
  );

function nameOf({ level, minTXID, maxTXID }: LTXFileInfo): string {
  return `${level}/${minTXID}-${maxTXID}`;
}

test('files added in any order are found, counted and sorted like in a plain map', () => {
  fc.assert(
    fc.property(fc.array(anyFile, { maxLength: 60 }), (files) => {
      const set = FileSet.of(files);
      const plain = new Map(files.map((each) => [nameOf(each), each]));
      expect(set.count).toBe(plain.size);
      for (const each of plain.values()) {
        const { level, minTXID, maxTXID, sizeBytes, modifiedAt } = each;
        expect(set.get(each)).toEqual({ level, minTXID, maxTXID, sizeBytes, modifiedAt });
        expect(set.has({ ...each, maxTXID: (maxTXID + 100n) as typeof maxTXID })).toBe(false);
      }
      const all = [...plain.values()];
      const tops = all.map(({ maxTXID }) => maxTXID);
      expect(set.highest).toBe(tops.reduce((a, b) => (b > a ? b : a), 0n));
      for (const level of set.levels) {
        const names = Array.from({ length: level.length }, (_, index) => [
          level.minTXID(index),
          level.maxTXID(index),
        ]);
        const expected = all
          .filter((each) => each.level === level.level)
          .map(({ minTXID, maxTXID }) => [minTXID, maxTXID] as [bigint, bigint])
          .toSorted((a, b) => Number(a[0] - b[0] || a[1] - b[1]));
        expect(names).toEqual(expected);
        const top = expected.reduce((highest, [, end]) => (end > highest ? end : highest), 0n);
        expect(set.topOf(level.level)).toBe(top);
      }
    }),
  );
});

test('an empty level has neither a top nor a newest file', () => {
  const set = FileSet.of([file(0, 1, 1)]);
  expect([set.topOf(9), set.newestOf(9), set.highest]).toEqual([0n, undefined, 1n]);
  expect([set.topOf(0), set.newestOf(0)?.sizeBytes]).toEqual([1n, 1000]);
});

test('100,000 files are held in less than 20 MB', () => {
  const collect = gc();
  collect();
  const before = memory();
  const set = new FileSet();
  for (let txid = 1; txid <= FILES; txid++) {
    const level = txid % 100 === 0 ? 9 : txid % 10 === 0 ? 1 : 0;
    set.add(file(level, level === 9 ? 1 : txid, txid));
  }
  collect();
  const taken = memory() - before;
  expect(set.count).toBe(FILES);
  expect(taken).toBeLessThan(BYTES_MAX);
});

function memory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function gc(): () => void {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc') as () => void;
}
