/** A validated configuration. */

import type { DatabaseOptions, LeaseSettings, RateLimits, RetentionPolicy } from '@sluice/core';
import type { DestinationDescription } from '@sluice/core/backend';
import type { AnyBackend } from '../load-backend.ts';
import type { HeartbeatSettings, NotifySettings } from './fields/notify.ts';
import type { PageConfig } from './fields/page.ts';
import type { DrillSettings } from './fields/drill.ts';
import type { ScrubSettings } from './fields/scrub.ts';
import type { LogLevel, LogType } from '../log.ts';
import type { Secrets } from '../secrets.ts';

/** How the files of a destination are encrypted. Plain data. */
export interface EncryptionConfig {
  readonly recipients: readonly string[];
  /** Private keys from the configuration and the environment. */
  readonly identities: readonly string[];
  readonly identityFile?: string | undefined;
  readonly identityCommand?: string | undefined;
}

export interface DestinationConfig extends DestinationDescription {
  /** Unique among the destinations of its database. */
  readonly name: string;
  readonly type: string;
  readonly backend: AnyBackend;
  readonly config: unknown;
  /** They must not be printed, whoever quotes them. */
  readonly secrets?: Secrets | undefined;
  /** Path of the replica at the destination. */
  readonly path: string;
  /** Equal for two destinations that would write to the same place. */
  readonly place: string;
  /** Undefined if files are stored as they are. */
  readonly encryption?: EncryptionConfig | undefined;
  /** Default true. If false, nothing is sent there; it is only read. */
  readonly enabled?: boolean | undefined;
  /** Time between uploads there. */
  readonly syncIntervalMs?: number | undefined;
  /** Time between full snapshots there; undefined: that of the database. */
  readonly snapshotIntervalMs?: number | undefined;
  /** What may be sent there; undefined: no limit. */
  readonly limits?: RateLimits | undefined;
  /** The lease that its writer holds; undefined: none. */
  readonly lease?: LeaseSettings | undefined;
  /** What is kept there; undefined: everything. */
  readonly retention?: RetentionPolicy | undefined;
}

export interface DatabaseConfig {
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly restoreIfMissing: boolean;
  readonly destinations: readonly DestinationConfig[];
  /** Of the destinations that are drilled in the background, by name. */
  readonly drills: Readonly<Record<string, DrillSettings>>;
  /** Undefined if its destinations are not scrubbed in the background. */
  readonly scrub?: ScrubSettings | undefined;
  /** The directory in which it was found; undefined if the configuration names the database itself. */
  readonly directory?: string | undefined;
}

/** A directory whose databases are replicated. */
export interface DirectoryConfig {
  readonly dir: string;
  readonly pattern: string;
  readonly recursive: boolean;
  /** Look for databases that appear or are removed later. */
  readonly watch: boolean;
  /** Where the staging folders are; undefined: next to the databases. */
  readonly metaDir: string | undefined;
  /** The settings of its databases. Its path is that of the directory, its destinations are the base paths. */
  readonly template: DatabaseConfig;
}

export interface UnreadDatabase {
  readonly config: DatabaseConfig;
  readonly why: string;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly type: LogType;
  readonly to: 'stdout' | 'stderr';
}

export interface Config {
  /** Path of the file, for messages. */
  readonly source: string;
  /** Also those that were found in directories, if these were searched. */
  readonly databases: readonly DatabaseConfig[];
  readonly directories: readonly DirectoryConfig[];
  /** The items of `dbs`: databases, and the templates of directories. */
  readonly items: readonly DatabaseConfig[];
  /** Directories that could not be searched, and why. */
  readonly unreadable?: readonly { readonly dir: string; readonly why: string }[] | undefined;
  /** Directories whose pattern means no file, although there are databases, and why that is a mistake. */
  readonly unmatched?: readonly { readonly dir: string; readonly why: string }[] | undefined;
  /** Files in directories that could not be read, as the databases that they may be. */
  readonly unread?: readonly UnreadDatabase[] | undefined;
  readonly addr: string | undefined;
  readonly page: PageConfig;
  readonly exec: string | undefined;
  readonly heartbeat?: HeartbeatSettings | undefined;
  /** Who is told that a database became unhealthy, or healthy again. */
  readonly notify?: readonly NotifySettings[] | undefined;
  /** Whether /metrics also has Litestream's names. */
  readonly litestreamNames?: boolean | undefined;
  readonly log: LogConfig;
  readonly shutdownSyncTimeoutMs: number;
  readonly shutdownSyncIntervalMs: number;
  /** Logged at the start: keys without effect, unset variables. */
  readonly notes: readonly string[];
}
