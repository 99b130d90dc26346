/** How one database is watched. Sizes in bytes, times in milliseconds. */

import type { PageEncoding } from '../kernel/kernel.ts';

export interface DatabaseOptions {
  readonly path: string;
  /** Staging folder. Default: `.<name>-sluice` beside the database. */
  readonly metaPath: string;
  /** One L0 file per this time on average, and a burst of them after a pause (cut-budget.ts). */
  readonly syncIntervalMs: number;
  /** The safety poll of an idle database. */
  readonly monitorIntervalMs: number;
  /** Age of frames nobody has checkpointed from which we do; 0 = never for their age. */
  readonly checkpointIntervalMs: number;
  /** Pages in the log from which it is checkpointed. */
  readonly minCheckpointPageCount: number;
  /** Pages of WAL file from which it is truncated. */
  readonly truncatePageN: number;
  /** How long a first statement of ours waits for a lock. */
  readonly busyTimeoutMs: number;
  /** Staged files may take this much before a destination that lacks them is re-seeded instead. */
  readonly stagingMaxBytes: number;
  readonly snapshotIntervalMs: number;
  readonly pageEncoding: PageEncoding;
  /** A commit that is older than this and not at every destination is a fault (replicate/verdict.ts). */
  readonly maxLagMs: number;
  /** Bytes of pages that the tail holds in memory. Default TAIL_BYTES_MAX; tests make it small. */
  readonly tailBytesMax?: number | undefined;
}

/** Litestream's values where it has the key; staging-max-bytes, page-encoding and max-lag are ours. */
export const DATABASE_DEFAULTS: Omit<DatabaseOptions, 'path' | 'metaPath'> = {
  syncIntervalMs: 1_000,
  monitorIntervalMs: 1_000,
  checkpointIntervalMs: 60_000,
  minCheckpointPageCount: 1_000,
  truncatePageN: 121_359,
  busyTimeoutMs: 1_000,
  stagingMaxBytes: 1024 ** 3,
  snapshotIntervalMs: 24 * 3_600_000,
  pageEncoding: 'block',
  maxLagMs: 60_000,
};
