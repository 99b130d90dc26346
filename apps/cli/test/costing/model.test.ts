import { describe, expect, test } from 'vitest';
import { forecast, mergedBytes, type Schedule, type Workload } from '../../src/costing/model.ts';
import { random } from './random.ts';

const KIB = 1024;
const HOUR_MS = 3_600_000;
const DEFAULTS: Schedule = {
  syncIntervalMs: 1_000,
  levelsMs: [30_000, 300_000, HOUR_MS],
  snapshotIntervalMs: 24 * HOUR_MS,
  retentionMs: 72 * HOUR_MS,
  l0RetentionMs: 300_000,
};
const EACH_SECOND: Workload = {
  commitsPerHour: 3_600,
  bytesPerCommit: 4 * KIB,
  snapshotBytes: 4 * KIB * KIB,
  hotBytes: 4 * KIB * KIB,
  restoresPerMonth: 0,
};
const S3 = { deleteMax: 1_000 };

test('a commit each second costs 3,733 PUT an hour with the defaults', () => {
  const { requests, storedFiles } = forecast(EACH_SECOND, DEFAULTS, S3);
  expect(requests.put / 730).toBeCloseTo(3_600 + 120 + 12 + 1 + 1 / 24, 5);
  expect(storedFiles).toBeGreaterThan(10_000); // pages of 1,000
  // All files an hour for each 1,000, levels 1 and 3 once an hour, level 9 once a day.
  const checks = 1 + 1 + 1 / 24;
  const listings = 1_000 / storedFiles;
  expect(requests.list / 730).toBeCloseTo(Math.ceil(storedFiles / 1_000) * listings + checks, 5);
  expect(requests.list / 730).toBeLessThan(3.2);
  expect(requests.get / 730).toBeCloseTo(2 * listings + 2 / 24, 5);
  expect(requests.delete / 730).toBeCloseTo(3.733, 3); // 1,000 files each
});

test('a database whose files are never deleted grows for the month of the forecast', () => {
  const { requests, storedFiles, storedBytes, deletedFiles } = forecast(
    EACH_SECOND,
    { ...DEFAULTS, retentionMs: Infinity, l0RetentionMs: Infinity },
    S3,
  );
  expect([requests.delete, deletedFiles]).toEqual([0, 0]);
  expect(requests.get).toBeCloseTo((2 * 730) / 24, 5); // 2.7 million files are listed once a day
  expect(storedFiles).toBeCloseTo(730 * (3_600 + 120 + 12 + 1 + 1 / 24) + 1, 5);
  expect(storedBytes).toBeGreaterThan(10 * forecast(EACH_SECOND, DEFAULTS, S3).storedBytes);
});

test('level 0 that is kept goes with the horizon', () => {
  const { levels } = forecast(EACH_SECOND, { ...DEFAULTS, l0RetentionMs: Infinity }, S3);
  expect(levels[0]?.keptFiles).toBeCloseTo((72 + 12 + 1) * 3_600, 5);
});

test('a merge has at most 256 inputs', () => {
  const fast = { ...EACH_SECOND, commitsPerHour: 100 * 3_600 };
  const { levels } = forecast(fast, { ...DEFAULTS, syncIntervalMs: 10 }, S3);
  expect(levels[1]?.filesPerHour).toBe(120 * 12); // 3,000 inputs in 30 s
});

test('a sync every 10 s costs a tenth of the files at level 0', () => {
  const { levels } = forecast(EACH_SECOND, { ...DEFAULTS, syncIntervalMs: 10_000 }, S3);
  expect(levels.map(({ filesPerHour }) => filesPerHour)).toEqual([360, 120, 12, 1, 1 / 24]);
});

test('an idle database costs a listing a day, and the ends of the snapshot', () => {
  const idle = { ...EACH_SECOND, commitsPerHour: 0 };
  const found = forecast(idle, DEFAULTS, S3);
  expect(found.requests).toMatchObject({ put: 0, delete: 0 });
  expect(found.requests.get).toBeCloseTo((2 * 730) / 24, 5);
  expect(found.requests.list).toBeCloseTo(730 / 24, 5);
  expect([found.storedFiles, found.storedBytes]).toEqual([1, idle.snapshotBytes]);
  expect(found.sentBytes).toBe(0);
});

test('a database with few commits has no more files than commits, at any level', () => {
  const { levels } = forecast({ ...EACH_SECOND, commitsPerHour: 2 }, DEFAULTS, S3);
  expect(levels.map(({ filesPerHour }) => filesPerHour)).toEqual([2, 2, 2, 1, 1 / 24]);
});

test('large snapshots are sent in parts', () => {
  const small = forecast(EACH_SECOND, DEFAULTS, S3).requests.put;
  const snapshotBytes = 80 * 1024 * KIB;
  const large = forecast({ ...EACH_SECOND, snapshotBytes }, DEFAULTS, S3).requests.put;
  expect(large - small).toBeCloseTo((730 / 24) * (10 + 2 - 1), 5);
});

test('a backend that deletes one file with each request needs one for each file', () => {
  const { requests, deletedFiles } = forecast(EACH_SECOND, DEFAULTS, { deleteMax: 1 });
  expect(requests.delete).toBeCloseTo(deletedFiles, 5);
});

test('restores read a snapshot, and the merged files since', () => {
  const { requests, readBytes } = forecast({ ...EACH_SECOND, restoresPerMonth: 10 }, DEFAULTS, S3);
  const without = forecast(EACH_SECOND, DEFAULTS, S3).requests.get;
  expect(requests.get - without).toBeCloseTo(10 * (1 + 12), 5);
  expect(readBytes).toBeGreaterThan(10 * EACH_SECOND.snapshotBytes);
});

test('a merged file is never larger than the part that changes', () => {
  expect(mergedBytes({ bytesPerCommit: 10, hotBytes: 100 }, 1)).toBeCloseTo(10);
  expect(mergedBytes({ bytesPerCommit: 10, hotBytes: 100 }, 1e6)).toBeCloseTo(100);
  expect(mergedBytes({ bytesPerCommit: 200, hotBytes: 100 }, 5)).toBe(200);
});

/** Counts what a destination gets and keeps, one commit after another. */
describe('the forecast is within 10 % of a simulation', () => {
  const PAGE_BYTES = 4 * KIB;
  const DECISION_MS = HOUR_MS;

  interface File {
    readonly at: number;
    readonly pages: number;
  }

  function simulate(
    { commitsPerHour, snapshotBytes }: Workload,
    { syncIntervalMs, levelsMs, snapshotIntervalMs, retentionMs, l0RetentionMs }: Schedule,
    hours: number,
  ): { putPerHour: number; sentPerHour: number; storedBytes: number; storedFiles: number } {
    const pages = snapshotBytes / PAGE_BYTES;
    const pick = random(1);
    const intervals = [syncIntervalMs, ...levelsMs];
    const open = intervals.map(() => new Set<number>());
    const files: File[][] = intervals.map(() => []);
    const snapshots: File[] = [{ at: 0, pages }];
    const stepMs = HOUR_MS / commitsPerHour;
    const end = hours * HOUR_MS;
    for (let at = stepMs; at <= end; at += stepMs) {
      const page = pick(pages);
      for (const [level, interval] of intervals.entries()) {
        const changed = open[level] as Set<number>;
        if (
          Math.floor(at / interval) !== Math.floor((at - stepMs) / interval) &&
          changed.size > 0
        ) {
          files[level]?.push({ at, pages: changed.size });
          changed.clear();
        }
        changed.add(page);
      }
      if (Math.floor(at / snapshotIntervalMs) !== Math.floor((at - stepMs) / snapshotIntervalMs)) {
        snapshots.push({ at, pages });
      }
    }
    const oldest = end - retentionMs - HOUR_MS;
    const horizon = snapshots.findLast(({ at }) => at <= oldest)?.at ?? 0;
    const lastSnapshot = snapshots.at(-1)?.at ?? 0;
    const previous = snapshots.at(-2)?.at ?? 0;
    const isKept = (level: number, { at }: File): boolean => {
      // Every hour, and an hour after a larger file was written.
      const settled = Math.floor(end / DECISION_MS) * DECISION_MS - HOUR_MS;
      const merged = (intervalMs: number): number => Math.floor(settled / intervalMs) * intervalMs;
      if (level === 0) return at > Math.min(end - l0RetentionMs, merged(levelsMs[0] ?? 0));
      if (level === 1) return at > horizon;
      const next = levelsMs[level];
      if (next !== undefined) return at > merged(next);
      return at > (end - lastSnapshot > HOUR_MS ? lastSnapshot : previous);
    };
    const all = [...files.flat(), ...snapshots];
    const kept = [
      ...files.flatMap((each, level) => each.filter((file) => isKept(level, file))),
      ...snapshots.filter(({ at }) => at >= horizon),
    ];
    const bytesOf = (each: readonly File[]): number =>
      each.reduce((sum, file) => sum + file.pages * PAGE_BYTES, 0);
    return {
      putPerHour: all.length / hours,
      sentPerHour: bytesOf(all) / hours,
      storedBytes: bytesOf(kept),
      storedFiles: kept.length,
    };
  }

  test.for<[string, Partial<Workload>, Partial<Schedule>]>([
    ['one commit a second', {}, {}],
    ['ten commits a second, a sync every second', { commitsPerHour: 36_000 }, {}],
    ['one commit a minute', { commitsPerHour: 60 }, {}],
    ['a small database that changes completely', { snapshotBytes: 64 * KIB }, {}],
    ['two levels, a sync every 10 s', {}, { levelsMs: [60_000, HOUR_MS], syncIntervalMs: 10_000 }],
  ])('%s', ([, workload, schedule]) => {
    const given = { ...EACH_SECOND, ...workload, bytesPerCommit: PAGE_BYTES };
    given.hotBytes = given.snapshotBytes;
    const settings = {
      ...DEFAULTS,
      snapshotIntervalMs: 4 * HOUR_MS,
      retentionMs: 12 * HOUR_MS,
      ...schedule,
    };
    const found = forecast(given, settings, S3);
    // Ends halfway between two snapshots and between two decisions, which is the average.
    const counted = simulate(given, settings, 26 + 1 + 0.5);
    const within = (a: number, b: number): void =>
      expect(Math.abs(a / b - 1), `${a} instead of ${b}`).toBeLessThan(0.1);
    within(found.requests.put / 730, counted.putPerHour);
    within(found.sentBytes / 730, counted.sentPerHour);
    within(found.storedFiles, counted.storedFiles);
    within(found.storedBytes, counted.storedBytes);
  });
});
