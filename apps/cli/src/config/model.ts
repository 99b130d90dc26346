/** A validated configuration. */

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
  /** Path of the replica at the destination. */
  readonly path: string;
  /** Equal for two destinations that would write to the same place. */
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
  /** Path of the file, for messages. */
  readonly source: string;
  readonly databases: readonly DatabaseConfig[];
  readonly addr: string | undefined;
  readonly exec: string | undefined;
  readonly log: LogConfig;
  readonly shutdownSyncTimeoutMs: number;
  readonly shutdownSyncIntervalMs: number;
  /** Logged at the start: keys without effect, unset variables. */
  readonly notes: readonly string[];
}
