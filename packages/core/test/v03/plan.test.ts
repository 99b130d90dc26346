import { describe, expect, test } from 'vitest';
import type { Generation, V03Segment, V03Snapshot } from '../../src/v03/generations.ts';
import { planV03, type V03Target } from '../../src/v03/plan.ts';
import { newestLayout } from '../../src/v03/survey.ts';

const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

const at = (seconds: number): Date => new Date(seconds * 1_000);

/** Snapshots as [index, seconds], segments as [index, offset, seconds]. */
function generation(
  id: string,
  snapshots: readonly (readonly [number, number])[],
  segments: readonly (readonly [number, number, number])[] = [],
  unknown: readonly string[] = [],
): Generation {
  const own = { generation: id, key: '', sizeBytes: 10 };
  const times = [...snapshots.map(([, time]) => time), ...segments.map(([, , time]) => time)];
  return {
    id,
    snapshots: snapshots.map(([index, time]): V03Snapshot => ({
      ...own,
      kind: 'snapshot',
      key: `${id}${index}`,
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
    unknown,
    createdAt: at(Math.min(...times)),
    updatedAt: at(Math.max(...times)),
  };
}

/** "aaaaaaaaaaaaaaaa 2: 2/0 2/100 3/0 @40" */
function planned(generations: readonly Generation[], target: V03Target): string {
  const plan = planV03(generations, target);
  const segments = plan.segments.map(({ index, offset }) => `${index}/${offset}`);
  const words = [plan.generation.id, `${plan.snapshot.index}:`, ...segments];
  return [...words, `@${plan.at.getTime() / 1_000}`].join(' ');
}

const WALS = [
  [0, 0, 1],
  [0, 100, 2],
  [1, 0, 3],
  [1, 100, 5],
  [2, 0, 6],
] as const;
const one = generation(
  A,
  [
    [0, 0],
    [1, 4],
  ],
  WALS,
);

describe('a plan', () => {
  test.each<[V03Target, string]>([
    [{}, `${A} 1: 1/0 1/100 2/0 @6`],
    [{ at: at(6) }, `${A} 1: 1/0 1/100 2/0 @6`],
    [{ at: at(60) }, `${A} 1: 1/0 1/100 2/0 @6`],
    [{ at: at(5) }, `${A} 1: 1/0 1/100 @5`],
    // The snapshot with index 1 may contain pages of 1/100.
    [{ at: at(4) }, `${A} 0: 0/0 0/100 1/0 @3`],
    [{ at: at(3) }, `${A} 0: 0/0 0/100 1/0 @3`],
    [{ at: at(0) }, `${A} 0: @0`],
    [{ index: 0, generation: A }, `${A} 0: 0/0 0/100 @2`],
    [{ index: 1, generation: A }, `${A} 1: 1/0 1/100 @5`],
    [{ index: 2, generation: A }, `${A} 1: 1/0 1/100 2/0 @6`],
  ])('for %j is %s', (target, expected) => {
    expect(planned([one], target)).toBe(expected);
  });

  test('within the WAL of a snapshot uses that snapshot only if no earlier one leads there', () => {
    const without = WALS.filter(([index]) => index > 0);
    const snapshots = [
      [0, 0],
      [1, 4],
    ] as const;
    expect(planned([generation(A, snapshots, without)], { at: at(4) })).toBe(`${A} 1: 1/0 @3`);
    expect(planned([generation(A, snapshots.slice(1), WALS)], { at: at(4) })).toBe(
      `${A} 1: 1/0 @3`,
    );
  });

  test('is only the snapshot if all WALs are older', () => {
    expect(planned([generation(A, [[7, 9]], WALS)], {})).toBe(`${A} 7: @9`);
  });

  test('uses the generation with the latest upload, of those that had begun', () => {
    const other = generation(B, [[0, 2]], [[0, 0, 4]]);
    expect(planned([other, one], {})).toMatch(A);
    expect(planned([other, one], { at: at(3) })).toMatch(A);
    expect(planned([other, one], { generation: B })).toBe(`${B} 0: 0/0 @4`);
    const later = generation(B, [[0, 20]]);
    expect(planned([one, later], {})).toMatch(B);
    expect(planned([one, later], { at: at(3) })).toMatch(A);
    expect(planned([one, later], { at: at(10) })).toBe(`${A} 1: 1/0 1/100 2/0 @6`);
    expect(planV03([one], { at: at(4) }).next).toEqual(at(5));
    expect(planV03([one], { at: at(6) }).next).toBeUndefined();
  });

  test('leaves out a generation that has neither a snapshot nor a WAL', () => {
    const stray = { ...generation(B, [[0, 99]]), snapshots: [], unknown: ['generations/b/c.tmp'] };
    for (const generations of [
      [one, stray],
      [stray, one],
    ]) {
      expect(planned(generations, {})).toMatch(A);
      expect(planned(generations, { at: at(100) })).toMatch(A);
    }
    const act = (): unknown => planned([one, stray], { generation: B });
    expect(act).toThrow(
      /generation b{16} .* has no snapshot .* unknown form: generations\/b\/c.tmp/,
    );
    expect(() => planned([stray], { at: at(0) })).toThrow(/has no snapshot to start from/);
  });

  test('does not use a snapshot that was found to be damaged', () => {
    const plan = planV03([one], {}, ({ key }) => key === `${A}1`);
    expect([plan.snapshot.index, plan.segments.length]).toEqual([0, 5]);
  });

  test.each<[string, Generation[], V03Target, string, RegExp]>([
    ['without generations', [], {}, 'RESTORE_NO_SNAPSHOT', /no backup/],
    ['of an unknown generation', [one], { generation: B }, 'RESTORE_OUT_OF_RANGE', new RegExp(A)],
    [
      'of an index after the last one',
      [one],
      { generation: A, index: 9 },
      'RESTORE_OUT_OF_RANGE',
      /no WAL with index 00000009: the highest index is 00000002/,
    ],
    [
      'of an index that is missing in between',
      [generation(A, [[0, 0]], [...WALS, [4, 0, 9]])],
      { generation: A, index: 3 },
      'RESTORE_GAP',
      /no WAL with index 00000003, .* last index before it is 00000002/,
    ],
    ['before all', [one], { at: at(-1) }, 'RESTORE_OUT_OF_RANGE', /covers .* to .*06.000Z/],
    [
      'before the first snapshot',
      [generation(A, [[1, 4]], WALS)],
      { at: at(3) },
      'RESTORE_OUT_OF_RANGE',
      /first snapshot has index 00000001/,
    ],
    [
      'without snapshots',
      [generation(A, [], WALS)],
      {},
      'RESTORE_GAP',
      /no snapshot to start from/,
    ],
    [
      'of unknown objects',
      [generation(A, [], WALS, ['generations/a/b.age'])],
      {},
      'RESTORE_GAP',
      /objects of unknown form: generations\/a\/b\.age/,
    ],
  ])('%s is an error', (_, generations, target, code, message) => {
    const act = (): unknown => planV03(generations, target);
    expect(act).toThrow(expect.objectContaining({ code }));
    expect(act).toThrow(message);
  });

  test.each([
    [0, '00000000_00000000.wal.lz4 is missing before a{16}/wal/00000000_00000064'],
    [2, '00000001_00000000.wal.lz4 is missing before a{16}/wal/00000001_00000064'],
  ])('without segment %i names what is missing', (left, message) => {
    const segments = WALS.filter((_, place) => place !== left);
    expect(() => planned([generation(A, [[0, 0]], segments)], {})).toThrow(new RegExp(message));
  });

  test('without a whole WAL names it, and the last state before it', () => {
    const gap = generation(
      A,
      [[0, 0]],
      WALS.filter(([index]) => index !== 1),
    );
    const act = (): string => planned([gap], {});
    expect(act).toThrow(/00000001_00000000.wal.lz4 is missing before .*00000002_00000000/);
    expect(act).toThrow(/use -generation a{16} -timestamp 1970-01-01T00:00:02.000Z$/);
    expect(planned([gap], { at: at(2) })).toBe(`${A} 0: 0/0 0/100 @2`);
  });

  test('of objects with one time advises by index', () => {
    const copied = WALS.filter(([index]) => index !== 1).map(
      ([index, offset]) => [index, offset, 1] as const,
    );
    const old = generation(A, [[0, 1]], copied);
    expect(() => planned([old], {})).toThrow(/use -generation a{16} -index 00000000$/);
    expect(planned([old], { generation: A, index: 0 })).toBe(`${A} 0: 0/0 0/100 @1`);
  });
});

test.each([
  ['ltx', 'later', 10, 10, 9],
  ['ltx', 'of equal times', 10, 10, 10],
  ['ltx', 'uploaded later than written', 5, 10, 9],
  ['ltx', 'newer, and copied', 10, 9_999, 9],
  ['v03', 'earlier', 10, 11, 12],
  ['v03', 'uploaded just before the limit', 0, 299, 300],
  ['unclear', 'copied before the last upload of Litestream 0.3', 0, 300, 301],
  ['unclear', 'copied after it', 0, 9_999, 301],
])('the newest layout is %s if the LTX files are %s', (expected, _, written, uploaded, old) => {
  const times = { writtenAt: at(written), uploadedAt: at(uploaded) };
  expect(newestLayout(times, at(old))).toBe(expected);
});
