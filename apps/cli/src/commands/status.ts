/**
 * sluice status: the local side from the state file in the staging folder, each destination from
 * one listing of it. Works while the daemon runs and when it does not.
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { completeOptions, isError, messageOf, type DatabaseStatus } from '@sluice/core';
import { formatTXID } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { EXIT } from '../exit-codes.ts';
import { createLogger } from '../log.ts';
import { findDatabase } from '../select.ts';
import { printTable } from '../table.ts';

interface DestinationRow {
  readonly name: string;
  readonly target: string;
  readonly state: string;
  /** What the listing says; undefined where it could not be had. */
  readonly txid: string | undefined;
  readonly lag_seconds: number | undefined;
  readonly last_success_at: string | undefined;
  readonly last_error: string | undefined;
}

interface DatabaseRow {
  readonly database: string;
  readonly status: string;
  readonly local_txid: string | undefined;
  readonly wal_size: number;
  readonly daemon: string;
  readonly replicas: readonly DestinationRow[];
}

export async function run(args: Arguments): Promise<number> {
  const config = await loadConfig(args);
  const [named] = args.positionals;
  const databases = named === undefined ? config.databases : [findDatabase(config, named)];
  const logger = createLogger({ level: 'error', type: 'text', stream: process.stderr });
  const open = new Destinations(logger, 'read');
  let rows: DatabaseRow[];
  try {
    rows = await Promise.all(databases.map((database) => describe(database, open)));
  } finally {
    await open.close();
  }
  if (args.has('json')) process.stdout.write(`${JSON.stringify(rows)}\n`);
  else print(rows);
  const isBehind = rows.some((row) => row.status !== 'ok' || row.replicas.some(isBehindOf(row)));
  return isBehind ? EXIT.behind.code : EXIT.ok.code;
}

function isBehindOf(row: DatabaseRow): (replica: DestinationRow) => boolean {
  return ({ txid }) => txid === undefined || txid < (row.local_txid ?? '');
}

async function describe(database: DatabaseConfig, open: Destinations): Promise<DatabaseRow> {
  const options = completeOptions(database.options);
  const state = await readState(path.join(options.metaPath, 'status.json'));
  const wal = await fs.stat(`${options.path}-wal`).catch(() => undefined); // absent: 0 bytes
  const exists = await fs.stat(options.path).then(
    () => true,
    () => false,
  );
  const isRunning = state !== undefined && isAlive(state.pid);
  const replicas = await Promise.all(
    database.destinations.map((destination) => describeDestination(destination, state, open)),
  );
  return {
    database: options.path,
    status: statusOf(state, exists),
    local_txid: state?.txid,
    wal_size: wal?.size ?? 0,
    daemon: isRunning ? `running (${state.pid})` : 'not running',
    replicas,
  };
}

async function describeDestination(
  destination: DestinationConfig,
  state: DatabaseStatus | undefined,
  open: Destinations,
): Promise<DestinationRow> {
  const known = state?.destinations.find(({ name }) => name === destination.name);
  const row = {
    name: destination.name,
    target: destination.target,
    last_success_at: known?.lastSuccessAt,
    last_error: known?.lastError?.message,
  };
  try {
    const { client } = await open.open(destination);
    let highest = 0n;
    for await (const file of client.listFiles('all')) {
      if (file.maxTXID > highest) highest = file.maxTXID;
    }
    const txid = highest === 0n ? undefined : formatTXID(highest);
    const isCurrent = txid !== undefined && txid >= (state?.txid ?? '');
    const lag = isCurrent ? 0 : known?.lagSeconds;
    return { ...row, state: known?.state ?? 'unknown', txid, lag_seconds: lag };
  } catch (error) {
    const code = isError(error) ? error.code : 'failed';
    const last_error = messageOf(error);
    return { ...row, state: code, txid: undefined, lag_seconds: known?.lagSeconds, last_error };
  }
}

async function readState(file: string): Promise<DatabaseStatus | undefined> {
  try {
    return JSON.parse(await fs.readFile(file, 'utf8')) as DatabaseStatus;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function statusOf(state: DatabaseStatus | undefined, exists: boolean): string {
  if (!exists) return 'no database';
  if (state === undefined) return 'not initialized';
  return state.error === undefined ? 'ok' : 'error';
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it is there, and not ours
  }
}

function print(rows: readonly DatabaseRow[]): void {
  printTable(
    ['database', 'replica', 'state', 'lag', 'txid', 'last success', 'last error'],
    rows.flatMap((row) =>
      row.replicas.map((replica) => [
        `${row.database} (${row.status}, ${row.daemon})`,
        replica.name,
        replica.state,
        replica.lag_seconds === undefined ? '-' : `${replica.lag_seconds.toFixed(1)} s`,
        `${replica.txid ?? '-'} of ${row.local_txid ?? '-'}`,
        replica.last_success_at ?? '-',
        replica.last_error ?? '',
      ]),
    ),
  );
}
