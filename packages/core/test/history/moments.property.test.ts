/** What a history shows is true: every moment restores, and nothing in a gap does. Compared with brute force. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { reachableTXIDs } from '../../src/history/chain.ts';
import { toTXID, type TXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { planMoment, planRestore } from '../../src/restore/plan/plan.ts';
import {
  reportHistory,
  type HistoryOptions,
  type HistoryReport,
} from '../../src/restore/plan/read-history.ts';
import { file, timeOf } from '../restore/files.ts';
import { runTimeSearch } from '../restore/time-search.ts';

const TXID_COUNT = 16;
const RUNS = 2_000;

const anyFile = fc
  .record({
    level: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 9)),
    min: fc.integer({ min: 1, max: TXID_COUNT }),
    length: fc.integer({ min: 0, max: 5 }),
    isShort: fc.integer({ min: 0, max: 20 }).map((n) => n === 0),
  })
  .map(({ level, min, length, isShort }) => {
    const max = level === 0 ? min : Math.min(min + length, TXID_COUNT);
    return file(level, level === 9 ? 1 : min, max, isShort ? { sizeBytes: 50 } : {});
  });
const anyFiles = fc.uniqueArray(anyFile, {
  minLength: 1,
  maxLength: 20,
  selector: ({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`,
});
/** A time between two states, or at one. */
const anyTime = fc
  .integer({ min: 0, max: TXID_COUNT * 10 + 20 })
  .map((seconds) => new Date(timeOf(0).getTime() + seconds * 1000));

const clock = (each: LTXFileInfo): Date => each.createdAt as Date;

function reportOf(
  files: readonly LTXFileInfo[],
  options: HistoryOptions,
): Omit<HistoryReport, 'unreadable'> {
  return runTimeSearch(reportHistory(files, { momentsMax: 1_000, ...options }), clock);
}

function restoreAt(files: readonly LTXFileInfo[], at: Date): TXID {
  const { txid } = runTimeSearch(planMoment(files, at), clock);
  return planRestore(files, { kind: 'txid', txid }).txid;
}

function canRestore(files: readonly LTXFileInfo[], txid: bigint): boolean {
  try {
    return planRestore(files, { kind: 'txid', txid: toTXID(txid) }).txid === txid;
  } catch {
    return false;
  }
}

const everyTXID = Array.from({ length: TXID_COUNT }, (_, index) => BigInt(index + 1));
const isRestorable = (files: readonly LTXFileInfo[]): boolean =>
  reachableTXIDs(files.filter(({ sizeBytes }) => sizeBytes >= 100)).length > 0;

test('every moment of a history restores, by TXID and by time, and no other TXID does', () => {
  fc.assert(
    fc.property(anyFiles.filter(isRestorable), (files) => {
      const { moments, first, newest } = reportOf(files, {});
      const shown = moments.newest.map(({ txid }) => txid);
      expect(shown.toReversed()).toEqual(everyTXID.filter((txid) => canRestore(files, txid)));
      expect([newest.txid, first.txid]).toEqual([shown[0], shown.at(-1)]);
      for (const { txid, at } of moments.newest) expect(restoreAt(files, at)).toBe(txid);
    }),
    { numRuns: RUNS },
  );
});

test('nothing in a gap restores, by TXID or by time; between all other states the one before does', () => {
  fc.assert(
    fc.property(anyFiles.filter(isRestorable), (files) => {
      const { moments, gaps } = reportOf(files, {});
      for (const { fromTXID, toTXID, before, after } of gaps.newest) {
        const inside = everyTXID.filter((txid) => txid >= fromTXID && txid <= toTXID);
        expect(inside.filter((txid) => canRestore(files, txid))).toEqual([]);
        const afterMs = after?.at.getTime() ?? timeOf(TXID_COUNT + 1).getTime();
        for (const ms of [(before?.at.getTime() ?? 0) + 1, afterMs - 1]) {
          expect(() => restoreAt(files, new Date(ms))).toThrow();
        }
      }
      const ends = new Set(gaps.newest.map(({ before }) => before?.txid));
      for (const { txid, at } of moments.newest) {
        if (ends.has(txid)) continue;
        expect(restoreAt(files, new Date(at.getTime() + 1))).toBe(txid);
      }
    }),
    { numRuns: RUNS },
  );
});

test('spans and gaps together lead from the first state to the newest one, each state once', () => {
  fc.assert(
    fc.property(anyFiles.filter(isRestorable), (files) => {
      const { moments, spans, gaps, first, newest } = reportOf(files, {});
      const states = moments.newest.map(({ txid }) => txid).toReversed();
      const ascending = spans.newest.toReversed();
      expect(ascending[0]?.first.txid).toBe(first.txid);
      expect(ascending.at(-1)?.last.txid).toBe(newest.txid);
      const gapAfter = new Map(gaps.newest.map(({ before, after }) => [before?.txid, after?.txid]));
      for (const [index, span] of ascending.entries()) {
        const inside = states.filter((txid) => txid >= span.first.txid && txid <= span.last.txid);
        expect(span.steps).toBe(inside.length - 1);
        const next = ascending[index + 1];
        if (next === undefined || next.first.txid === span.last.txid) continue;
        expect(gapAfter.get(span.last.txid)).toBe(next.first.txid);
      }
    }),
    { numRuns: RUNS },
  );
});

test('-since and -until begin and end with the states as of these times', () => {
  fc.assert(
    fc.property(anyFiles.filter(isRestorable), anyTime, anyTime, (files, a, b) => {
      const [since, until] = a < b ? [a, b] : [b, a];
      const states = everyTXID.filter((txid) => canRestore(files, txid));
      const from = states.filter((txid) => timeOf(txid) <= since).at(-1) ?? 0n;
      const expected = states.filter((txid) => txid >= from && timeOf(txid) <= until);
      const report = (): ReturnType<typeof reportOf> => reportOf(files, { since, until });
      if (expected.length === 0) {
        expect(report).toThrow(/the first moment that can be restored/);
        return;
      }
      const { moments, gaps } = report();
      expect(moments.newest.map(({ txid }) => txid).toReversed()).toEqual(expected);
      expect(moments.total).toBe(expected.length);
      const whole = reportOf(files, {}).gaps.newest;
      const isInside = (txid: bigint | undefined): boolean =>
        expected.includes(txid as bigint) || txid === undefined;
      const isOpen = expected.at(-1) === states.at(-1);
      expect(gaps.newest).toEqual(
        whole.filter(
          ({ before, after }) =>
            isInside(before?.txid) && (after === undefined ? isOpen : isInside(after.txid)),
        ),
      );
    }),
    { numRuns: RUNS },
  );
});
