import { ReplicationError } from '../error.ts';

/** A plan of which every file is right, and that still does not make a whole database. */
export function missingPageError(pgno: number, commit: number): ReplicationError {
  return new ReplicationError(
    'RESTORE_INTEGRITY',
    `page ${pgno} of ${commit} is in none of the files that lead to this state; restore another ` +
      'TXID, or from another destination',
  );
}
