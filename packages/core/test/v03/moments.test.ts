/** The moments of generations that `sluice history` shows. */

import { expect, test } from 'vitest';
import { pickUpload } from '../../src/drill/restore-v03.ts';
import type { Generation, V03Segment, V03Snapshot } from '../../src/v03/generations.ts';
import { historyOfV03 } from '../../src/v03/moments.ts';

const at = (seconds: number): Date => new Date(seconds * 1_000);

/** Snapshots as [index, seconds], segments as [index, offset, seconds]. */
function generation(
  id: string,
  snapshots: readonly (readonly [number, number])[],
  segments: readonly (readonly [number, number, number])[],
): Generation {
  const own = { generation: id, key: '', sizeBytes: 10 };
  const times = [...snapshots, ...segments].map((each) => each.at(-1) ?? 0);
  return {
    id,
    snapshots: snapshots.map(([index, time]): V03Snapshot => ({
      ...own,
      kind: 'snapshot',
      index,
      modifiedAt: at(time),
    })),
    segments: segments.map(([index, offset, time]): V03Segment => ({
      ...own,
      kind: 'segment',
      index,
      offset,
      modifiedAt: at(time),
    })),
    unknown: [],
    createdAt: at(Math.min(...times)),
    updatedAt: at(Math.max(...times)),
  };
}

const A = generation(
  'a',
  [[0, 1]],
  [
    [0, 0, 2],
    [0, 100, 3],
    [1, 0, 4],
  ],
);
/** WAL 1 is missing: only the state before it and those after the second snapshot remain. */
const GAP = generation(
  'b',
  [
    [0, 10],
    [3, 15],
  ],
  [
    [0, 0, 11],
    [2, 0, 13],
    [3, 0, 16],
  ],
);
const seconds = (moments: readonly { at: Date }[]): number[] =>
  moments.map((moment) => moment.at.getTime() / 1_000);

test('each upload is a moment, newest first, of the newest generation first', () => {
  const history = historyOfV03([A, GAP], { momentsMax: 100 });
  expect(seconds(history.moments)).toEqual([16, 15, 11, 10, 4, 3, 2, 1]);
  expect(history.spans).toEqual([
    {
      generation: 'b',
      first: at(10),
      last: at(16),
      snapshots: 2,
      segments: 3,
      sizeBytes: 50,
    },
    { generation: 'a', first: at(1), last: at(4), snapshots: 1, segments: 3, sizeBytes: 40 },
  ]);
});

test('a range and a limit narrow the moments, not the generations', () => {
  const range = { since: at(2), until: at(11), momentsMax: 3 };
  const history = historyOfV03([A, GAP], range);
  expect(seconds(history.moments)).toEqual([11, 10, 4]);
  expect(history.spans).toHaveLength(2);
});

test('a generation without a snapshot has no moment', () => {
  const broken = generation('c', [], [[0, 0, 1]]);
  const { spans, moments } = historyOfV03([broken], { momentsMax: 10 });
  expect(spans[0]).toMatchObject({ first: undefined, last: undefined, segments: 1 });
  expect(moments).toEqual([]);
});

test('a random state is one that can be restored, and each of them is drawn', () => {
  const drawn = [0, 0.3, 0.5, 0.999].map((fraction) =>
    pickUpload([GAP], { fraction: () => fraction, bits64: () => 0n }),
  );
  expect(drawn.map((target) => (target.at?.getTime() ?? 0) / 1_000)).toEqual([10, 15, 11, 16]);
  expect(drawn[0]?.generation).toBe('b');
});
