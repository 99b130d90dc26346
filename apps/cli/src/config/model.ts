/** A configuration that has been read: nothing in it can be wrong any more. */

import type { DatabaseOptions } from '@sluice/core';
import type { DestinationDescription } from '@sluice/core/backend';
import type { AnyBackend } from '../load-backend.ts';
import type { LogLevel, LogType } from '../log.ts';

export interface DestinationConfig extends DestinationDescription {
  /** Unique among the destinations of its database. */
  readonly name: string;
  readonly type: string;
  readonly backend: AnyBackend;
  readonly config: unknown;
  /** Of the replica, below the destination. */
  readonly path: string;
  /** Equal for two destinations whose files would lie in one place. */
  readonly place: string;
}

export interface DatabaseConfig {
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly restoreIfMissing: boolean;
  readonly destinations: readonly DestinationConfig[];
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly type: LogType;
  readonly to: 'stdout' | 'stderr';
}

export interface Config {
  /** Where it was read, for messages. */
  readonly source: string;
  readonly databases: readonly DatabaseConfig[];
  readonly addr: string | undefined;
  readonly exec: string | undefined;
  readonly log: LogConfig;
  readonly shutdownSyncTimeoutMs: number;
  readonly shutdownSyncIntervalMs: number;
  /** What to say at the start: keys without effect, variables that are not set. */
  readonly notes: readonly string[];
}
