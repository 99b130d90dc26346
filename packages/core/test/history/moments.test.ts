/** Histories of typical buckets, and how many headers they need. */

import { expect, test } from 'vitest';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import {
  reportHistory,
  type HistoryOptions,
  type HistoryReport,
} from '../../src/restore/plan/read-history.ts';
import { file, timeOf } from '../restore/files.ts';
import { runTimeSearch } from '../restore/time-search.ts';

interface Asked {
  readonly report: Omit<HistoryReport, 'unreadable'>;
  readonly headers: number;
}

function ask(files: readonly LTXFileInfo[], options: HistoryOptions = {}): Asked {
  let headers = 0;
  const report = runTimeSearch(reportHistory(files, options), (each) => {
    headers += 1;
    return each.createdAt as Date;
  });
  return { report, headers };
}

const increments = (from: number, to: number): LTXFileInfo[] =>
  Array.from({ length: to - from + 1 }, (_, index) => file(0, from + index, from + index));
const merged = (level: number, from: number, to: number, each: number): LTXFileInfo[] =>
  Array.from({ length: (to - from + 1) / each }, (_, index) =>
    file(level, from + index * each, from + index * each + each - 1),
  );

/** Old files are merged, new ones are not, and two are missing before the last snapshot. */
const bucket = [
  file(9, 1, 100),
  ...merged(2, 101, 160, 20),
  ...merged(1, 161, 180, 5),
  ...increments(176, 200),
  ...increments(203, 209),
  file(9, 1, 210),
  ...increments(211, 220),
];

test('spans have the resolution of the level with the most moments', () => {
  const { spans, moments } = ask(bucket).report;
  expect(
    spans.newest.map(({ level, first, last, steps }) => [level, first.txid, last.txid, steps]),
  ).toEqual([
    [0, 210n, 220n, 10],
    [0, 175n, 200n, 25],
    [1, 160n, 175n, 3],
    [2, 100n, 160n, 3],
  ]);
  expect(moments).toEqual({ newest: [], total: 1 + 3 + 3 + 25 + 1 + 10 });
});

test('a gap has its TXIDs, and the states beside it with their times', () => {
  expect(ask(bucket).report.gaps).toEqual({
    newest: [
      {
        fromTXID: 201n,
        toTXID: 209n,
        before: { txid: 200n, at: timeOf(200) },
        after: { txid: 210n, at: timeOf(210) },
      },
    ],
    total: 1,
  });
});

test('files after the last state are a gap without end', () => {
  const [gap] = ask([file(9, 1, 3), ...increments(5, 9)]).report.gaps.newest;
  expect(gap).toEqual({
    fromTXID: 4n,
    toTXID: 9n,
    before: { txid: 3n, at: timeOf(3) },
    after: undefined,
  });
});

test('a snapshot inside a merged file is one more moment, not a gap', () => {
  const { gaps, spans } = ask([file(9, 1, 1), file(9, 1, 5), file(1, 2, 3), file(1, 4, 8)]).report;
  expect(gaps.total).toBe(0);
  expect(spans.newest).toMatchObject([{ level: 1, first: { txid: 1n }, last: { txid: 8n } }]);
});

test('files are counted and summed by level, also those that lead nowhere', () => {
  const { levels, snapshots } = ask(bucket).report;
  expect(levels.map(({ level, files }) => [level, files])).toEqual([
    [0, 42],
    [1, 4],
    [2, 3],
    [9, 2],
  ]);
  const sizeBytes = 2_000 + 99 + 209;
  expect(levels.at(-1)).toEqual({ level: 9, files: 2, sizeBytes });
  expect(snapshots.newest.map(({ txid }) => txid)).toEqual([210n, 100n]);
});

test('files without a state are an error that names what is missing', () => {
  expect(() => ask(increments(5, 9))).toThrow(
    expect.objectContaining({
      code: 'RESTORE_GAP',
      message: expect.stringContaining('is missing') as string,
    }),
  );
});

test('the number of headers does not grow with the number of files', () => {
  const many = [file(9, 1, 1), ...increments(2, 6_000)];
  expect(ask(many).headers).toBeLessThanOrEqual(3);
  const narrowed = ask(many, { since: timeOf(4_000), until: timeOf(4_500), momentsMax: 10 });
  expect(narrowed.report.moments.newest.map(({ txid }) => txid)).toEqual(
    Array.from({ length: 10 }, (_, index) => BigInt(4_500 - index)),
  );
  expect(narrowed.report.moments.total).toBe(501);
  expect(narrowed.headers).toBeLessThanOrEqual(2 * 64 + 12);
});

test('each of many gaps has its times, up to the newest hundred', () => {
  const holes = Array.from({ length: 300 }, (_, index) => file(9, 1, 1 + index * 3));
  const { report, headers } = ask(holes);
  expect([report.gaps.newest.length, report.gaps.total]).toEqual([100, 299]);
  expect(report.gaps.newest[0]?.after?.txid).toBe(898n);
  expect(headers).toBeLessThanOrEqual(102);
});

test('listed times that contradict each other are named', () => {
  const ahead = new Date(timeOf(5).getTime() + 365 * 86_400_000);
  const files = [
    file(9, 1, 1),
    ...increments(2, 4),
    file(0, 5, 5, { createdAt: ahead }),
    ...increments(6, 9),
  ];
  expect(ask(files, { momentsMax: 100 }).report.doubt).toMatch(
    /^file times contradict each other: TXID 0000000000000005 is dated 2024-/,
  );
  expect(ask(files, { momentsMax: 4 }).report.doubt).toBeUndefined();
  expect(ask(bucket, { momentsMax: 100 }).report.doubt).toBeUndefined();
});
