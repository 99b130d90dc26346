/** What `sluice status` says, in the keys of its JSON. Pure. */

import { isError, messageOf } from '@sluice/core';
import { formatTXID } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Listed } from './listing.ts';
import type { Local } from './local.ts';

/** A commit is on its way this long without anything being wrong: two sync intervals, and a write. */
const LAG_SECONDS_FINE = 5;

export interface DestinationRow {
  readonly name: string;
  readonly type: string;
  readonly target: string;
  /**
   * `ok`, `behind`, `empty`, `damaged` (files are missing), or a code: of what stopped us from
   * asking, or of its answer to snapshots.
   */
  readonly state: string;
  /** 16 hex digits: the highest that is listed. */
  readonly txid: string | undefined;
  /** Since the oldest commit that it lacks, as far as anybody knows. */
  readonly lag_seconds: number | undefined;
  readonly size: number | undefined;
  /** Whether a second replicator of the same place would be refused, as far as ours has found out. */
  readonly fencing: string | undefined;
  readonly last_success_at: string | undefined;
  readonly last_error: string | undefined;
  readonly last_error_at: string | undefined;
}

/** The first four are Litestream's. */
export interface DatabaseRow {
  readonly database: string;
  readonly status: 'ok' | 'not initialized' | 'no database' | 'error';
  readonly local_txid: string | undefined;
  readonly wal_size: number;
  readonly error: string | undefined;
  readonly replicator: string;
  readonly destinations: readonly DestinationRow[];
}

export function describeDatabase(
  local: Local,
  destinations: readonly DestinationRow[],
): DatabaseRow {
  const { state, replicator } = local;
  return {
    database: local.path,
    status: statusOf(local),
    local_txid: state?.txid,
    wal_size: local.walBytes,
    error: state?.error?.message,
    replicator:
      state !== undefined && replicator === 'runs'
        ? `replicator ${state.pid} runs`
        : 'no replicator runs',
    destinations,
  };
}

function statusOf({ database, state }: Local): DatabaseRow['status'] {
  if (database === 'is missing') return 'no database';
  if (state?.txid === undefined) return state?.error === undefined ? 'not initialized' : 'error';
  return state.error === undefined ? 'ok' : 'error';
}

export function describeDestination(
  { name, type, target }: DestinationConfig,
  listed: Listed,
  local: Local,
  now: Date,
): DestinationRow {
  const known = local.state?.destinations.find((candidate) => candidate.name === name);
  const row = {
    name,
    type,
    target,
    fencing: known?.fencing,
    last_success_at: known?.lastSuccessAt,
    last_error: known?.lastError?.message,
    last_error_at: known?.lastError?.at,
  };
  if (listed.kind === 'failed') {
    return {
      ...row,
      state: isError(listed.error) ? listed.error.code : 'failed',
      txid: undefined,
      lag_seconds: known?.lagSeconds,
      size: undefined,
      last_error: messageOf(listed.error),
      last_error_at: now.toISOString(),
    };
  }
  const txid = listed.txid === 0n ? undefined : formatTXID(listed.txid);
  const lag = lagOf(txid, local, now, known?.lagSeconds);
  const isFine = lag !== undefined && lag <= LAG_SECONDS_FINE;
  if (listed.damage !== undefined) {
    return {
      ...row,
      state: 'damaged',
      txid,
      lag_seconds: lag,
      size: listed.sizeBytes,
      last_error: `${listed.damage}: the newest state cannot be restored from here`,
      last_error_at: now.toISOString(),
    };
  }
  const found = { ...row, txid, lag_seconds: lag, size: listed.sizeBytes };
  const refused = known?.snapshotError;
  if (isFine && refused !== undefined) {
    const { code: state, message, at } = refused;
    return { ...found, state, last_error: `it refuses snapshots: ${message}`, last_error_at: at };
  }
  return { ...found, state: txid === undefined ? 'empty' : isFine ? 'ok' : 'behind' };
}

/**
 * 0 where it has all that was staged, and nothing was written to the database since. What was
 * written while no replicator ran cannot be told from a checkpoint: it counts from when the last
 * one was heard of.
 */
function lagOf(
  txid: string | undefined,
  { state, replicator, changedAt }: Local,
  now: Date,
  known: number | undefined,
): number | undefined {
  if (state?.txid === undefined) return undefined;
  const sinceHeard = Math.max(0, (now.getTime() - Date.parse(state.at)) / 1_000);
  const isUnseen =
    replicator === 'does not run' &&
    changedAt !== undefined &&
    changedAt.getTime() > Date.parse(state.at);
  const isCurrent = txid !== undefined && txid >= state.txid;
  if (isCurrent) return isUnseen ? sinceHeard : 0;
  return (known ?? 0) + sinceHeard;
}
