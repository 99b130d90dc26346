/** What may be deleted: named examples, and a week of a busy database. */

import { describe, expect, test } from 'vitest';
import { reachableTXIDs } from '../../src/history/chain.ts';
import { objectionTo } from '../../src/history/retention-guard.ts';
import { RETENTION_DEFAULTS, type RetentionPolicy } from '../../src/history/retention-policy.ts';
import { decideRetention } from '../../src/history/retention.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { file, names } from '../restore/files.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const POLICY: RetentionPolicy = {
  retentionMs: DAY_MS,
  l0RetentionMs: 5 * MINUTE_MS,
  topLevel: 3,
};

/** A file written `hours` after the beginning. */
function at(hours: number, level: number, min: number, max: number): LTXFileInfo {
  return file(level, min, max, { modifiedAt: new Date(hours * HOUR_MS) });
}

function deletedAt(
  hours: number,
  files: readonly LTXFileInfo[],
  policy: RetentionPolicy = POLICY,
): string {
  const { deletes, objection } = decideRetention({ files, nowMs: hours * HOUR_MS, policy });
  expect(objection).toBeUndefined();
  return names(deletes);
}

describe('the horizon', () => {
  const files = [at(0, 9, 1, 1), at(1, 0, 2, 2), at(2, 0, 3, 3), at(2, 9, 1, 3), at(3, 0, 4, 4)];

  test('is the newest snapshot that is older than the retention and an hour', () => {
    expect(deletedAt(2 + 24 + 0.99, files)).toBe('');
    expect(deletedAt(2 + 24 + 1, files)).toBe('9/1-1 0/2-2 0/3-3');
  });

  test('is never without a snapshot of that age, however old the files are', () => {
    expect(deletedAt(10_000, [at(0, 9, 1, 1), at(1, 0, 2, 2), at(2, 0, 3, 3)])).toBe('');
  });

  test('is not a snapshot that cannot be used, or whose time is earlier than that of its increments', () => {
    const short = files.map((each) =>
      each.maxTXID === 3n && each.level === 9 ? { ...each, sizeBytes: 50 } : each,
    );
    expect(deletedAt(1_000, short)).toBe('');
    // The clock of the server was wrong when the snapshot was written.
    const wrong = [
      at(99, 9, 1, 1),
      at(100, 0, 2, 2),
      at(100, 0, 3, 3),
      at(0, 9, 1, 3),
      at(101, 0, 4, 4),
    ];
    expect(deletedAt(102, wrong)).toBe('');
  });

  test('keeps a file that reaches beyond it', () => {
    const across = [at(0, 9, 1, 1), at(1, 1, 2, 4), at(1, 9, 1, 3), at(2, 0, 5, 5)];
    expect(deletedAt(100, across)).toBe('9/1-1');
  });
});

describe('a full snapshot at level 1, after which the level continues', () => {
  /** Level 1 has not merged 3 and 4 when the snapshot at 5 is written to it. `sizeBytes`: of its copy at level 1. */
  const files = (sizeBytes: number): LTXFileInfo[] => [
    ...[at(0, 9, 1, 1), at(0, 0, 1, 1), at(1, 0, 2, 2), at(1, 1, 2, 2)],
    ...[at(2, 0, 3, 3), at(2, 0, 4, 4), at(3, 0, 5, 5)],
    { ...at(3, 9, 1, 5), sizeBytes: 5_000 },
    { ...at(3, 1, 3, 5), sizeBytes },
    ...[at(4, 0, 6, 6), at(4, 1, 6, 6), at(5, 0, 7, 7)],
  ];

  test('does not replace the states before it, which only level 0 has', () => {
    expect(deletedAt(8, files(5_000))).toBe('0/1-1 0/2-2 0/5-5 0/6-6');
    const short = files(5_000).map((each) =>
      each.level === 9 && each.maxTXID === 5n ? { ...each, sizeBytes: 0 } : each,
    );
    expect(deletedAt(8, short)).toBe('0/1-1 0/2-2 0/6-6');
    expect(deletedAt(8, files(900))).toBe('0/1-1 0/2-2 0/3-3 0/4-4 0/5-5 0/6-6');
  });

  test('is no reason for the guard either', () => {
    const deletes = (all: readonly LTXFileInfo[]): LTXFileInfo[] =>
      all.filter(({ level, maxTXID }) => level === 0 && maxTXID < 5n);
    for (const [sizeBytes, isRefused] of [
      [5_000, true],
      [900, false],
    ] as const) {
      const all = files(sizeBytes);
      const input = { files: all, nowMs: 8 * HOUR_MS, policy: POLICY };
      expect(objectionTo(input, deletes(all)) !== undefined).toBe(isRefused);
    }
  });
});

describe('level 0', () => {
  const files = [
    ...[
      at(0, 9, 1, 1),
      at(0, 0, 1, 1),
      at(1, 0, 2, 2),
      at(1, 0, 3, 3),
      at(2, 0, 4, 4),
      at(2, 0, 5, 5),
    ],
    at(2, 1, 2, 3),
  ];

  test('goes an hour after a merged file covers it', () => {
    expect(deletedAt(2.99, files)).toBe('');
    expect(deletedAt(3, files)).toBe('0/1-1 0/2-2 0/3-3');
    expect(deletedAt(23, [...files, at(22, 1, 4, 4)])).toBe('0/1-1 0/2-2 0/3-3 0/4-4');
  });

  test('stays where only a larger file than those of level 1 covers it, and does not keep the files after it', () => {
    const larger = [
      ...[at(0, 9, 1, 1), at(0, 0, 1, 1), at(1, 0, 2, 2), at(1, 1, 2, 2), at(1, 0, 3, 3)],
      ...[at(1, 0, 4, 4), at(2, 2, 2, 4), at(2, 0, 5, 5), at(2, 1, 5, 5), at(2, 0, 6, 6)],
    ];
    expect(deletedAt(8, larger)).toBe('0/1-1 0/2-2 0/5-5');
    const given = { files: larger, nowMs: 8 * HOUR_MS, policy: POLICY };
    const inside = larger.filter((each) => names([each]) === '0/3-3');
    expect(objectionTo(given, inside)).toContain('0000000000000003 could not be restored');
  });

  test('stays where no merged file covers it, and does not keep the files after it', () => {
    const begun = [
      ...[at(0, 9, 1, 1), at(0, 0, 1, 1), at(1, 0, 2, 2), at(1, 0, 3, 3), at(1, 9, 1, 3)],
      ...[at(2, 0, 4, 4), at(2, 1, 4, 4), at(2, 0, 5, 5)],
    ];
    expect(deletedAt(8, begun)).toBe('0/1-1 0/3-3 0/4-4');
  });

  test('stays as long as configured: longer than an hour, or for ever', () => {
    expect(deletedAt(9, files, { ...POLICY, l0RetentionMs: 7 * HOUR_MS })).toBe(
      '0/1-1 0/2-2 0/3-3',
    );
    expect(deletedAt(8.9, files, { ...POLICY, l0RetentionMs: 7 * HOUR_MS })).toBe('0/1-1 0/2-2');
    expect(deletedAt(20, files, { ...POLICY, l0RetentionMs: Infinity })).toBe('');
    const later = [...files, at(30, 9, 1, 5), at(31, 0, 6, 6)];
    expect(deletedAt(60, later, { ...POLICY, l0RetentionMs: Infinity })).toContain('0/5-5');
  });

  test('goes from its old end only, and never its newest file', () => {
    expect(deletedAt(20, [...files, at(3, 1, 5, 5)])).toBe('0/1-1 0/2-2 0/3-3');
    expect(deletedAt(20, [...files, at(3, 1, 4, 5)])).toBe('0/1-1 0/2-2 0/3-3 0/4-4');
  });

  test('stays without level 1, because a snapshot has one state only', () => {
    const unmerged = files.filter(({ level }) => level !== 1);
    expect(deletedAt(20, [...unmerged, at(3, 9, 1, 5)])).toBe('');
  });

  test('goes with an image that merges begin after, once its snapshot replaces it', () => {
    const images = [at(0, 9, 1, 7), at(0, 0, 7, 7), at(1, 0, 8, 8), at(1, 0, 9, 9), at(1, 1, 8, 8)];
    expect(deletedAt(2, images)).toBe('0/7-7 0/8-8');
    expect(
      deletedAt(
        2,
        images.filter(({ level }) => level !== 9),
      ),
    ).toBe('');
  });
});

describe('levels 2 and 3', () => {
  const level1 = [2, 3, 4, 5, 6, 7].map((txid) => at(txid, 1, txid, txid));
  const files = [at(0, 9, 1, 1), ...level1, at(4, 2, 2, 4), at(7, 2, 5, 7), at(8, 0, 8, 8)];

  test('go an hour after a larger file or a later snapshot makes them useless, and not before they are merged', () => {
    expect(deletedAt(20, files)).toBe('');
    expect(deletedAt(20, [...files, at(7, 3, 2, 7)])).toBe('2/2-4');
    const snapshot = [...files, at(8, 9, 1, 8), at(10, 2, 8, 9)];
    expect(deletedAt(20, snapshot)).toBe('');
    expect(deletedAt(20, snapshot, { ...POLICY, topLevel: 2 })).toBe('2/2-4 2/5-7');
    expect(deletedAt(20, [...snapshot, at(9, 3, 2, 4)])).toBe('2/2-4');
    expect(deletedAt(8.5, [...files, at(8, 9, 1, 8), at(8, 2, 8, 9)])).toBe('');
  });

  test('stay where level 1 does not have their states', () => {
    const hole = files.filter(({ level, maxTXID }) => level !== 1 || maxTXID !== 3n);
    expect(deletedAt(20, [...hole, at(7, 3, 2, 7)])).toBe('');
  });
});

test('the guard objects to the loss of the newest file of a level, of a state, and to a gap', () => {
  const files = [
    at(0, 9, 1, 1),
    at(1, 0, 2, 2),
    at(1, 1, 2, 2),
    at(2, 0, 3, 3),
    at(3, 1, 3, 4),
    at(4, 0, 4, 4),
    at(4, 0, 5, 5),
    at(4, 9, 1, 5),
  ];
  const objection = (...given: string[]): string | undefined =>
    objectionTo(
      { files, nowMs: 10 * HOUR_MS, policy: POLICY },
      files.filter((each) => given.includes(names([each]))),
    );
  expect(objection('0/5-5')).toContain('newest of level 0');
  expect(objection('9/1-5', '1/3-4')).toContain('newest of level');
  expect(objection('9/1-1')).toContain('0000000000000001 could not be restored');
  expect(objection('0/2-2', '1/2-2')).toContain('0000000000000002 could not be restored');
  expect(objection('0/3-3', '0/4-4')).toBeUndefined();
  // State 5 stays, because of its snapshot, but what was between would look lost.
  const replaced = [at(1, 9, 1, 2), at(2, 1, 3, 5), at(2, 9, 1, 5), at(3, 1, 6, 6)];
  const gap = objectionTo(
    { files: replaced, nowMs: 10 * HOUR_MS, policy: POLICY },
    replaced.slice(1, 2),
  );
  expect(gap).toContain('a gap would appear after 0000000000000002');
  const beforeGap = [at(1, 9, 1, 2), at(2, 0, 3, 3), at(2, 0, 7, 7)];
  const newest = objectionTo(
    { files: beforeGap, nowMs: 10 * HOUR_MS, policy: POLICY },
    beforeGap.slice(1, 2),
  );
  expect(newest).toContain('the newest state 0000000000000003 could not be restored');
  expect(objectionTo({ files, nowMs: 0, policy: POLICY }, [at(0, 0, 9, 9)])).toContain('not known');
});

test('a busy week: half the bytes of Litestream, with the same resolution of 30 s', () => {
  const week = simulateWeek(RETENTION_DEFAULTS);
  expect(week.ours.resolutionMs).toBe(30_000);
  expect(week.ours.windowMs).toBeGreaterThanOrEqual(3 * DAY_MS);
  expect(week.ours.bytes / week.litestream.bytes).toBeLessThan(0.5);
});

interface Kept {
  readonly bytes: number;
  /** Largest time between two states, except in the last day. */
  readonly resolutionMs: number;
  readonly windowMs: number;
}

const SECONDS_A_DAY = 86_400;
const PAGE_BYTES = 4_096;
/** A file of level 0 every 15 s; each changes 10 pages, of which 9 are not changed again within an hour. */
const STEP_SECONDS = 15;
const PAGES = 10;
const DATABASE_BYTES = 64 * 1024 * 1024;
const MERGES: readonly [level: number, seconds: number][] = [
  [1, 30],
  [2, 300],
  [3, 3_600],
];

/** A week of merges and of a snapshot a day, and the average of what is kept on the last day. */
function simulateWeek(policy: RetentionPolicy): { ours: Kept; litestream: Kept } {
  let ours: LTXFileInfo[] = [];
  let theirs: LTXFileInfo[] = [];
  const bytes = { ours: 0, theirs: 0, samples: 0 };
  for (let second = STEP_SECONDS; second <= 7 * SECONDS_A_DAY; second += STEP_SECONDS) {
    const txid = second / STEP_SECONDS;
    const modifiedAt = new Date(second * 1_000);
    const written = [file(0, txid, txid, { modifiedAt, sizeBytes: PAGES * PAGE_BYTES })];
    for (const [level, seconds] of MERGES) {
      if (second % seconds !== 0) continue;
      const inputs = seconds / STEP_SECONDS;
      const sizeBytes = (inputs * (PAGES - 1) + 1) * PAGE_BYTES;
      written.push(file(level, txid - inputs + 1, txid, { modifiedAt, sizeBytes }));
    }
    if (second % SECONDS_A_DAY === 0 || txid === 1) {
      written.push(file(9, 1, txid, { modifiedAt, sizeBytes: DATABASE_BYTES }));
    }
    ours.push(...written);
    theirs.push(...written);
    if (second % 3_600 !== 0 || second < 5 * SECONDS_A_DAY) continue;
    const { deletes, objection } = decideRetention({ files: ours, nowMs: second * 1_000, policy });
    expect(objection).toBeUndefined();
    const gone = new Set(deletes);
    ours = ours.filter((each) => !gone.has(each));
    theirs = afterLitestream(theirs, second * 1_000, policy);
    if (second < 6 * SECONDS_A_DAY) continue;
    bytes.ours += sizeOf(ours);
    bytes.theirs += sizeOf(theirs);
    bytes.samples += 1;
  }
  return {
    ours: { ...measure(ours), bytes: bytes.ours / bytes.samples },
    litestream: { ...measure(theirs), bytes: bytes.theirs / bytes.samples },
  };
}

/** Litestream 0.5: level 0 by age and level 1; snapshots by age; levels 1 to 3 by the snapshot before the first kept one. */
function afterLitestream(
  files: readonly LTXFileInfo[],
  nowMs: number,
  { retentionMs, l0RetentionMs }: RetentionPolicy,
): LTXFileInfo[] {
  const age = ({ modifiedAt }: LTXFileInfo): number => nowMs - modifiedAt.getTime();
  const snapshots = files.filter(({ level }) => level === 9);
  const keptSnapshots = snapshots.filter(
    (each, index) => age(each) < retentionMs || index === snapshots.length - 1,
  );
  const floor = snapshots.filter((each) => !keptSnapshots.includes(each)).at(-1)?.maxTXID ?? 0n;
  return files.filter((each) => {
    if (each.level === 9) return keptSnapshots.includes(each);
    if (each.level === 0) return age(each) <= l0RetentionMs;
    return each.maxTXID >= floor;
  });
}

function sizeOf(files: readonly LTXFileInfo[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function measure(files: readonly LTXFileInfo[]): Omit<Kept, 'bytes'> {
  const states = reachableTXIDs(files).map((txid) => Number(txid) * STEP_SECONDS * 1_000);
  const endMs = states.at(-1) ?? 0;
  const old = states.filter((ms) => ms <= endMs - DAY_MS);
  const steps = old.slice(1).map((ms, index) => ms - (old[index] ?? 0));
  return { resolutionMs: Math.max(...steps), windowMs: endMs - (states[0] ?? 0) };
}
