/** Random histories: each level is gapless within a lineage, and every file is merged once into each level. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MergeableFile, nextMerge } from '../../src/history/compaction.ts';
import { toLevels } from '../../src/history/levels.ts';

interface File extends MergeableFile {
  readonly content: 'increment' | 'image';
}

interface Merge {
  readonly level: number;
  readonly inputs: readonly File[];
}

const LEVELS = toLevels([100, 500, 2_000]);
const EARLY_BYTES = 5_000;

/** One event: time passes, the wall clock is set, or a file is staged. */
const EVENT = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('file' as const),
      sizeBytes: fc.integer({ min: 1, max: 1_500 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'image' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      ms: fc.integer({ min: -5_000, max: 5_000 }),
    }),
  },
);

/** Runs the planner as the compactor does, until the history is over and all windows with it. */
class Plant {
  nowMs = 1_000_000;
  readonly levelZero: File[] = [];
  readonly merges: Merge[] = [];
  readonly #mergedTo = new Map<number, bigint>();
  #lineage = 1n;

  stage(content: File['content'], sizeBytes: number): void {
    const txid = BigInt(this.levelZero.length + 1);
    if (content === 'image') this.#lineage += 1n;
    const common = { timestampMs: this.nowMs, sizeBytes, lineage: this.#lineage, pageSize: 4096 };
    this.levelZero.push({ minTXID: txid, maxTXID: txid, content, ...common });
  }

  /** Returns the wait for the next merge. */
  work(): number {
    for (;;) {
      const levels = LEVELS.map((level) => {
        const source = level.level === 1 ? this.levelZero : this.filesOf(level.level - 1);
        const mergedTo = this.#mergedTo.get(level.level) ?? 0n;
        return {
          level,
          inputs: source.filter((file) => file.content === 'increment' && file.maxTXID > mergedTo),
        };
      });
      const next = nextMerge({ levels, nowMs: this.nowMs, earlyBytes: EARLY_BYTES });
      if (next.kind !== 'merge') return next.kind === 'idle' ? Infinity : next.waitMs;
      this.merges.push(next);
      this.#mergedTo.set(next.level, next.inputs.at(-1)?.maxTXID ?? 0n);
    }
  }

  filesOf(level: number): File[] {
    return this.merges
      .filter((merge) => merge.level === level)
      .map(({ inputs }) => {
        const [first, last] = [inputs[0] as File, inputs.at(-1) as File];
        const sizeBytes = inputs.reduce((sum, file) => sum + file.sizeBytes, 0);
        return { ...last, minTXID: first.minTXID, sizeBytes };
      });
  }
}

test('every increment is in each level exactly once, in order, and no image is', () => {
  fc.assert(
    fc.property(fc.array(EVENT, { maxLength: 150 }), (events) => {
      const plant = new Plant();
      plant.stage('image', 100);
      for (const event of events) {
        if (event.kind === 'file') plant.stage('increment', event.sizeBytes);
        else if (event.kind === 'image') plant.stage('image', 100);
        else plant.nowMs += event.ms;
        plant.work();
      }
      for (let looks = 0; looks < 10; looks++) {
        const waitMs = plant.work();
        if (waitMs === Infinity) break;
        expect(waitMs).toBeGreaterThan(0);
        plant.nowMs += waitMs;
      }
      expect(plant.work()).toBe(Infinity); // an idle database has nothing to merge
      const increments = plant.levelZero.filter(({ content }) => content === 'increment');
      for (const { level } of LEVELS) {
        const txids = plant.filesOf(level).flatMap(({ minTXID, maxTXID }) => {
          return Array.from(
            { length: Number(maxTXID - minTXID) + 1 },
            (_, i) => minTXID + BigInt(i),
          );
        });
        expect(txids, `level ${level}`).toEqual(increments.map(({ maxTXID }) => maxTXID));
      }
      for (const { inputs } of plant.merges) {
        expect(new Set(inputs.map(({ lineage }) => lineage)).size).toBe(1);
        const before = inputs.slice(0, -1).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        expect(before).toBeLessThan(EARLY_BYTES);
      }
    }),
  );
});

test('a file of a level covers one window, aligned to the clock', () => {
  const plant = new Plant();
  plant.stage('image', 1);
  for (let commit = 0; commit < 2_000; commit++) {
    plant.nowMs += 7;
    plant.stage('increment', 1);
    plant.work();
  }
  for (const { level, intervalMs } of LEVELS) {
    const inputs = plant.merges.filter((merge) => merge.level === level);
    const windows = inputs.map((merge) =>
      merge.inputs.map(({ timestampMs }) => Math.floor(timestampMs / intervalMs)),
    );
    for (const window of windows) expect(new Set(window).size).toBe(1);
    expect(new Set(windows.map(([first]) => first)).size).toBe(windows.length);
    expect(windows.length).toBeGreaterThan(Math.floor((2_000 * 7) / intervalMs) - 2);
  }
});

test('a window that the clock will not reach again is merged at once', () => {
  const plant = new Plant();
  plant.stage('image', 1);
  plant.nowMs += 60_000;
  plant.stage('increment', 1);
  expect(plant.work()).toBeGreaterThan(0);
  plant.nowMs -= 60_000;
  plant.work();
  expect(plant.merges.map(({ level }) => level)).toEqual([1, 2, 3]);
});

test('many files are merged before their window is over', () => {
  const plant = new Plant();
  plant.stage('image', 1);
  for (let commit = 0; commit < 600; commit++) plant.stage('increment', 1);
  plant.work();
  expect(plant.merges.map(({ inputs }) => inputs.length)).toEqual([256, 256]);
});

test('files of two lineages or page sizes are not merged, even if no image lies between them', () => {
  const file = (txid: bigint): MergeableFile => {
    const common = { timestampMs: 0, sizeBytes: 1, lineage: 1n, pageSize: 512 };
    return { minTXID: txid, maxTXID: txid, ...common };
  };
  const input = { nowMs: 10, earlyBytes: EARLY_BYTES };
  const [level] = toLevels([100]);
  for (const other of [{ lineage: 2n }, { pageSize: 4096 }]) {
    const inputs = [file(2n), file(3n), { ...file(4n), ...other }];
    const next = nextMerge({ ...input, levels: level === undefined ? [] : [{ level, inputs }] });
    expect(next).toEqual({ kind: 'merge', level: 1, inputs: inputs.slice(0, 2) });
  }
});
