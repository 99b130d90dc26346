/**
 * What is told of a watched database and its destinations: by `Replicator.status()`, by
 * `status.json` in the staging folder, and through it by `sluice status`.
 */

import type { Absence } from '../../database/events.ts';
import type { FencingState } from '../../replica/fencing.ts';
import type { DestinationState } from '../destination/admission.ts';
import type { OpenReplica } from '../destination/sender.ts';
import type { FileMarks } from './file-marks.ts';
import type { DatabaseFacts, Problem } from './verdict.ts';
import type { Writer } from './writer.ts';

export interface StatusError {
  readonly code: string;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface DestinationStatus {
  readonly name: string;
  readonly type: string;
  /** For people; holds no secret. */
  readonly target: string;
  readonly state: DestinationState;
  /** What is wrong with what is there, in words; undefined where nothing is known to be. */
  readonly damage?: string | undefined;
  /** 16 hex digits: everything up to it can be restored from here. */
  readonly txid: string | undefined;
  /** Since the oldest commit that this destination lacks, or may lack; 0 where it lacks none. */
  readonly lagSeconds: number;
  readonly pendingFiles: number;
  readonly pendingBytes: number;
  /** Whether a second replicator of the same place would be refused; undefined until it is opened. */
  readonly fencing?: FencingState | undefined;
  /** How often it was listed as a whole since this process began. */
  readonly listings?: number | undefined;
  /** Since this process began. */
  readonly bytesSent: number;
  readonly lastSuccessAt: string | undefined;
  /** What it answers to snapshots, where it refuses them while level 0 goes on. */
  readonly snapshotError?: StatusError | undefined;
  readonly lastError: StatusError | undefined;
}

export type DatabaseState =
  /** It has been looked at by nobody yet. */
  | 'opening'
  /** It is missing or empty. */
  | 'waiting'
  | 'following'
  | 'imaging'
  | 'failing'
  /** The process has let go of it, after a last sync. */
  | 'ended';

export interface DatabaseStatus {
  readonly path: string;
  readonly state: DatabaseState;
  /** When this was true: ISO 8601, UTC. */
  readonly at: string;
  readonly pid: number;
  readonly writer: Writer;
  /** Once it has ended: what its files were then. */
  readonly marks: FileMarks | undefined;
  /** The newest staged TXID, 16 hex digits. */
  readonly txid: string | undefined;
  readonly pageSize: number | undefined;
  readonly stagedFiles: number;
  readonly stagedBytes: number;
  /** Transactions seen in its log since the process began. */
  readonly commitsSeen: number;
  readonly walBytes: number;
  /** `judge` of the facts, by `max-lag`; once it has ended, by whether the last sync was complete. */
  readonly healthy: boolean;
  readonly problems: readonly Problem[];
  readonly facts: DatabaseFacts;
  readonly error: StatusError | undefined;
  /** Why the last snapshot that was due or wanted could not be made; all else goes on. */
  readonly snapshotError?: StatusError | undefined;
  readonly destinations: readonly DestinationStatus[];
}

/** How a drain ended for one destination. */
export interface DestinationReport {
  readonly name: string;
  readonly target: string;
  readonly txid: string | undefined;
  readonly complete: 'complete' | 'behind';
  readonly cause: { readonly code: string; readonly message: string } | undefined;
}

export interface DatabaseReport {
  readonly path: string;
  readonly txid: string | undefined;
  /** Where it was missing or empty, and so nothing was sent now. */
  readonly absence: Absence | undefined;
  /** Whether everything that was committed when the last sync began is at every destination. */
  readonly healthy: boolean;
  readonly problems: readonly Problem[];
  /** Why nothing is followed, where that is so. */
  readonly error: StatusError | undefined;
  readonly destinations: readonly DestinationReport[];
}

export interface SyncReport {
  readonly databases: readonly DatabaseReport[];
}

// --- where a database goes ---

export interface ReplicaTarget {
  /** Unique among the database's destinations: for logs, status, metrics. */
  readonly name: string;
  readonly type: string;
  /** For people; holds no secret. */
  readonly target: string;
  /** Connects, once it is needed. Tried again where it fails. The destination's owner closes it. */
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
}
