/** Which merged files a destination gets: no level has a hole, whatever it missed. */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toTXID } from '../../src/ltx/txid.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import {
  type LevelsView,
  planAll,
  planCatchUp,
  stuckLevels,
} from '../../src/replicate/levels/wanted-merges.ts';
import type { StagedMerge } from '../../src/replicate/levels/merge-files.ts';

const LINEAGE = 7n;

/** [level, minTXID, maxTXID] */
type Name = readonly [number, number, number];

function staged(...names: readonly Name[]): StagedMerge[] {
  return names.map(([level, min, max]) => ({
    level,
    minTXID: toTXID(min),
    maxTXID: toTXID(max),
    path: `/${level}/${min}-${max}`,
    sizeBytes: 100,
    timestampMs: max,
    lineage: LINEAGE,
    pageSize: 512,
  }));
}

function viewOf(...names: readonly Name[]): LevelsView {
  const files = FileSet.of(
    names.map(([level, min, max]) => ({
      level,
      minTXID: toTXID(min),
      maxTXID: toTXID(max),
      sizeBytes: 100,
      modifiedAt: new Date(0),
    })),
  );
  return { files, highest: files.highest, lineage: LINEAGE, since: 0n };
}

function namesOf({ files }: { readonly files: readonly StagedMerge[] }): string[] {
  return files.map(({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`);
}

const SEEDED: readonly Name[] = [
  [0, 1, 1],
  [9, 1, 1],
];

describe('the merged files that a destination gets', () => {
  test('begin after its first full snapshot, lower levels first', () => {
    const plan = planAll(viewOf(...SEEDED, [0, 2, 2]), staged([2, 2, 9], [1, 2, 5], [1, 6, 9]));
    expect(namesOf(plan)).toEqual(['1/2-5', '1/6-9', '2/2-9']);
  });

  test('begin where the level below has no hole', () => {
    const view = viewOf([0, 16, 16], [9, 1, 16]);
    expect(namesOf(planAll(view, staged([1, 12, 12], [1, 13, 14], [2, 11, 11])))).toEqual([]);
    const later = staged([1, 13, 14], [1, 15, 18], [2, 11, 17], [3, 11, 14]);
    expect(namesOf(planAll(view, later))).toEqual(['1/15-18', '2/11-17', '3/11-14']);
    const above = staged([1, 52, 53], [2, 50, 50], [3, 50, 50], [2, 51, 53]);
    expect(namesOf(planAll(viewOf([0, 53, 53], [9, 1, 53]), above))).toEqual([
      '1/52-53',
      '2/51-53',
      '3/50-50',
    ]);
  });

  test('begin before a full snapshot that is newer than the first merge', () => {
    const view = viewOf([0, 9, 9], [0, 10, 10], [0, 11, 11], [9, 1, 9], [9, 1, 11]);
    expect(namesOf(planAll(view, staged([1, 10, 10], [1, 11, 11])))).toEqual([
      '1/10-10',
      '1/11-11',
    ]);
  });

  test('do not leave a hole in a level, nor between the snapshot and the first file', () => {
    const view = viewOf(...SEEDED, [1, 2, 5], [0, 20, 20]);
    expect(namesOf(planAll(view, staged([1, 7, 9], [2, 3, 9])))).toEqual([]);
    expect(stuckLevels(view, staged([1, 7, 9]))).toEqual([1]);
    expect(stuckLevels(view, staged([1, 6, 9]))).toEqual([]);
  });

  test('are of the lineage of its newest file', () => {
    const view = { ...viewOf(...SEEDED, [0, 9, 9]), lineage: 8n };
    expect(namesOf(planAll(view, staged([1, 2, 5])))).toEqual([]);
  });

  test('are not from before the full snapshot with which this lineage began there', () => {
    // It has TXID 1 and 2 of another history, which was never listed: the staging folder was lost.
    const view = viewOf([0, 1, 1], [0, 2, 2], [9, 1, 2], [0, 4, 4], [1, 1, 4], [9, 1, 4]);
    expect(namesOf(planAll({ ...view, since: 4n }, staged([2, 2, 3])))).toEqual([]);
    expect(namesOf(planAll({ ...view, since: 4n }, staged([2, 2, 6])))).toEqual(['2/2-6']);
  });

  test('may overlap what it has, but must be newer', () => {
    const view = viewOf(...SEEDED, [1, 2, 5], [0, 9, 9]);
    expect(namesOf(planAll(view, staged([1, 4, 5], [1, 4, 8])))).toEqual(['1/4-8']);
  });

  test('are not those that a higher level there covers, except the newest', () => {
    const view = viewOf(...SEEDED, [1, 2, 2], [2, 2, 9], [0, 9, 9]);
    const files = staged([1, 3, 5], [1, 6, 7], [1, 8, 9], [2, 2, 9]);
    expect(namesOf(planAll(view, files))).toEqual(['1/8-9']);
    expect(stuckLevels(view, files)).toEqual([]);
  });

  test('far behind: higher levels first, and the newest file of each level', () => {
    const view = viewOf(...SEEDED, [0, 2, 2], [1, 2, 2]);
    const files = staged([1, 3, 5], [1, 6, 9], [1, 10, 12], [2, 2, 9], [3, 2, 9]);
    const plan = planCatchUp(view, files);
    expect(namesOf(plan)).toEqual(['3/2-9', '2/2-9', '1/10-12']);
    expect(plan.reached).toBe(12n);
  });
});

/**
 * What Litestream requires to continue: the files of each level that come after the newest file of the
 * level above are contiguous.
 */
function brokenLevels(files: readonly Name[]): number[] {
  const topOf = (level: number): number =>
    Math.max(0, ...files.filter((file) => file[0] === level).map((file) => file[2]));
  return [0, 1, 2].filter((level) => {
    if (topOf(level + 1) === 0) return false; // its first merge reads from the start
    let top = topOf(level + 1);
    const next = files
      .filter((file) => file[0] === level && file[1] > top)
      .sort((a, b) => a[1] - b[1]);
    return next.some(([, min, max]) => {
      const isHole = min > top + 1;
      top = max;
      return isHole;
    });
  });
}

test('after an outage of any length, Litestream can continue, and every state sent is reachable', () => {
  const history = fc.record({
    commits: fc.integer({ min: 5, max: 400 }),
    sizes: fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
    ),
    downFrom: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(history, ({ commits, sizes, downFrom }) => {
      const merged: Name[] = [];
      let source: Name[] = Array.from({ length: commits }, (_, i) => [0, i + 2, i + 2] as const);
      for (const [index, size] of sizes.entries()) {
        const made: Name[] = [];
        for (let at = 0; at + size <= source.length; at += size) {
          const [first, last] = [source[at] as Name, source[at + size - 1] as Name];
          made.push([index + 1, first[1], last[2]]);
        }
        merged.push(...made);
        source = made;
      }
      const files: Name[] = [...SEEDED];
      for (let txid = 2; txid <= Math.min(downFrom, commits + 1); txid++)
        files.push([0, txid, txid]);
      for (const name of merged) if (name[2] <= downFrom) files.push(name);
      const plan = planCatchUp(viewOf(...files), staged(...merged));
      let reached = Number(viewOf(...files).highest);
      for (const { level, minTXID, maxTXID } of plan.files) {
        expect(Number(minTXID)).toBeLessThanOrEqual(reached + 1);
        reached = Math.max(reached, Number(maxTXID));
        files.push([level, Number(minTXID), Number(maxTXID)]);
      }
      expect(BigInt(reached)).toBe(plan.reached);
      for (let txid = reached + 1; txid <= commits + 1; txid++) files.push([0, txid, txid]);
      expect(brokenLevels(files)).toEqual([]);
    }),
  );
});
