/** The timeline of a history, and its text. */

import { expect, test } from 'vitest';
import type { HistoryReport } from '@sluice/core';
import type { TXID } from '@sluice/core/ltx';
import { describeHistory } from '../src/history/text.ts';
import { drawTimeline } from '../src/history/timeline.ts';

const START = Date.UTC(2026, 10, 29, 12);
const state = (txid: number): { txid: TXID; at: Date } => ({
  txid: BigInt(txid) as TXID,
  at: new Date(START + txid * 60_000),
});
const listOf = <Item>(...newest: Item[]): { newest: Item[]; total: number } => ({
  newest,
  total: newest.length,
});
const span = (level: number, first: number, last: number, steps = last - first): never =>
  ({ level, first: state(first), last: state(last), steps }) as never;

/** Forty minutes: merged files, then every commit, a gap, and every commit again. */
const report: HistoryReport = {
  first: state(0),
  newest: state(40),
  moments: { newest: [], total: 31 },
  spans: listOf(span(0, 30, 40), span(0, 15, 20), span(1, 0, 15, 15)),
  gaps: listOf({ fromTXID: 21n, toTXID: 29n, before: state(20), after: state(30) }),
  snapshots: listOf({ ...state(30), sizeBytes: 2_048 }, { ...state(0), sizeBytes: 1_024 }),
  levels: [
    { level: 0, files: 16, sizeBytes: 4_096 },
    { level: 9, files: 2, sizeBytes: 3_072 },
  ],
  doubt: undefined,
  unreadable: [],
};

test('each column shows the best resolution, snapshots and gaps', () => {
  const { line, legend } = drawTimeline(report, 41);
  expect(line).toBe('S11111111111111000000!!!!!!!!!S0000000000');
  expect(legend).toBe('!: gap, 0: files of level 0, 1: files of level 1, S: snapshot');
});

test('in few columns a gap is still visible', () => {
  expect(drawTimeline(report, 4).line).toBe('S00!');
  const tiny = {
    ...report,
    gaps: listOf({ fromTXID: 21n, toTXID: 21n, before: state(20), after: state(21) }),
  };
  expect(drawTimeline(tiny, 10).line).toContain('!');
});

test('a gap without end reaches to the right edge', () => {
  const open = {
    ...report,
    spans: listOf(span(0, 0, 20)),
    snapshots: listOf<never>(),
    newest: state(20),
    gaps: listOf({ fromTXID: 21n, toTXID: 29n, before: state(20), after: undefined }),
  };
  expect(drawTimeline(open, 10).line).toBe('000000000!');
});

test('a span is drawn whole, even if it has fewer files than columns', () => {
  const idle = {
    ...report,
    spans: listOf(span(0, 0, 40, 2)),
    gaps: listOf<never>(),
    snapshots: listOf<never>(),
  };
  expect(drawTimeline(idle, 5).line).toBe('00000');
});

test('what the report leaves out is not drawn', () => {
  const { line, legend } = drawTimeline(
    { ...report, spans: listOf(span(0, 30, 40)), snapshots: listOf<never>() },
    9,
  );
  expect(line).toBe('.....!000');
  expect(legend).toBe('!: gap, .: older, not drawn, 0: files of level 0');
});

test('a history of one moment is one character', () => {
  const one = { ...report, newest: state(0), spans: listOf(span(9, 0, 0)), gaps: listOf<never>() };
  const snapshots = listOf({ ...state(0), sizeBytes: 1 });
  expect(drawTimeline({ ...one, snapshots }, 40).line).toBe('S');
});

test('the text has the bounds, the resolution, gaps, snapshots and sizes, and fits the width', () => {
  const lines = describeHistory(report, 60);
  expect(lines).toEqual([
    '31 moments, from 2026-11-29T12:00:00.000Z (TXID 0000000000000000) to 2026-11-29T12:40:00.000Z (TXID 0000000000000028)',
    '  2026-11-29T12:00:00Z                2026-11-29T12:40:00Z',
    expect.stringMatching(/^ {2}S1+0+!+S0+$/),
    '  !: gap, 0: files of level 0, 1: files of level 1, S: snapshot',
    '  resolution:',
    '    2026-11-29T12:30:00.000Z to 2026-11-29T12:40:00.000Z: level 0, 10 files, a moment every 1m on average',
    '    2026-11-29T12:15:00.000Z to 2026-11-29T12:20:00.000Z: level 0, 5 files, a moment every 1m on average',
    '    2026-11-29T12:00:00.000Z to 2026-11-29T12:15:00.000Z: level 1, 15 files, a moment every 1m on average',
    '  gaps:',
    '    TXID 0000000000000015 to 000000000000001d cannot be restored: after 2026-11-29T12:20:00.000Z ' +
      '(TXID 0000000000000014), before 2026-11-29T12:30:00.000Z (TXID 000000000000001e)',
    '  snapshots:',
    '    2026-11-29T12:30:00.000Z (TXID 000000000000001e), 2 KiB',
    '    2026-11-29T12:00:00.000Z (TXID 0000000000000000), 1 KiB',
    '  files: level 0: 16, 4 KiB; level 9: 2, 3 KiB',
  ]);
  expect(lines[2]).toHaveLength(58);
});

test('a limited list of moments names its limit', () => {
  const newest = [40, 39].map((txid) => ({ ...state(txid), level: 0 }));
  const lines = describeHistory({ ...report, moments: { newest, total: 31 } }, 80);
  expect(lines.slice(-3)).toEqual([
    '  moments, newest first (the newest 2 of 31; for others, use -until, or raise -limit):',
    '    2026-11-29T12:40:00.000Z  TXID 0000000000000028  level 0',
    '    2026-11-29T12:39:00.000Z  TXID 0000000000000027  level 0',
  ]);
});
