/** Metrics of each database, and of its levels. */

import type { DatabaseState, DatabaseStatus, LevelStatus } from '@sluice/core';
import { byLabel, toLabels, toNumber, toUnix, type FamilyGroup } from './family.ts';

const STATES: readonly DatabaseState[] = [
  'opening',
  'waiting',
  'following',
  'imaging',
  'failing',
  'ended',
];
const STATE_LABELS = STATES.map((state) => [state, toLabels({ state })] as const);

export const DATABASES: FamilyGroup<DatabaseStatus> = {
  title: 'Each database',
  labels: ['db'],
  families: [
    {
      name: 'sluice_db_healthy',
      type: 'gauge',
      help: '1 if every commit older than max-lag is at every destination, nothing is stuck and no drill failed, else 0',
      read: ({ healthy }) => (healthy ? 1 : 0),
    },
    {
      name: 'sluice_db_state',
      type: 'gauge',
      help: '1 for the current state of the database (opening, waiting, following, imaging, failing or ended), 0 for the others',
      labels: ['state'],
      read: ({ state }) => STATE_LABELS.map(([name, labels]) => [labels, name === state ? 1 : 0]),
    },
    {
      name: 'sluice_db_commits_total',
      type: 'counter',
      help: 'Transactions seen in its WAL since the process started',
      read: ({ commitsSeen }) => commitsSeen,
    },
    {
      name: 'sluice_db_last_commit_timestamp_seconds',
      type: 'gauge',
      help: 'Unix time at which the last commit was seen; absent if there was none since the process started',
      read: ({ lastCommitAt }) => toUnix(lastCommitAt),
    },
    {
      name: 'sluice_db_wal_bytes',
      type: 'gauge',
      help: 'Size of its WAL file',
      read: ({ walBytes }) => walBytes,
    },
    {
      name: 'sluice_db_wal_read_bytes_total',
      type: 'counter',
      help: 'Size of the frames read from its WAL since the process started',
      read: ({ logBytes }) => logBytes,
    },
    {
      name: 'sluice_db_unstaged_commits',
      type: 'gauge',
      help: 'Commits that were seen and are not in a staged file yet',
      read: ({ unstaged }) => unstaged?.commits,
    },
    {
      name: 'sluice_db_unstaged_bytes',
      type: 'gauge',
      help: 'Size of the frames of these commits',
      read: ({ unstaged }) => unstaged?.logBytes,
    },
    {
      name: 'sluice_db_staging_files',
      type: 'gauge',
      help: 'Files in its staging folder',
      read: ({ stagedFiles }) => stagedFiles,
    },
    {
      name: 'sluice_db_staging_bytes',
      type: 'gauge',
      help: 'Size of these files',
      read: ({ stagedBytes }) => stagedBytes,
    },
    {
      name: 'sluice_db_staging_limit_bytes',
      type: 'gauge',
      help: 'staging-max-bytes: beyond it, destinations that are behind get a full snapshot instead',
      read: ({ stagingMaxBytes }) => stagingMaxBytes,
    },
    {
      name: 'sluice_db_checkpoints_total',
      type: 'counter',
      help: 'Checkpoints made by Sluice since the process started',
      read: ({ checkpoints }) => checkpoints?.count,
    },
    {
      name: 'sluice_db_checkpoint_seconds_total',
      type: 'counter',
      help: 'Time that these checkpoints took',
      read: ({ checkpoints }) => checkpoints?.seconds,
    },
    {
      name: 'sluice_db_errors_total',
      type: 'counter',
      help: 'Failures since the process started, by the code of the error (docs/errors.md); without those of destinations',
      labels: ['code'],
      read: ({ errors }) => byLabel('code', errors),
    },
    {
      name: 'sluice_db_snapshot_failing',
      type: 'gauge',
      help: '1 if the last full snapshot could not be made, else 0',
      read: ({ snapshotError }) => (snapshotError === undefined ? 0 : 1),
    },
    ...levelFamilies(),
  ],
};

/** Merged files, by level. */
function levelFamilies(): FamilyGroup<DatabaseStatus>['families'] {
  const of = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    value: (level: LevelStatus) => number | undefined,
  ): FamilyGroup<DatabaseStatus>['families'][number] => ({
    name,
    type,
    help,
    labels: ['level'],
    read: ({ compaction = [] }) =>
      compaction.flatMap((level) => {
        const number = value(level);
        return number === undefined ? [] : [[levelLabels(level.level), number] as const];
      }),
  });
  return [
    of('sluice_level_txid', 'gauge', 'The newest TXID that is merged into the level', (level) =>
      toNumber(level.txid),
    ),
    of(
      'sluice_level_merges_total',
      'counter',
      'Files made for the level since the process started',
      ({ merges }) => merges,
    ),
    of(
      'sluice_level_merged_bytes_total',
      'counter',
      'Size of these files',
      ({ mergedBytes }) => mergedBytes,
    ),
    of(
      'sluice_level_failures_total',
      'counter',
      'Merges that failed since the process started',
      ({ failures }) => failures,
    ),
  ];
}

const LEVELS = Array.from({ length: 10 }, (_, level) => toLabels({ level: String(level) }));

function levelLabels(level: number): ReturnType<typeof toLabels> {
  return LEVELS[level] ?? toLabels({ level: String(level) });
}
