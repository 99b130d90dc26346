/** Whether the newest state of a listing can be restored, judged by a search without shortcuts. */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reachOf } from '../../src/history/chain.ts';
import { formatTXID, toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import { planRestore } from '../../src/restore/plan/plan.ts';
import { file } from '../restore/files.ts';

const TXID_COUNT = 12;
const RUNS = 3000;

const anyFile = fc
  .record({
    level: fc.nat(9),
    min: fc.integer({ min: 1, max: TXID_COUNT }),
    length: fc.integer({ min: 0, max: 5 }),
    sizeBytes: fc.constantFrom(50, 1000, 1000, 1000),
  })
  .map(({ level, min, length, sizeBytes }) =>
    file(level, level === 9 ? 1 : min, Math.min(min + length, TXID_COUNT), { sizeBytes }),
  );
const anyFiles = fc.uniqueArray(anyFile, {
  minLength: 1,
  maxLength: 14,
  selector: ({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`,
});

/** Highest of the states that any order of applicable files leads to. */
function furthestOf(files: readonly LTXFileInfo[]): bigint {
  const usable = files.filter(({ sizeBytes }) => sizeBytes >= 100);
  const states = new Set<bigint>();
  const open: bigint[] = [0n];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (states.has(state)) continue;
    states.add(state);
    for (const { minTXID, maxTXID } of usable) {
      if (minTXID <= state + 1n && maxTXID > state) open.push(maxTXID);
    }
  }
  return [...states].reduce((highest, state) => (state > highest ? state : highest), 0n);
}

test('the reach of any set of files equals that of an exhaustive search', () => {
  fc.assert(
    fc.property(anyFiles, (files) => {
      expect(reachOf(FileSet.of(files).levels).reached).toBe(furthestOf(files));
    }),
    { numRuns: RUNS },
  );
});

test('files are missing if and only if a restore of the newest state has no plan', () => {
  fc.assert(
    fc.property(anyFiles, (files) => {
      const { missing } = reachOf(FileSet.of(files).levels);
      let failure: unknown;
      try {
        planRestore(files, { kind: 'latest' });
      } catch (error) {
        failure = error;
      }
      expect(missing !== undefined).toBe(failure !== undefined);
    }),
    { numRuns: RUNS },
  );
});

describe('missing files are named', () => {
  const reach = (...files: LTXFileInfo[]): ReturnType<typeof reachOf> =>
    reachOf(FileSet.of(files).levels);

  test('a gap between two files', () => {
    const { reached, missing } = reach(file(0, 1, 1), file(0, 2, 2), file(0, 6, 6), file(0, 7, 7));
    expect(reached).toBe(2n);
    expect(missing).toEqual({ from: 3n, to: 5n });
  });

  test('a missing first snapshot', () => {
    expect(reach(file(0, 4, 4), file(0, 5, 5))).toEqual({
      reached: 0n,
      missing: { from: 1n, to: 3n },
    });
  });

  test('a file that is too short to be an LTX file', () => {
    const files = [file(0, 1, 1), file(0, 2, 2, { sizeBytes: 99 })];
    expect(reach(...files)).toEqual({ reached: 1n, missing: { from: 2n, to: 2n } });
  });

  test('nothing, if a file of another level spans the gap', () => {
    const files = [file(0, 1, 1), file(0, 4, 4), file(1, 1, 3)];
    expect(reach(...files)).toEqual({ reached: 4n, missing: undefined });
  });
});

test('100,000 files take a fraction of a second', () => {
  const set = new FileSet();
  for (let txid = 1; txid <= 100_000; txid++) set.add(file(0, txid, txid));
  const began = performance.now();
  expect(reachOf(set.levels)).toEqual({ reached: 100_000n, missing: undefined });
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(formatTXID(toTXID(set.highest))).toBe('00000000000186a0');
});
