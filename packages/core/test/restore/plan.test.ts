import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { TXID_MAX, toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { describeFile } from '../../src/store/describe.ts';
import { planRestore, type PlanTarget } from '../../src/restore/plan/plan.ts';
import { file, names } from './files.ts';

const LATEST: PlanTarget = { kind: 'latest' };
const at = (txid: number): PlanTarget => ({ kind: 'txid', txid: toTXID(txid) });

function planned(files: readonly LTXFileInfo[], target: PlanTarget = LATEST): string {
  return names(planRestore(files, target).files);
}

function refused(files: readonly LTXFileInfo[], target: PlanTarget = LATEST): ReplicationError {
  try {
    planRestore(files, target);
  } catch (error) {
    if (error instanceof ReplicationError) return error;
    throw error;
  }
  throw new Error('there was a plan');
}

describe('a plan', () => {
  test('begins with the newest base and continues with the file that reaches furthest', () => {
    const files = [file(9, 1, 3), file(9, 1, 6), file(1, 5, 8), file(0, 7, 7), file(2, 7, 9)];
    expect(planned(files)).toBe('9/1-6 2/7-9');
  });

  test('uses a base of any level', () => {
    expect(planned([file(3, 1, 4), file(0, 1, 1), file(0, 5, 5)])).toBe('3/1-4 0/5-5');
  });

  test('uses overlapping files, at any level from 0 to 9', () => {
    const files = [file(9, 1, 4), file(8, 2, 9), file(4, 8, 12), file(1, 12, 13)];
    expect(planned(files)).toBe('9/1-4 8/2-9 4/8-12 1/12-13');
  });

  test('uses the smaller of two files that reach equally far', () => {
    const files = [file(9, 1, 2), file(3, 2, 5, { sizeBytes: 900 }), file(1, 3, 5)];
    expect(planned(files)).toBe('9/1-2 3/2-5');
  });

  test('for latest ends with the highest TXID listed at any level', () => {
    expect(planned([file(9, 1, 2), file(0, 2, 2), file(1, 3, 7)])).toBe('9/1-2 1/3-7');
  });

  test('for a TXID uses no file that extends beyond it', () => {
    const files = [file(9, 1, 2), file(1, 3, 6), file(0, 3, 3), file(0, 4, 4), file(9, 1, 6)];
    expect(planned(files, at(4))).toBe('9/1-2 0/3-3 0/4-4');
  });

  test('does not depend on the order of the listing', () => {
    const files = [file(0, 7, 7), file(2, 7, 9), file(9, 1, 6), file(9, 1, 3)];
    expect(planned(files)).toBe(planned(files.toReversed()));
  });

  test('includes the total size of its files', () => {
    const plan = planRestore([file(9, 1, 2), file(0, 3, 3)], LATEST);
    expect([plan.sizeBytes, plan.txid]).toEqual([2001, 3n]);
  });

  test('reaches TXIDs up to 2^64-1', () => {
    const last = file(0, 3, 3, { minTXID: toTXID(3), maxTXID: TXID_MAX });
    expect(planRestore([file(9, 1, 2), last], LATEST).txid).toBe(TXID_MAX);
  });

  test('for a hundred thousand files is made without comparing every pair', () => {
    const files = Array.from({ length: 100_000 }, (_, i) => file(0, i + 1, i + 1));
    expect(planRestore(files.toReversed(), LATEST).files.length).toBe(100_000);
  });
});

describe('if there is no plan', () => {
  test('an empty destination is distinguished from one without a snapshot', () => {
    const none = refused([]);
    expect([none.code, none.message]).toEqual([
      'RESTORE_NO_SNAPSHOT',
      expect.stringContaining('no backup'),
    ]);
    const increments = refused([file(0, 5, 5), file(0, 6, 6)]);
    expect(increments.code).toBe('RESTORE_GAP');
    expect(increments.message).toContain('0000000000000005-0000000000000005.ltx');
  });

  test('the error for a TXID before the first snapshot names the earliest TXID', () => {
    const error = refused([file(0, 2, 2), file(9, 1, 5)], at(2));
    expect(error.code).toBe('RESTORE_OUT_OF_RANGE');
    expect(error.message).toContain('0000000000000005');
  });

  test('the error for a gap names its TXIDs and the files around it', () => {
    const error = refused([file(9, 1, 3), file(0, 4, 4), file(1, 7, 9)]);
    expect(error.code).toBe('RESTORE_GAP');
    expect(error.message).toContain('0000000000000005 to 0000000000000006');
    expect(error.message).toContain('after level 0 0000000000000004-0000000000000004.ltx');
    expect(error.message).toContain('before level 1 0000000000000007-0000000000000009.ltx');
  });

  test('a gap is also an error for any TXID after it, never a shorter restore', () => {
    expect(refused([file(9, 1, 3), file(0, 5, 5)], at(5)).code).toBe('RESTORE_GAP');
  });

  test('the error for a TXID that is too high names the highest listed TXID', () => {
    const error = refused([file(9, 1, 3)], at(4));
    expect([error.code, error.message]).toEqual([
      'RESTORE_OUT_OF_RANGE',
      expect.stringContaining('0000000000000003'),
    ]);
  });

  test('the error for a TXID inside a merged file names its neighbors', () => {
    const error = refused([file(9, 1, 3), file(1, 4, 9)], at(6));
    expect(error.code).toBe('RESTORE_OUT_OF_RANGE');
    expect(error.message).toContain('0000000000000003 before it and 0000000000000009 after');
  });

  test('a file that is too short is reported as ignored, and never shortens a restore', () => {
    const short = file(0, 4, 4, { sizeBytes: 99 });
    const error = refused([file(9, 1, 3), short]);
    expect(error.code).toBe('RESTORE_GAP');
    expect(error.message).toContain(`${describeFile(short)} has 99 bytes`);
    const plan = planRestore([file(9, 1, 3), short, file(1, 4, 4)], LATEST);
    expect(names(plan.files)).toBe('9/1-3 1/4-4');
    expect(plan.ignored).toEqual([{ file: short, reason: 'too-short' }]);
  });

  test('files that the caller avoids are replaced by others, or named in the error', () => {
    const files = [file(9, 1, 3), file(1, 4, 6), file(0, 4, 4), file(0, 5, 6)];
    const avoid = new Set([describeFile(files[1] as LTXFileInfo)]);
    const isAvoided = (file: LTXFileInfo): boolean => avoid.has(describeFile(file));
    expect(names(planRestore(files, LATEST, { isAvoided }).files)).toBe('9/1-3 0/4-4 0/5-6');
    avoid.add(describeFile(files[2] as LTXFileInfo));
    expect(() => planRestore(files, LATEST, { isAvoided })).toThrow(
      /TXID 0000000000000004 is missing/,
    );
  });
});
