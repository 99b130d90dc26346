/** The next step for a person, by what is stuck and why. Pure. docs/errors.md has more on each code. */

import type { ErrorCode } from '@sluice/core';

const BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  REPLICA_PERMISSION_DENIED:
    'Correct the permissions of its credentials, then test them: sluice check.',
  REPLICA_UNAUTHENTICATED: 'Correct the credentials, then test them: sluice check.',
  REPLICA_HOST_UNTRUSTED: 'Add the host key, after comparing it: see the README of the backend.',
  REPLICA_UNAVAILABLE: 'See whether this machine reaches the destination: sluice check.',
  REPLICA_DESTINATION_NOT_FOUND: 'Create the bucket or folder, or mount its disk; check its name.',
  REPLICA_FULL: 'Make room at the destination, or shorten its retention.',
  REPLICA_IN_USE:
    'Another replicator owns this backup. Stop one of the two, then see docs/one-writer.md.',
  STAGING_FULL: 'Make room on the disk of the staging folder, or raise staging-max-bytes.',
  STAGING_FAILED: 'Check the disk and the permissions of the staging folder.',
  DATABASE_BUSY: 'See which process keeps the database locked.',
  DATABASE_DENIED: 'Let the user of the replicator read and write the database and its folder.',
  DATABASE_INVALID: 'See whether the file is a SQLite database; restore it if it is damaged.',
};

const BY_STAGE: Readonly<Record<string, string>> = {
  database: 'Check the path and the file of the database, and see its log lines.',
  thread: 'See whether the disk of the database hangs; otherwise restart the replicator.',
  look: 'See whether a process keeps the database locked or its disk hangs.',
  staging: 'Check the disk of the staging folder: its free space and whether it hangs.',
  image: 'Check the disk of the staging folder, and see the log lines of this database.',
  send: 'See its log lines, and test the destination: sluice check.',
  snapshot: 'See its log lines, and test the destination: sluice check.',
  files: 'Copy what is missing from another destination: sluice repair.',
  record: 'Check the disk and the permissions of the staging folder.',
  'state file': 'Check the disk and the permissions of the staging folder.',
  drill: 'Follow "When a drill fails" in docs/runbook.md; a drill that is ok clears this.',
};

export function nextStep(stage: string, code: string | undefined): string {
  const own = stage === 'drill' || stage === 'files' ? undefined : BY_CODE[code as ErrorCode];
  return own ?? BY_STAGE[stage] ?? 'See the log lines of this database.';
}
