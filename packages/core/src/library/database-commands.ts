/** The commands that a running replicator accepts through the control socket of each database. */

import type { ControlCommands } from '../control/server.ts';
import { ReplicationError } from '../error.ts';
import type { Replicator } from '../replicate/replicate.ts';
import type { DatabaseStatus } from '../replicate/status/status.ts';
import {
  type InfoAnswer,
  parseReseedInput,
  parseSyncInput,
  type ReseedAnswer,
  type SyncAnswer,
  type SyncInput,
} from './command-messages.ts';

/** What the command `info` says about this process. */
export interface ProcessInfo {
  /** Of the program that replicates. */
  readonly version: string;
  readonly startedAt: Date;
  /** The folder of the control socket of the process, once it has one. */
  readonly control?: () => string | undefined;
}

/** The table of commands for the database at `path`: `sync`, `reseed`, `info` and `status`. */
export function databaseCommands(
  replicator: Replicator,
  path: string,
  info: ProcessInfo,
): ControlCommands {
  return {
    sync: (input, signal) => sync(replicator, path, parseSyncInput(input), signal),
    reseed: async (input): Promise<ReseedAnswer> => {
      const answer = await replicator.execute({ kind: 'reseed', path, ...parseReseedInput(input) });
      await report(replicator, path);
      return answer;
    },
    info: async () => describeProcess(replicator, info),
    status: async (): Promise<DatabaseStatus> => await replicator.execute({ kind: 'status', path }),
  };
}

async function sync(
  replicator: Replicator,
  path: string,
  { min, timeout_ms: timeoutMs }: SyncInput,
  signal: AbortSignal,
): Promise<SyncAnswer> {
  if (min !== undefined) {
    // Somebody has mended a destination, perhaps.
    const options = { min, timeoutMs, retry: 'now', signal } as const;
    const answer = await replicator.database(path).durable(options);
    await report(replicator, path);
    return { path, status: 'synced', ...answer };
  }
  const { txid } = await replicator.execute({ kind: 'sync', path });
  const { destinations, state, error } = await report(replicator, path);
  if (txid === undefined) throw notFollowed(path, state, error);
  const staged = txid.toString(16).padStart(16, '0');
  const holders = destinations.filter((each) => each.txid !== undefined && each.txid >= staged);
  const names = holders.map(({ name }) => name);
  return { path, status: 'synced_local', txid: staged, destinations: names };
}

/** `sluice status` after a command shows what that command did: it reads the state file. */
async function report(replicator: Replicator, path: string): Promise<DatabaseStatus> {
  return await replicator.execute({ kind: 'status', path, write: true });
}

function notFollowed(
  path: string,
  state: DatabaseStatus['state'],
  error: DatabaseStatus['error'],
): ReplicationError {
  const why = error === undefined ? '' : ` (${error.message})`;
  return new ReplicationError(
    'DATABASE_BUSY',
    `sync ${path}: it is not followed at present, but ${state}${why}; try again, and see "sluice status"`,
  );
}

/** The answer of `info`. */
export function describeProcess(
  replicator: Replicator,
  { version, startedAt, control }: ProcessInfo,
): InfoAnswer {
  const databases = replicator.status();
  return {
    version,
    pid: process.pid,
    started_at: startedAt.toISOString(),
    uptime_seconds: Math.round(process.uptime()),
    control: control?.(),
    database_count: databases.length,
    databases: databases.map(({ path, state, txid, healthy }) => ({ path, state, txid, healthy })),
  };
}
