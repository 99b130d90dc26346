/** Options of one watched database. Sizes in bytes, times in milliseconds. */

import { DEFAULT_LEVELS, type MergeLevel } from '../history/levels.ts';
import type { PageEncoding } from '../kernel/kernel.ts';

/** Options of one database. Times are in milliseconds. `DATABASE_DEFAULTS` has the defaults, `completeOptions` applies them. */
export interface DatabaseOptions {
  /** The database file, absolute. */
  readonly path: string;
  /** Staging folder. Default: `.<name>-sluice` beside the database. */
  readonly metaPath: string;
  /** Average minimum time between two L0 files. A burst is allowed after a pause (cut-budget.ts). */
  readonly syncIntervalMs: number;
  /** Interval of the safety poll of an idle database. */
  readonly monitorIntervalMs: number;
  /**
   * A database without commits for this long is closed until its files change (idle-database.ts). 0: never.
   */
  readonly idleCloseMs: number;
  /** Maximum age of frames before Sluice checkpoints them; 0 = no limit. */
  readonly checkpointIntervalMs: number;
  /** Minimum number of pages in the log for a checkpoint. */
  readonly minCheckpointPageCount: number;
  /** The WAL file is truncated if it has more pages than this. */
  readonly truncatePageN: number;
  /** Maximum time to wait for a lock when the database is opened. */
  readonly busyTimeoutMs: number;
  /** Maximum size of the staged files, in bytes. Above it, a destination that lags is re-seeded instead. */
  readonly stagingMaxBytes: number;
  /** Time between full snapshots. */
  readonly snapshotIntervalMs: number;
  /** Time of day of full snapshots: minutes after midnight, local time. Default: any time. */
  readonly snapshotAtMinutes?: number | undefined;
  /**
   * Age at which a full snapshot is replaced although nothing has changed, at destinations without retention:
   * a lifecycle rule may delete it. Default: never.
   */
  readonly snapshotMaxAgeMs?: number | undefined;
  /** Levels of merged files, from 1 on. Empty: nothing is merged. */
  readonly levels: readonly MergeLevel[];
  /** Whether each merged file is compared with its inputs before the inputs may be removed. */
  readonly verifyCompaction: boolean;
  /** How pages are stored in LTX files (docs/format.md). */
  readonly pageEncoding: PageEncoding;
  /** Maximum age of a commit that is missing at a destination (replicate/verdict.ts). */
  readonly maxLagMs: number;
  /** Maximum bytes of pages that the tail holds in memory. Default TAIL_BYTES_MAX; tests set it lower. */
  readonly tailBytesMax?: number | undefined;
}

/** Litestream's defaults, except for staging-max-bytes, page-encoding and max-lag, which it does not have. */
export const DATABASE_DEFAULTS: Omit<DatabaseOptions, 'path' | 'metaPath'> = {
  syncIntervalMs: 1_000,
  monitorIntervalMs: 1_000,
  idleCloseMs: 300_000,
  checkpointIntervalMs: 60_000,
  minCheckpointPageCount: 1_000,
  truncatePageN: 121_359,
  busyTimeoutMs: 1_000,
  stagingMaxBytes: 1024 ** 3,
  snapshotIntervalMs: 24 * 3_600_000,
  levels: DEFAULT_LEVELS,
  verifyCompaction: true,
  pageEncoding: 'block',
  maxLagMs: 60_000,
};
