import { ReplicationError } from '../../error.ts';

/** All files of the plan are valid, but together they do not hold every page. */
export function missingPageError(pgno: number, commit: number): ReplicationError {
  return new ReplicationError(
    'RESTORE_INTEGRITY',
    `page ${pgno} of ${commit} is in none of the files that lead to this state; restore another ` +
      'TXID, or use another destination',
  );
}
