/** The input of a replication: its database, its destinations, and whom to call. */

import type { Clock } from '../clock.ts';
import type { EngineEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import type { FileSystem } from '../file-system.ts';
import type { Random } from '../random.ts';
import type { Logger } from '../store/backend.ts';
import type { MergeFiles } from './levels/merge-files.ts';
import type { Ownership } from './ownership/ownership.ts';
import type { ReplicaTarget } from './status/status.ts';
import type { EngineLink, WatchOrder } from './watch-pool.ts';

export interface ReplicationContext {
  readonly options: DatabaseOptions;
  readonly targets: readonly ReplicaTarget[];
  /** Neither the database nor its destinations are touched until this resolves. */
  readonly ready?: Promise<void> | undefined;
  readonly watch: (order: WatchOrder, listen: (event: EngineEvent) => void) => EngineLink;
  /** Merges staged files, in a thread. */
  readonly merge: MergeFiles;
  /** What keeps a destination to one writer. */
  readonly ownership: (target: ReplicaTarget) => Ownership;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  /** How many databases this process replicates. Default: this one. */
  readonly databases?: (() => number) | undefined;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** The staging folder is locked. Called again if what follows fails. */
  readonly onOwned?: (() => Promise<void>) | undefined;
  /** Another process took over the staging folder, so this one must exit. */
  readonly onLost: (error: Error) => void;
}
