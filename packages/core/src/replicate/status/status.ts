/**
 * Status of a watched database and its destinations, as returned by `Replicator.status()`, written to
 * `status.json` in the staging folder, and read from there by `sluice status`.
 */

import type { Absence } from '../../database/events.ts';
import type { FencingState } from '../../replica/fencing.ts';
import type { RetentionPolicy } from '../../history/retention-policy.ts';
import type { DestinationState } from '../destination/admission.ts';
import type { OpenReplica } from '../destination/sender.ts';
import type { LeaseSettings } from '../ownership/lease.ts';
import type { FileMarks } from './file-marks.ts';
import type { DatabaseFacts, Problem } from './verdict.ts';
import type { Writer } from './writer.ts';

/** An error in a status. `code` is an `ErrorCode`, or the code of a newer version. */
export interface StatusError {
  readonly code: string;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** When the first of these errors occurred, if the same one has occurred in each try since. */
  readonly since?: string | undefined;
}

/** Status of one destination of a database. Sizes are in bytes, times ISO 8601, UTC. */
export interface DestinationStatus {
  readonly name: string;
  readonly type: string;
  /** Human-readable. Contains no secrets. */
  readonly target: string;
  readonly state: DestinationState;
  /** Description of what is wrong with the files there; undefined if nothing is. */
  readonly damage?: string | undefined;
  /** 16 hex digits. Everything up to this TXID can be restored from here. */
  readonly txid: string | undefined;
  /** Age of the oldest commit that this destination lacks, or may lack; 0 if it lacks none. */
  readonly lagSeconds: number;
  /** Size of what it lacks: staged files, and frames of the log that were read and are not staged. */
  readonly lagBytes?: number | undefined;
  readonly pendingFiles: number;
  readonly pendingBytes: number;
  /**
   * Whether a second replicator writing to the same destination is refused; undefined until it is
   * opened.
   */
  readonly fencing?: FencingState | undefined;
  /** Number of full listings since this process began. */
  readonly listings?: number | undefined;
  /** Files there, as far as they are known. */
  readonly files?: number | undefined;
  readonly bytes?: number | undefined;
  /** What is kept there, and what was deleted. */
  readonly retention?: RetentionStatus | undefined;
  /** Since this process began. */
  readonly bytesSent: number;
  readonly lastSuccessAt: string | undefined;
  /** The last error for snapshots, if they are refused while level 0 is accepted. */
  readonly snapshotError?: StatusError | undefined;
  /** The last error for merged files, until one is sent. Level 0 does not depend on them. */
  readonly mergeError?: StatusError | undefined;
  readonly lastError: StatusError | undefined;
  /** Number of failures since this process began, by code. */
  readonly errors?: Readonly<Record<string, number>> | undefined;
}

/** Retention at one destination. */
export interface RetentionStatus {
  /** Seconds for which every state is kept; undefined if nothing is deleted. */
  readonly seconds: number | undefined;
  /** Since this process began. */
  readonly deletedFiles: number;
  readonly deletedBytes: number;
  /** Why the destination refuses deletes; undefined if it does not, or if none was tried. */
  readonly refusal: string | undefined;
}

/** A level of merged files. The counts are since the process began. */
export interface LevelStatus {
  readonly level: number;
  /** The newest merged TXID, 16 hex digits. */
  readonly txid: string | undefined;
  readonly stagedFiles: number;
  readonly stagedBytes: number;
  readonly merges: number;
  readonly mergedBytes: number;
  readonly failures: number;
}

/** What a replicator is doing with a database. `imaging`: it makes a full snapshot. `failing`: see `error`; it retries. */
export type DatabaseState =
  /** It has not been opened yet. */
  | 'opening'
  /** It is missing or empty. */
  | 'waiting'
  | 'following'
  | 'imaging'
  | 'failing'
  /** The process closed it after a last sync. */
  | 'ended';

/** Status of one database. Also the content of its state file, so every value can be written as JSON. Sizes are in bytes. */
export interface DatabaseStatus {
  readonly path: string;
  readonly state: DatabaseState;
  /** Time of this status: ISO 8601, UTC. */
  readonly at: string;
  readonly pid: number;
  readonly writer: Writer;
  /** Size and time of its files when replication ended. */
  readonly marks: FileMarks | undefined;
  /** The newest staged TXID, 16 hex digits. */
  readonly txid: string | undefined;
  readonly pageSize: number | undefined;
  readonly stagedFiles: number;
  readonly stagedBytes: number;
  /** Transactions seen in its WAL since the process began. */
  readonly commitsSeen: number;
  /** When the last of them was seen: ISO 8601, UTC. */
  readonly lastCommitAt?: string | undefined;
  /** Size of the frames that were read from its WAL since the process began. */
  readonly logBytes?: number | undefined;
  /** Commits that were seen and are not staged yet, and the size of their frames. */
  readonly unstaged?: { readonly commits: number; readonly logBytes: number } | undefined;
  /** Maximum size of the staged files. */
  readonly stagingMaxBytes?: number | undefined;
  /** Checkpoints by this process, and the time that they took. */
  readonly checkpoints?: { readonly count: number; readonly seconds: number } | undefined;
  /** Number of failures since the process began, by code; without those of destinations. */
  readonly errors?: Readonly<Record<string, number>> | undefined;
  readonly walBytes: number;
  /**
   * Result of `evaluateHealth`, limited by `max-lag`; after the end, whether the last sync was
   * complete.
   */
  readonly healthy: boolean;
  readonly problems: readonly Problem[];
  readonly facts: DatabaseFacts;
  /** Merged files by level. A state file of an older version has none. */
  readonly compaction?: readonly LevelStatus[] | undefined;
  readonly error: StatusError | undefined;
  /** Why the last snapshot could not be made. Replication continues. */
  readonly snapshotError?: StatusError | undefined;
  readonly destinations: readonly DestinationStatus[];
}

/** Result of a drain for one destination. */
export interface DestinationReport {
  readonly name: string;
  readonly target: string;
  readonly txid: string | undefined;
  readonly complete: 'complete' | 'behind';
  readonly cause: { readonly code: string; readonly message: string } | undefined;
}

/** Result of a drain for one database. */
export interface DatabaseReport {
  readonly path: string;
  readonly txid: string | undefined;
  /** Set if the database was missing or empty, so nothing was sent. */
  readonly absence: Absence | undefined;
  /** Whether every destination has everything that was committed when the last sync began. */
  readonly healthy: boolean;
  readonly problems: readonly Problem[];
  /** Why the database is not followed; undefined if it is. */
  readonly error: StatusError | undefined;
  readonly destinations: readonly DestinationReport[];
}

/** Result of `Replicator.drain`, with the databases in the order they were added. */
export interface SyncReport {
  readonly databases: readonly DatabaseReport[];
}

// --- a destination of a database ---

/** One destination of one database: its names, and how to open it. */
export interface ReplicaTarget {
  /** Unique among the database's destinations. Used in logs, status and metrics. */
  readonly name: string;
  readonly type: string;
  /** Human-readable. Contains no secrets. */
  readonly target: string;
  /** Connects on first use and is retried after failures. The owner of the destination closes it. */
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  /**
   * Time between uploads, if it is longer than that of the database: then merged files are sent where there are
   * any. Commits may wait for the end of an interval of level 1 too.
   */
  readonly syncIntervalMs?: number | undefined;
  /** Time between full snapshots there. Default: that of the database. */
  readonly snapshotIntervalMs?: number | undefined;
  /** Holds a lease there. Default: none. */
  readonly lease?: LeaseSettings | undefined;
  /** What is kept there. Default: everything; nothing is ever deleted. */
  readonly retention?: RetentionPolicy | undefined;
  /** What a scrub found damaged there and could not mend, to be read after the name; undefined: nothing. */
  readonly damage?: (() => string | undefined) | undefined;
}
