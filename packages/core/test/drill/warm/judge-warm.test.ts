import { expect, test } from 'vitest';
import type { DrillReport } from '../../../src/drill/drill.ts';
import { judgeAfterWarm } from '../../../src/drill/warm/judge-warm.ts';
import { FullRestoreNeeded } from '../../../src/drill/warm/plan-warm.ts';
import { ReplicationError, type ErrorCode } from '../../../src/error.ts';
import { UnusableFileError } from '../../../src/restore/plan/unusable-file.ts';
import { unfinishedDrill } from '../../../src/drill/drill.ts';

const report = (result: DrillReport['result'], message?: string): DrillReport => ({
  ...unfinishedDrill(new Date(0), undefined),
  result,
  problems: message === undefined ? [] : [{ message }],
});
const OK = report('ok');
const unusable = (code: ErrorCode): Error => new UnusableFileError(code, 'a file', []);

test.each<[string, unknown, DrillReport['result'], DrillReport['result']]>([
  ['a check failed', undefined, 'failed', 'inconclusive'],
  ['a page was missing', new ReplicationError('RESTORE_INTEGRITY', 'x'), 'failed', 'inconclusive'],
  ['a file was damaged', unusable('LTX_CHECKSUM_MISMATCH'), 'failed', 'failed'],
  ['a file was cut off', unusable('LTX_TRUNCATED'), 'failed', 'failed'],
  ['files do not belong together', unusable('LTX_NOT_CONTIGUOUS'), 'failed', 'ok'],
  ['a file was removed', new ReplicationError('REPLICA_NOT_FOUND', 'x'), 'failed', 'ok'],
  ['the network failed', new ReplicationError('REPLICA_UNAVAILABLE', 'x'), 'inconclusive', 'ok'],
  ['no copy could be used', new FullRestoreNeeded('x'), 'inconclusive', 'ok'],
])('in a warm drill %s, and a full one is ok', (_, failure, result, expected) => {
  const judged = judgeAfterWarm({ report: report(result, 'it is wrong'), failure }, OK);
  expect(judged.result).toBe(expected);
  const messages = judged.problems.map(({ message }) => message);
  expect(messages).toEqual(expected === 'ok' ? [] : [expect.stringMatching(/^it is wrong; .*/)]);
});

test('the result of a full drill that is not ok stands', () => {
  for (const full of [report('failed', 'a'), report('inconclusive', 'b')]) {
    const warm = { report: report('failed', 'c'), failure: undefined };
    expect(judgeAfterWarm(warm, full)).toBe(full);
    expect(judgeAfterWarm(undefined, full)).toBe(full);
  }
});
