/** Input and answers of the commands that a running replicator accepts on the control socket of a database. Pure. */

import { ReplicationError } from '../error.ts';

/** Input of the command `sync`. */
export interface SyncInput {
  /** How many destinations to wait for; undefined: for none, only until it is staged. */
  readonly min?: number | 'all' | undefined;
  readonly timeout_ms: number;
}

/** Answer of the command `sync`. */
export interface SyncAnswer {
  readonly path: string;
  /** `synced_local`: staged, and sent as soon as possible. */
  readonly status: 'synced' | 'synced_local';
  /** 16 hex digits. */
  readonly txid: string;
  /** Names of the destinations that have this TXID. */
  readonly destinations: readonly string[];
}

/** Input of the command `reseed`. */
export interface ReseedInput {
  /** Name of the destination. */
  readonly destination: string;
}

/** Answer of the command `reseed`. */
export interface ReseedAnswer {
  readonly reseed: 'accepted' | 'not needed';
}

/** Answer of the command `info`: the process and its databases. */
export interface InfoAnswer {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601, UTC. */
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** The folder of the control socket of the process, if it has one. */
  readonly control?: string | undefined;
  readonly database_count: number;
  readonly databases: readonly {
    readonly path: string;
    readonly state: string;
    readonly txid: string | undefined;
    readonly healthy: boolean;
  }[];
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseReseedInput(input: unknown): ReseedInput {
  const { destination } = (input ?? {}) as Partial<Record<string, unknown>>;
  if (typeof destination === 'string') return { destination };
  throw new ReplicationError(
    'CONFIG_INVALID',
    'run reseed: its input is {"destination":"NAME"}, with a name from the configuration',
  );
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseSyncInput(input: unknown): SyncInput {
  const { min, timeout_ms: timeoutMs } = (input ?? {}) as Partial<Record<string, unknown>>;
  const isMin = min === undefined || min === 'all' || typeof min === 'number';
  if (isMin && typeof timeoutMs === 'number' && timeoutMs > 0)
    return { min, timeout_ms: timeoutMs };
  throw new ReplicationError(
    'CONFIG_INVALID',
    'run sync: its input is {"min":N or "all","timeout_ms":N}, with min only to wait for destinations',
  );
}
