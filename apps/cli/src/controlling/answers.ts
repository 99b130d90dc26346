/** Input and answers of the commands that concern the process, not one database (docs/commands.md). Pure. */

import { ReplicationError } from '@sluice/core/backend';

/** Input of the commands for databases. */
export interface DatabasesInput {
  /** Absolute; undefined: all of them. */
  readonly path?: string | undefined;
  readonly timeout_ms?: number | undefined;
  readonly dry_run?: boolean | undefined;
}

export interface RegisterInput {
  readonly path: string;
  /** Destinations; undefined: as in the configuration file. */
  readonly urls?: readonly string[] | undefined;
  readonly dry_run?: boolean | undefined;
}

export interface ResetInput {
  readonly path: string;
  /** Even if files are staged that a destination does not have. */
  readonly force?: boolean | undefined;
  readonly dry_run?: boolean | undefined;
}

export interface ReloadInput {
  readonly dry_run?: boolean | undefined;
}

/** Litestream has `path`, `status` and `last_sync_at`. */
export interface ListedDatabase {
  readonly path: string;
  readonly status: 'replicating' | 'starting' | 'stopping' | 'stopped' | 'failed';
  readonly origin: 'configuration' | 'directory' | 'registered';
  /** State of its replication; undefined if it is not replicated. */
  readonly state: string | undefined;
  readonly txid: string | undefined;
  readonly healthy: boolean | undefined;
  /** When the last destination confirmed something. */
  readonly last_sync_at: string | undefined;
  readonly destinations: readonly string[];
  readonly error: string | undefined;
}

export interface ListAnswer {
  readonly databases: readonly ListedDatabase[];
}

export interface StartAnswer {
  readonly path: string;
  readonly status: 'started' | 'already_running';
}

/** Of `stop` and `unregister`. */
export interface EndAnswer {
  readonly path: string;
  readonly status:
    | 'stopped'
    | 'already_stopped'
    | 'would_stop'
    | 'unregistered'
    | 'already_unregistered'
    | 'would_unregister';
  readonly txid?: string | undefined;
  /** Names of the destinations that have everything, and of those that do not; their files stay staged. */
  readonly complete?: readonly string[] | undefined;
  readonly behind?: readonly string[] | undefined;
}

export interface RegisterAnswer {
  readonly path: string;
  readonly status: 'registered' | 'already_registered' | 'would_register';
  readonly destinations: readonly { readonly name: string; readonly target: string }[];
}

export interface SnapshotAnswer {
  readonly path: string;
  readonly snapshot: string;
}

export interface ResetAnswer {
  readonly path: string;
  readonly status: 'reset' | 'would_reset';
  /** Staged files that were removed, and their size. */
  readonly files: number;
  readonly bytes: number;
  /** Whether a replicator made a last sync before, and makes a full snapshot now. */
  readonly running: boolean;
}

export interface ReloadAnswer {
  /** Path of the configuration. */
  readonly config: string;
  readonly status: 'reloaded' | 'unchanged' | 'would_reload';
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Replicated with other settings. */
  readonly changed: readonly string[];
  /** Only their drills or their scrub have changed. */
  readonly rescheduled: readonly string[];
  readonly unchanged: number;
  /** Settings that have changed, and apply after a restart of the process. */
  readonly needs_restart: readonly string[];
  readonly failed: readonly {
    readonly path: string;
    readonly code: string;
    readonly message: string;
  }[];
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseDatabasesInput(command: string, input: unknown): DatabasesInput {
  const { path, timeout_ms, dry_run } = asObject(input);
  if (isOptional(path, 'string') && isOptional(timeout_ms, 'number') && isOptional(dry_run)) {
    return { path, timeout_ms, dry_run };
  }
  throw invalid(command, '{"path":"/data/app.db","timeout_ms":N,"dry_run":true}');
}

/** The same, with a path. */
export function parseDatabaseInput(
  command: string,
  input: unknown,
): DatabasesInput & { readonly path: string } {
  const { path, ...rest } = parseDatabasesInput(command, input);
  if (path !== undefined) return { path, ...rest };
  throw invalid(command, '{"path":"/data/app.db"}');
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseRegisterInput(input: unknown): RegisterInput {
  const { path, urls, dry_run } = asObject(input);
  if (typeof path === 'string' && (urls === undefined || isTexts(urls)) && isOptional(dry_run)) {
    return { path, urls, dry_run };
  }
  throw invalid('register', '{"path":"/data/app.db","urls":["s3://…"],"dry_run":true}');
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseResetInput(input: unknown): ResetInput {
  const { path, force, dry_run } = asObject(input);
  if (typeof path === 'string' && isOptional(force) && isOptional(dry_run)) {
    return { path, force, dry_run };
  }
  throw invalid('reset', '{"path":"/data/app.db","force":true,"dry_run":true}');
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseReloadInput(input: unknown): ReloadInput {
  const { dry_run } = asObject(input);
  if (isOptional(dry_run)) return { dry_run };
  throw invalid('reload', '{"dry_run":true}');
}

interface Kinds {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

function isOptional<Kind extends keyof Kinds = 'boolean'>(
  value: unknown,
  kind?: Kind,
): value is Kinds[Kind] | undefined {
  return value === undefined || typeof value === (kind ?? 'boolean');
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function asObject(input: unknown): Partial<Record<string, unknown>> {
  return input ?? {};
}

function invalid(command: string, form: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `run ${command}: its input is ${form}`);
}
