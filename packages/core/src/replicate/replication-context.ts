/** What a replication is given: its database, where to, and whom it tells. */

import type { Clock } from '../clock.ts';
import type { EngineEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import type { FileSystem } from '../file-system.ts';
import type { Random } from '../random.ts';
import type { Logger } from '../store/backend.ts';
import type { WatchOrder } from './messages.ts';
import type { EngineLink } from './watch-pool.ts';
import type { ReplicaTarget } from './target.ts';

export interface ReplicationContext {
  readonly options: DatabaseOptions;
  readonly targets: readonly ReplicaTarget[];
  /** Database and destinations are left alone until it resolves. */
  readonly ready?: Promise<void> | undefined;
  readonly watch: (order: WatchOrder, listen: (event: EngineEvent) => void) => EngineLink;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Another process has taken the staging folder over: this one must end. */
  readonly onLost: (error: Error) => void;
}
