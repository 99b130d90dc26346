/** For any set of files, a plan is exact and contiguous, or the error names the gap. Compared with brute force. */

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { formatTXID, toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { reachableTXIDs } from '../../src/history/chain.ts';
import { planMoment, planRestore, type PlanTarget } from '../../src/restore/plan/plan.ts';
import { file, timeOf } from './files.ts';
import { runTimeSearch } from './time-search.ts';

const TXID_COUNT = 12;
const RUNS = 3000;

const anyFile = fc
  .record({
    level: fc.nat(9),
    min: fc.integer({ min: 1, max: TXID_COUNT }),
    length: fc.integer({ min: 0, max: 5 }),
    isShort: fc.boolean().chain((maybe) => (maybe ? fc.boolean() : fc.constant(false))),
  })
  .map(({ level, min, length, isShort }) => {
    const from = level === 9 ? 1 : min;
    return file(level, from, Math.min(min + length, TXID_COUNT), isShort ? { sizeBytes: 50 } : {});
  });
const anyFiles = fc.uniqueArray(anyFile, {
  maxLength: 14,
  selector: ({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`,
});
const anyTarget: fc.Arbitrary<PlanTarget> = fc.oneof(
  fc.constant<PlanTarget>({ kind: 'latest' }),
  fc
    .integer({ min: 1, max: TXID_COUNT + 1 })
    .map((txid): PlanTarget => ({ kind: 'txid', txid: toTXID(txid) })),
);

/** Every state that any order of applicable files leads to: an exhaustive search. */
function statesOf(files: readonly LTXFileInfo[]): Set<bigint> {
  const states = new Set<bigint>();
  const open: bigint[] = files.filter((each) => each.minTXID === 1n).map((each) => each.maxTXID);
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (states.has(state)) continue;
    states.add(state);
    for (const each of files) {
      if (each.minTXID <= state + 1n && each.maxTXID > state) open.push(each.maxTXID);
    }
  }
  return states;
}

function attempt(
  files: readonly LTXFileInfo[],
  target: PlanTarget,
): ReturnType<typeof planRestore> | ReplicationError {
  try {
    return planRestore(files, target);
  } catch (error) {
    if (error instanceof ReplicationError) return error;
    throw error;
  }
}

describe('any set of files', () => {
  test('leads to the same states as an exhaustive search', () => {
    fc.assert(
      fc.property(anyFiles, (files) => {
        expect(new Set(reachableTXIDs(files))).toEqual(statesOf(files));
      }),
      { numRuns: RUNS },
    );
  });

  test('has a plan if and only if the target is one of these states, and the plan is contiguous', () => {
    fc.assert(
      fc.property(anyFiles, anyTarget, (files, target) => {
        const usable = files.filter((each) => each.sizeBytes >= 100);
        const highest = files.reduce((max, each) => (each.maxTXID > max ? each.maxTXID : max), 0n);
        const goal = target.kind === 'txid' ? target.txid : highest;
        const plan = attempt(files, target);
        expect(plan instanceof ReplicationError).toBe(!statesOf(usable).has(goal));
        if (plan instanceof ReplicationError) return;
        expect(plan.txid).toBe(goal);
        expect(plan.files[0]?.minTXID).toBe(1n);
        expect(plan.files.at(-1)?.maxTXID).toBe(goal);
        for (const [i, next] of plan.files.slice(1).entries()) {
          const before = plan.files[i] as LTXFileInfo;
          expect(usable).toContain(next);
          expect(next.minTXID <= before.maxTXID + 1n && next.maxTXID > before.maxTXID).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('without a plan reports exactly the missing TXIDs', () => {
    fc.assert(
      fc.property(anyFiles, anyTarget, (files, target) => {
        const error = attempt(files, target);
        fc.pre(error instanceof ReplicationError && error.code === 'RESTORE_GAP');
        if (!(error instanceof ReplicationError)) return;
        const usable = files.filter((each) => each.sizeBytes >= 100);
        if (usable.length === 0) {
          expect(error.message).toMatch(/^none of the \d+ files listed can be used/);
          return;
        }
        const states = [0n, ...statesOf(usable)];
        const [, from = '', to = from] =
          /TXID ([0-9a-f]{16})(?: to ([0-9a-f]{16}))? is missing/.exec(error.message) ?? [];
        const [first, last] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
        expect(states).toContain(first - 1n);
        expect(states.filter((state) => state >= first)).toEqual([]);
        const covering = usable.filter((each) => each.minTXID <= last && each.maxTXID >= first);
        expect(covering).toEqual([]);
        if (first > 1n) expect(error.message).toContain(formatTXID(first - 1n));
      }),
      { numRuns: RUNS },
    );
  });

  test('and any timestamp lead to the last restorable state that is not later, unless it is in a gap', () => {
    fc.assert(
      fc.property(anyFiles, fc.integer({ min: 0, max: TXID_COUNT * 10 + 20 }), (files, tenths) => {
        const at = new Date(timeOf(0).getTime() + tenths * 1000);
        const usable = files.filter((each) => each.sizeBytes >= 100);
        const states = [...statesOf(usable)].sort((a, b) => Number(a - b));
        fc.pre(states.length > 0);
        const highest = files.reduce((max, each) => (each.maxTXID > max ? each.maxTXID : max), 0n);
        const notLater = states.filter((txid) => timeOf(txid) <= at);
        const find = (): bigint => {
          const { txid } = runTimeSearch(planMoment(files, at), (each) => each.createdAt as Date);
          return planRestore(files, { kind: 'txid', txid: toTXID(txid) }).txid;
        };
        if (notLater.length === 0) {
          expect(find).toThrow(/the first moment that can be restored/);
          return;
        }
        const state = notLater.at(-1) as bigint;
        const next = states[notLater.length];
        // TXIDs of which no file below the snapshots has any trace.
        const isTraced = usable.some(
          ({ level, minTXID, maxTXID }) => level < 9 && minTXID <= state + 1n && maxTXID > state,
        );
        const isBetween = timeOf(state) < at;
        const isInGap = next !== undefined && next > state + 1n && !isTraced;
        if (isBetween && isInGap) expect(find).toThrow(/The nearest moments are/);
        else if (isBetween && next === undefined && highest > state) {
          expect(find).toThrow(/is missing/);
        } else expect(find()).toBe(state);
      }),
      { numRuns: RUNS },
    );
  });
});
