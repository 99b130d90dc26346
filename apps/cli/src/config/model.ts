/** A configuration that has been read: nothing in it can be wrong any more. */

import type { DatabaseOptions } from '@sluice/core';
import type { AnyBackend } from '../backends.ts';
import type { LogLevel, LogType } from '../log.ts';

export interface DestinationConfig {
  readonly name: string;
  readonly type: string;
  /** For people: no secret. */
  readonly target: string;
  readonly backend: AnyBackend;
  readonly config: unknown;
  /** Of the replica, below the destination. */
  readonly path: string;
  /** Where in the configuration it stands. */
  readonly place?: readonly (string | number)[] | undefined;
}

export interface DatabaseConfig {
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly restoreIfMissing: 'yes' | 'no';
  readonly destinations: readonly DestinationConfig[];
}

export interface Config {
  /** Where it was read: paths in messages. */
  readonly source: string;
  readonly databases: readonly DatabaseConfig[];
  readonly addr: string | undefined;
  readonly exec: string | undefined;
  readonly logLevel: LogLevel;
  readonly logType: LogType;
  readonly logTo: 'stdout' | 'stderr';
  readonly shutdownSyncTimeoutMs: number;
  readonly shutdownSyncIntervalMs: number;
}
