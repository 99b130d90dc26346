import { describe, expect, test } from 'vitest';
import { ERROR_CODES, ReplicationError, type ErrorCode } from '../../src/error.ts';
import {
  judge,
  lossWindowMs,
  toComparison,
  withoutAssertions,
  type Findings,
  type Judged,
} from '../../src/drill/verdict.ts';

const FINE: Findings = {
  error: undefined,
  avoided: [],
  corruption: undefined,
  assertions: [{ sql: 'SELECT 1', failure: undefined }],
  comparison: { kind: 'equal', pages: 3, skipped: 0 },
};
const resultOf = (findings: Partial<Findings>): string => judge({ ...FINE, ...findings }).result;

test('what could not be compared does not fail a drill', () => {
  expect(judge(FINE)).toEqual({ result: 'ok', problems: [] });
  expect(resultOf({ comparison: { kind: 'not compared', why: 'w' } })).toBe('ok');
});

test('each finding alone fails a drill, and is named', () => {
  const object = 'level 0 0000000000000002-0000000000000002.ltx';
  const code = 'LTX_CHECKSUM_MISMATCH';
  const avoided = [{ file: object, source: 's', code, message: `${object}: wrong` }] as const;
  const assertions = [{ sql: 'SELECT 0', failure: 'returned 0' }];
  expect(judge({ ...FINE, avoided })).toMatchObject({
    result: 'failed',
    problems: [{ object, code }],
  });
  expect(judge({ ...FINE, assertions })).toEqual({
    result: 'failed',
    problems: [{ message: 'the assertion "SELECT 0" returned 0' }],
  });
  expect(resultOf({ corruption: 'PRAGMA quick_check: wrong' })).toBe('failed');
  expect(resultOf({ comparison: { kind: 'different', pages: 1, first: 2 } })).toBe('failed');
});

test('without an assertion, a drill is what the other findings say', () => {
  const sql = 'SELECT 0';
  const assertions = [
    { sql, failure: 'returned 0' },
    { sql: 'SELECT NULL', failure: 'returned NULL' },
  ];
  const reportOf = (findings: Partial<Findings>): Judged => {
    const all = { ...FINE, assertions, ...findings };
    return { ...judge(all), assertions: all.assertions };
  };
  const without = (findings: Partial<Findings>, ...left: readonly string[]): Judged =>
    withoutAssertions(reportOf(findings), (each) => left.includes(each));
  expect(without({}, sql, 'SELECT NULL')).toEqual({ result: 'ok', problems: [], assertions: [] });
  expect(without({}, sql)).toMatchObject({
    result: 'failed',
    assertions: [{ sql: 'SELECT NULL' }],
  });
  expect(without({}, 'SELECT 1')).toEqual(reportOf({}));
  const every = [sql, 'SELECT NULL'];
  const gone = new ReplicationError('REPLICA_UNAVAILABLE', 'gone');
  expect(without({ error: gone }, ...every)).toMatchObject({ result: 'inconclusive' });
  expect(without({ error: new Error('late') }, ...every)).toMatchObject({ result: 'inconclusive' });
  expect(without({ corruption: 'c' }, ...every)).toMatchObject({ result: 'failed' });
});

test('a finding counts more than the error that ended the drill', () => {
  const error = new ReplicationError('REPLICA_UNAVAILABLE', 'gone');
  expect(resultOf({ error })).toBe('inconclusive');
  expect(resultOf({ error, corruption: 'c' })).toBe('failed');
});

const FAILED =
  /^(LTX_.*|REPLICA_(NOT_FOUND|CONFLICT|TRUNCATED|CHANGED|RANGE)|RESTORE_(NO_SNAPSHOT|GAP|DAMAGED|OUT_OF_RANGE|INTEGRITY))$/;

test.each(Object.keys(ERROR_CODES) as ErrorCode[])(
  '%s is a failure only if it says what the destination holds',
  (code) => {
    const error = new ReplicationError(code, 'm');
    expect(resultOf({ error })).toBe(FAILED.test(code) ? 'failed' : 'inconclusive');
  },
);

test('an error without a code says nothing about the destination', () => {
  expect(resultOf({ error: new TypeError('a bug') })).toBe('inconclusive');
});

describe('the window of loss', () => {
  const newest = { txid: 7n, lineage: 5n, at: new Date(1_000) };
  const at = (txid: bigint, lineage: bigint) =>
    ({ kind: 'at', txid, lineage, comparison: undefined }) as const;

  test('is the age of the newest commit, at most', () => {
    expect(lossWindowMs(newest, 4_000, undefined)).toBe(3_000);
    expect(lossWindowMs(newest, 4_000, { kind: 'moved on', comparison: undefined })).toBe(3_000);
    expect(lossWindowMs(newest, 4_000, at(8n, 5n))).toBe(3_000);
    expect(lossWindowMs(newest, 4_000, at(7n, 6n))).toBe(3_000);
    expect(lossWindowMs({ ...newest, lineage: 0n }, 4_000, at(7n, 0n))).toBe(3_000);
  });

  test('is 0 only if the live database is in that very state', () => {
    expect(lossWindowMs(newest, 4_000, at(7n, 5n))).toBe(0);
  });

  test('is unknown if the commit is in the future', () => {
    expect(lossWindowMs(newest, 999, undefined)).toBeUndefined();
  });
});

test('without a comparison, the reason is said', () => {
  const state = { txid: 7n, lineage: 5n };
  const at = { kind: 'at', ...state, comparison: undefined } as const;
  expect(toComparison(undefined, state)).toMatchObject({ why: 'there is no live database here' });
  expect(toComparison({ ...at, txid: 8n }, state)).toMatchObject({
    why: 'the live database has moved on to TXID 0000000000000008',
  });
  expect(toComparison({ ...at, txid: 6n }, state)).toMatchObject({
    why: 'the live database is at TXID 0000000000000006',
  });
  expect(toComparison({ ...at, lineage: 6n }, state)).toMatchObject({
    why: 'the lineage of the restored state is unknown or another one',
  });
  expect(toComparison({ kind: 'moved on', comparison: undefined }, state)).toMatchObject({
    why: 'the live database has moved on',
  });
  const comparison = { kind: 'equal', pages: 1, skipped: 0 } as const;
  expect(toComparison({ ...at, comparison }, state)).toBe(comparison);
});
