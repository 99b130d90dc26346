/** Combines what was observed, what the flags say and the size of the database to a workload. Pure. */

import { ReplicationError } from '@sluice/core/backend';
import type { CostFlags } from './flags.ts';
import type { Workload } from './model.ts';
import type { Observation } from './observe.ts';

export interface WorkloadInput {
  /** Name of the destination, for messages. */
  readonly name: string;
  readonly flags: CostFlags;
  readonly observed: Observation | undefined;
  /** Size of the database file; undefined if it is not on this machine. */
  readonly fileBytes: number | undefined;
}

/** CONFIG_INVALID if something is neither given nor observed. */
export function toWorkload({ name, flags, observed, fileBytes }: WorkloadInput): Workload {
  const commitsPerHour = flags.commitsPerHour ?? observed?.filesPerHour;
  const bytesPerCommit = flags.bytesPerCommit ?? observed?.bytesPerFile;
  const snapshotBytes = flags.databaseBytes ?? observed?.snapshotBytes ?? fileBytes;
  const isIdle = commitsPerHour === 0;
  const missing = [
    commitsPerHour === undefined ? '-commits-per-hour' : undefined,
    bytesPerCommit === undefined && !isIdle ? '-bytes-per-commit' : undefined,
    snapshotBytes === undefined ? '-database-bytes' : undefined,
  ].filter((flag) => flag !== undefined);
  if (missing.length > 0) {
    const how = observed === undefined ? 'has no backup' : 'shows too little';
    throw new ReplicationError(
      'CONFIG_INVALID',
      `forecast the cost of ${name}: the destination ${how} to derive the rate of commits from; ` +
        `give ${missing.join(', ')}`,
    );
  }
  const snapshot = snapshotBytes ?? 0;
  return {
    commitsPerHour: commitsPerHour ?? 0,
    bytesPerCommit: bytesPerCommit ?? 0,
    snapshotBytes: snapshot,
    hotBytes: Math.min(flags.hotBytes ?? snapshot, snapshot),
    restoresPerMonth: flags.restoresPerMonth,
  };
}
