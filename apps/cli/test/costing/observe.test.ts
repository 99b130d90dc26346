import { expect, test } from 'vitest';
import { observe, type ObservedFile } from '../../src/costing/observe.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

function file(
  level: number,
  min: number,
  max: number,
  sizeBytes: number,
  minute: number,
): ObservedFile {
  const modifiedAt = new Date(START + minute * MINUTE_MS);
  return { level, minTXID: BigInt(min), maxTXID: BigInt(max), sizeBytes, modifiedAt };
}

const at = (minute: number): Date => new Date(START + minute * MINUTE_MS);

test('TXIDs count the files of level 0, even those that were merged and deleted', () => {
  const files = [
    file(9, 1, 1, 10_000, 0),
    file(1, 2, 100, 3_000, 50),
    file(0, 101, 101, 200, 51),
    file(0, 102, 102, 400, 120),
  ];
  expect(observe(files, at(120))).toEqual({
    filesPerHour: 101 / 2,
    bytesPerFile: 300,
    snapshotBytes: 10_000,
    observedMs: 120 * MINUTE_MS,
  });
});

test('time without commits counts', () => {
  const files = [file(0, 1, 1, 10_000, 0), file(0, 2, 2, 200, 1)];
  expect(observe(files, at(600))?.filesPerHour).toBeCloseTo(0.1);
});

test('full snapshots at level 0 are no commits', () => {
  const files = [file(0, 1, 1, 10_000, 0), file(0, 2, 2, 9_000, 1), file(0, 3, 3, 100, 2)];
  expect(observe(files, at(60))?.bytesPerFile).toBe(100);
  expect(observe(files.slice(0, 1), at(60))?.bytesPerFile).toBeUndefined();
});

test('nothing is observed without a full snapshot, or without time', () => {
  expect(observe([], at(1))).toBeUndefined();
  expect(observe([file(0, 2, 2, 200, 1)], at(2))).toBeUndefined();
  expect(observe([file(0, 1, 1, 200, 1)], at(1))).toBeUndefined();
});
