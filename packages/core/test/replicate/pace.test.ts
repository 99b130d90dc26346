import { expect, test } from 'vitest';
import { FileSet } from '../../src/replica/file-set.ts';
import { Backlog } from '../../src/replicate/backlog.ts';
import type { NextInput, NextStep } from '../../src/replicate/destination/next.ts';
import { Pace } from '../../src/replicate/destination/queues/pace.ts';
import { StoppedClock } from './scene.ts';

const INCREMENT = { kind: 'increment' } as NextStep;

function paceOf(syncIntervalMs: number, clock: StoppedClock): Pace {
  return new Pace({ syncIntervalMs, databaseIntervalMs: 1_000, clock });
}

/** A destination that has level 0 up to `highest`. */
function inputAt(highest: number, head: number): NextInput {
  const files = new FileSet();
  const txid = BigInt(highest) as never;
  files.add({ level: 0, minTXID: txid, maxTXID: txid, sizeBytes: 200, modifiedAt: new Date(0) });
  const view = { files, highest: BigInt(highest), chain: 'ours', lineage: 1n } as const;
  return {
    view: { ...view, since: 0n, why: undefined, pageSize: 512, seeding: undefined },
    backlog: new Backlog(),
    snapshot: undefined,
    merges: [],
    head: BigInt(head),
  };
}

test('a round sends what there was when it began, and the next one begins an interval later', () => {
  const clock = new StoppedClock();
  const pace = paceOf(10_000, clock);
  expect(pace.defers(INCREMENT, inputAt(1, 3))).toBe(false);
  expect(pace.defers(INCREMENT, inputAt(2, 5))).toBe(false);
  expect(pace.defers(INCREMENT, inputAt(3, 6))).toBe(true);
  clock.advance(9_000);
  expect(pace.defers(INCREMENT, inputAt(3, 7))).toBe(true);
  expect(pace.dueInMs).toBe(1_000);
  clock.advance(1_000);
  expect(pace.defers(INCREMENT, inputAt(3, 7))).toBe(false);
  expect(pace.dueInMs).toBe(Infinity);
});

test.each(['seed', 'idle', 'waiting', 'needs-image'])('a step "%s" never waits', (kind) => {
  const pace = paceOf(10_000, new StoppedClock());
  pace.defers(INCREMENT, inputAt(1, 1));
  expect(pace.defers({ kind } as NextStep, inputAt(1, 2))).toBe(false);
});

test('nothing waits if the interval is that of the database, or when the process ends', () => {
  const clock = new StoppedClock();
  for (const pace of [paceOf(1_000, clock), paceOf(10_000, clock)]) {
    pace.defers(INCREMENT, inputAt(1, 1));
    if (pace.isOn) pace.stop();
    expect(pace.defers(INCREMENT, inputAt(1, 2))).toBe(false);
    expect(pace.dueInMs).toBe(Infinity);
  }
});
