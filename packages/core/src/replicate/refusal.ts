/** Whether a destination refuses a kind of file for good, as far as its answers tell. Pure. */

import type { ErrorCode } from '../error.ts';
import type { UploadFailure } from './upload-queue.ts';

/** Answers that another try will not change: no right, no space, too large. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNAUTHENTICATED',
  'REPLICA_FULL',
  'REPLICA_UNSUPPORTED',
  'REPLICA_CONFLICT',
  'REPLICA_UNKNOWN', // an answer that we have no word for
]);
const STATUS_TOO_LARGE = 413;
/** A refusal may be a moment's: it counts when it was said so often in a row. */
const REFUSALS_MIN = 3;
/** Whatever the answer, so many failures in a row are no outage while other files arrive: about 4 minutes. */
const FAILURES_MIN = 12;

/** What a destination answers to snapshots, and to which it did so last. */
export interface SnapshotRefusal extends UploadFailure {
  readonly txid: bigint;
}

export interface Failing {
  readonly failure: UploadFailure | undefined;
  /** Failures in a row. */
  readonly failures: number;
}

export function isRefused({ failure, failures }: Failing): boolean {
  if (failure === undefined) return false;
  const isRefusal = REFUSALS.has(failure.code) || failure.status === STATUS_TOO_LARGE;
  return failures >= (isRefusal ? REFUSALS_MIN : FAILURES_MIN);
}
