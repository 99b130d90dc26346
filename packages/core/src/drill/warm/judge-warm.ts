/**
 * Judges a full drill that followed a warm one. Pure. A warm drill raises no alarm alone, and what it saw is
 * not lost:
 *
 *  full drill   the warm one before it                                result
 *  not ok       -                                                     that of the full drill
 *  ok           met a damaged file, which the full one did not need   failed: moments need that file
 *  ok           a check failed, or a page was missing                 inconclusive: newer files may be wrong
 *  ok           could not be made: no copy, other files, no network   ok
 */

import { isError, type ErrorCode } from '../../error.ts';
import { UnusableFileError } from '../../restore/plan/unusable-file.ts';
import type { DrillAttempt, DrillReport } from '../drill.ts';
import type { DrillProblem } from '../verdict.ts';

export function judgeAfterWarm(
  warm: Pick<DrillAttempt, 'report' | 'failure'> | undefined,
  full: DrillReport,
): DrillReport {
  if (warm === undefined || full.result !== 'ok') return full;
  const { report, failure } = warm;
  if (failure instanceof UnusableFileError && DAMAGE.includes(failure.code)) {
    const next =
      'other files replaced it this time: restore a copy now, then take a new full snapshot';
    return { ...full, result: 'failed', problems: withHint(report, next) };
  }
  const isMissingPage = isError(failure, 'RESTORE_INTEGRITY');
  const hasFailedCheck = failure === undefined && report.result === 'failed';
  if (!isMissingPage && !hasFailedCheck) return full;
  const next =
    `seen after the files up to TXID ${report.txid ?? report.newestTXID} were applied to the copy of the last drill; a full ` +
    'restore is ok: take a new full snapshot, because states between two snapshots may be wrong';
  return { ...full, result: 'inconclusive', problems: withHint(report, next) };
}

/** The bytes of one file are wrong, whatever it is applied to. */
const DAMAGE: readonly ErrorCode[] = ['LTX_INVALID', 'LTX_TRUNCATED', 'LTX_CHECKSUM_MISMATCH'];

function withHint({ problems }: DrillReport, next: string): readonly DrillProblem[] {
  return problems.map((problem) => ({ ...problem, message: `${problem.message}; ${next}` }));
}
