/** Forecasts the cost of one destination, from what it holds and from flags. */

import fs from 'node:fs/promises';
import { completeOptions, RETENTION_DEFAULTS } from '@sluice/core';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { CostFlags } from './flags.ts';
import { forecast, type Schedule } from './model.ts';
import { moneyFor } from './money.ts';
import { observe, type Observation } from './observe.ts';
import { pricesOf } from './prices.ts';
import type { Costing } from './text.ts';
import { toWorkload } from './workload.ts';

/** Settings of the database and the destination, and for a URL the defaults. */
function scheduleOf(
  database: DatabaseConfig | undefined,
  destination: DestinationConfig,
  { schedule }: CostFlags,
): Schedule {
  const { syncIntervalMs, snapshotIntervalMs, levels } = completeOptions(
    database?.options ?? { path: '/' },
  );
  const policy = database === undefined ? RETENTION_DEFAULTS : destination.retention;
  return {
    syncIntervalMs,
    levelsMs: levels.map(({ intervalMs }) => intervalMs),
    snapshotIntervalMs: destination.snapshotIntervalMs ?? snapshotIntervalMs,
    retentionMs: policy?.retentionMs ?? Infinity,
    l0RetentionMs: policy?.l0RetentionMs ?? Infinity,
    ...schedule,
  };
}

export interface CostContext {
  readonly flags: CostFlags;
  readonly fileBytes: number | undefined;
  readonly database: DatabaseConfig | undefined;
  readonly signal: AbortSignal;
}

/** CONFIG_INVALID if the destination shows too little, and errors of the destination. */
export async function costOf(
  destination: DestinationConfig,
  connections: Destinations,
  { flags, fileBytes, database, signal }: CostContext,
): Promise<Costing> {
  const { name, target } = destination;
  const schedule = scheduleOf(database, destination, flags);
  const isGiven = [flags.commitsPerHour, flags.bytesPerCommit, flags.databaseBytes].every(
    (value) => value !== undefined,
  );
  let observed: Observation | undefined;
  let deleteMax = 1;
  if (!isGiven) {
    const { client, capabilities } = await connections.open(destination, signal);
    const files = await Array.fromAsync(client.listFiles('all', { signal }));
    observed = observe(files, new Date());
    deleteMax = capabilities.deleteMax ?? 1;
  } else if (destination.type === 's3') {
    deleteMax = S3_DELETE_MAX;
  }
  const workload = toWorkload({ name, flags, observed, fileBytes });
  const prices = flags.prices ?? pricesOf(destination);
  const found = forecast(workload, schedule, { deleteMax });
  const money = moneyFor(found, prices);
  return { name, target, workload, schedule, observed, forecast: found, prices, money };
}

/** Without a connection, a forecast from flags alone still counts the requests of S3. */
const S3_DELETE_MAX = 1_000;

/** Size of the database file; undefined if it is not on this machine. */
export async function sizeOf(database: DatabaseConfig | undefined): Promise<number | undefined> {
  if (database === undefined) return undefined;
  try {
    return (await fs.stat(database.options.path)).size;
  } catch {
    return undefined; // not on this machine: then the size must be observed or given
  }
}
