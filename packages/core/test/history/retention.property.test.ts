/** What may be deleted, over random files: compared with a brute-force oracle that knows no rule. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { reachableTXIDs } from '../../src/history/chain.ts';
import { isGap } from '../../src/history/moments.ts';
import { objectionTo } from '../../src/history/retention-guard.ts';
import { DELETE_GRACE_MS, type RetentionPolicy } from '../../src/history/retention-policy.ts';
import { decideRetention } from '../../src/history/retention.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { file, names } from '../restore/files.ts';

const RUNS = 4_000;
const MINUTE_MS = 60_000;
const TXIDS = 24;

const ms = ({ modifiedAt }: LTXFileInfo): number => modifiedAt.getTime();
const isUsable = ({ sizeBytes }: LTXFileInfo): boolean => sizeBytes >= 100;

/** A history as Sluice and Litestream write it, in which files are then missing, damaged or misdated. */
const anyHistory = fc
  .record({
    /** Minutes between TXIDs. */
    steps: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: TXIDS }),
    merges: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 2 }),
    snapshots: fc.array(fc.integer({ min: 1, max: TXIDS }), { maxLength: 5 }),
    seams: fc.array(fc.integer({ min: 1, max: TXIDS }), { maxLength: 2 }),
    lost: fc.array(fc.nat(80), { maxLength: 6 }),
    short: fc.array(fc.nat(80), { maxLength: 2 }),
    misdated: fc.array(
      fc.record({ index: fc.nat(80), minutes: fc.integer({ min: -2_000, max: 600 }) }),
      { maxLength: 3 },
    ),
    strays: fc.array(
      fc.record({
        level: fc.constantFrom(0, 1, 2, 3, 9),
        min: fc.integer({ min: 1, max: TXIDS }),
        length: fc.integer({ min: 0, max: 6 }),
        minutes: fc.integer({ min: 0, max: 600 }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ steps, merges, snapshots, seams, lost, short, misdated, strays }) => {
    const minuteOf = (txid: number): number => steps.slice(0, txid).reduce((a, b) => a + b, 0);
    const at = (minutes: number): Date => new Date(minutes * MINUTE_MS);
    const last = steps.length;
    const files: LTXFileInfo[] = steps.map((_, index) =>
      file(0, index + 1, index + 1, { modifiedAt: at(minuteOf(index + 1)) }),
    );
    files.push(file(9, 1, 1, { modifiedAt: at(minuteOf(1)) }));
    let [each, late] = [1, 1];
    for (const [index, factor] of merges.entries()) {
      each *= factor;
      late *= 3;
      let min = 2;
      for (let max = 1 + each; max <= last; max += each) {
        files.push(file(index + 1, min, max, { modifiedAt: at(minuteOf(max) + late) }));
        min = max + 1;
      }
    }
    for (const max of snapshots) {
      if (max <= last) files.push(file(9, 1, max, { modifiedAt: at(minuteOf(max) + 5) }));
    }
    for (const max of seams) {
      if (max > last) continue;
      const min =
        1 +
        Number(
          files.reduce(
            (top, { level, maxTXID }) =>
              level === 1 && maxTXID < max && maxTXID > top ? maxTXID : top,
            0n,
          ),
        );
      const snapshot = file(9, 1, max, { modifiedAt: at(minuteOf(max) + 1) });
      const { sizeBytes } = snapshot;
      files.push(snapshot, file(1, min, max, { modifiedAt: at(minuteOf(max) + 2), sizeBytes }));
    }
    for (const { level, min, length, minutes } of strays) {
      const max = Math.min(TXIDS, min + length);
      files.push(file(level, level === 9 ? 1 : min, max, { modifiedAt: at(minutes) }));
    }
    const unique = [...new Map(files.map((each) => [names([each]), each])).values()];
    return unique
      .map((each, index) => {
        const shift = misdated.find((one) => one.index === index)?.minutes ?? 0;
        const modifiedAt = new Date(ms(each) + shift * MINUTE_MS);
        const sizeBytes = short.includes(index) ? 50 : each.sizeBytes;
        return { ...each, modifiedAt, sizeBytes };
      })
      .filter((_, index) => !lost.includes(index));
  });

const anyPolicy: fc.Arbitrary<RetentionPolicy> = fc.record({
  retentionMs: fc.constantFrom(0, 30, 120, 400).map((minutes) => minutes * MINUTE_MS),
  l0RetentionMs: fc.constantFrom(0, 5, 90, 200, Infinity).map((minutes) => minutes * MINUTE_MS),
  topLevel: fc.constantFrom(0, 1, 2, 3),
});
const anyNow = fc.integer({ min: 0, max: 1_200 }).map((minutes) => minutes * MINUTE_MS);

/** The newest of `states` as of a time, by the times at which the files were written. */
function stateAsOf(
  files: readonly LTXFileInfo[],
  states: readonly bigint[],
  atMs: number,
): bigint | undefined {
  return states.findLast((txid) => files.every((each) => each.maxTXID > txid || ms(each) <= atMs));
}

function writtenMs(files: readonly LTXFileInfo[], txid: bigint): number {
  return Math.max(...files.filter(({ maxTXID }) => maxTXID <= txid).map(ms));
}

/** Asserts that nothing promised is lost, by trying each time of the window. */
function expectKept(
  before: readonly LTXFileInfo[],
  after: readonly LTXFileInfo[],
  nowMs: number,
  { retentionMs, l0RetentionMs }: RetentionPolicy,
): void {
  const states = reachableTXIDs(before.filter(isUsable));
  const left = reachableTXIDs(after.filter(isUsable));
  const isSnapshot = ({ level, maxTXID, sizeBytes }: LTXFileInfo): boolean =>
    level === 9 ||
    before.some(
      (each) => each.level === 9 && each.maxTXID === maxTXID && each.sizeBytes === sizeBytes,
    );
  /** Level 1 gives up only the states inside its merges. */
  const isInside = (txid: bigint): boolean =>
    before.some(
      (each) =>
        each.level === 1 && each.minTXID <= txid && each.maxTXID > txid && !isSnapshot(each),
    );
  const isEnd = (txid: bigint): boolean =>
    !isInside(txid) ||
    before.some((each) => each.level > 0 && each.maxTXID === txid && isUsable(each));
  const merged = states.filter(isEnd);
  expect(left.filter((txid) => !states.includes(txid))).toEqual([]);
  expect(left.at(-1)).toBe(states.at(-1));
  const beginMs = nowMs - retentionMs - DELETE_GRACE_MS;
  const times = before.map(ms).filter((time) => time > beginMs);
  for (const atMs of [beginMs, ...times]) {
    const found = stateAsOf(before, left, atMs) ?? 0n;
    const exact = stateAsOf(before, states, atMs) ?? 0n;
    const isRecent = writtenMs(before, exact) > nowMs - Math.max(l0RetentionMs, DELETE_GRACE_MS);
    const wanted = isRecent ? exact : (stateAsOf(before, merged, atMs) ?? 0n);
    expect(found >= wanted, `at ${atMs}: ${found} instead of ${wanted}`).toBe(true);
  }
  const first = stateAsOf(before, left, beginMs) ?? 0n;
  for (const [index, state] of left.entries()) {
    const next = left[index + 1];
    if (state < first || next === undefined || !isGap(after.filter(isUsable), state, next))
      continue;
    expect(isGap(before.filter(isUsable), state, next), `a gap after ${state}`).toBe(true);
  }
  for (const level of new Set(before.map((each) => each.level))) {
    const top = (files: readonly LTXFileInfo[]): bigint =>
      files.reduce(
        (max, each) => (each.level === level && each.maxTXID > max ? each.maxTXID : max),
        0n,
      );
    expect(top(after)).toBe(top(before));
  }
}

test('every promised state stays, whatever is missing, damaged or misdated, and wherever a deletion stops', () => {
  let deletions = 0;
  fc.assert(
    fc.property(
      anyHistory,
      anyNow,
      anyPolicy,
      fc.nat(),
      fc.nat(300),
      (files, nowMs, policy, stop, behind) => {
        const deletion = decideRetention({ files, nowMs: nowMs - behind * MINUTE_MS, policy });
        const { deletes, objection } = deletion;
        expect(objection).toBeUndefined();
        if (deletes.length === 0) return;
        deletions += 1;
        const gone = new Set(deletes);
        expectKept(
          files,
          files.filter((each) => !gone.has(each)),
          nowMs,
          policy,
        );
        const some = new Set(deletes.slice(0, stop % deletes.length));
        expectKept(
          files,
          files.filter((each) => !some.has(each)),
          nowMs,
          policy,
        );
      },
    ),
    { numRuns: RUNS },
  );
  expect(deletions).toBeGreaterThan(RUNS / 4);
});

test('the guard refuses each deletion that loses a promised state, also one that no rule would make', () => {
  let [refused, allowed] = [0, 0];
  fc.assert(
    fc.property(
      anyHistory,
      anyNow,
      anyPolicy,
      fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
      (files, nowMs, policy, picks) => {
        if (files.length === 0) return;
        const chosen = new Set(picks.map((pick) => files[pick % files.length] as LTXFileInfo));
        const after = files.filter((each) => !chosen.has(each));
        if (objectionTo({ files, nowMs, policy }, [...chosen]) !== undefined) {
          refused += 1;
          return;
        }
        allowed += 1;
        expectKept(files, after, nowMs, policy);
      },
    ),
    { numRuns: RUNS },
  );
  expect([refused > RUNS / 10, allowed > RUNS / 10]).toEqual([true, true]);
});

test('between two decisions nothing changes before the time that the first one names', () => {
  fc.assert(
    fc.property(
      anyHistory,
      anyNow,
      anyPolicy,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (files, nowMs, policy, part) => {
        const first = decideRetention({ files, nowMs, policy });
        const endMs = Math.min(first.dueAtMs, nowMs + 5_000 * MINUTE_MS);
        const before = Math.floor(nowMs + (endMs - nowMs) * part);
        const second = decideRetention({ files, nowMs: before, policy });
        expect(names(second.deletes)).toBe(names(first.deletes));
      },
    ),
    { numRuns: RUNS },
  );
});
