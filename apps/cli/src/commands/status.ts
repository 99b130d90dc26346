/**
 * sluice status: reads the local state from the state file in the staging folder, or asks the replicator if that file is
 * old, and lists each destination once. Works whether or not a replicator runs.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@sluice/core';
import { parseDuration } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import { colored } from '../color.ts';
import { emptyDirectories, failedDirectories } from '../config/directory.ts';
import { loadConfig } from '../config/load.ts';
import type { DatabaseConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { findDatabase } from '../select.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';
import type { DatabaseRow, DestinationRow } from '../status/describe.ts';
import { describeLastDrill, describeNoDrill } from '../status/drills.ts';
import { describeLastRepair } from '../status/repairs.ts';
import { describeStatus, directoryRows } from '../status/rows.ts';
import { describeScrub } from '../status/scrubs.ts';
import { stoppedDatabases, withStopped } from '../status/stopped.ts';

/** Each look lists every destination, which costs a request or more. */
const WATCH_MS_DEFAULT = 10_000;
const WATCH_MS_MIN = 100;
const WATCH_MS_MAX = 3_600_000;
/** Moves to the top left and clears the screen. */
const CLEAR = '\u001B[H\u001B[2J';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const config = await loadConfig(args, shell);
  const [argument] = args.positionals;
  const unread = (config.unread ?? []).map((each) => each.config);
  const databases =
    argument === undefined
      ? [...config.databases, ...unread]
      : [findDatabase(config, argument, args)];
  const { stderr, secrets } = shell;
  const logger = createLogger({ level: 'error', type: 'text', stream: stderr, secrets });
  await using connections = new Destinations(logger, 'read');
  const watchMs = watchInterval(args);
  const failed = argument === undefined ? failedDirectories(config) : [];
  const empty = argument === undefined ? emptyDirectories(config) : [];
  return await interruptible(async (signal) => {
    for (;;) {
      const found = await describeStatus(databases, connections, signal);
      const rows = withStopped(found, await stoppedDatabases(args, shell, found));
      if (args.has('json')) printJSON(shell, [...rows, ...directoryRows({ failed, empty })]);
      else print(rows, databases, shell, watchMs);
      for (const { dir, why } of failed) {
        stderr.write(`sluice: nothing of the directory ${dir} is replicated: ${why}\n`);
      }
      for (const { why } of empty) stderr.write(`sluice: ${why}: nothing of it is replicated\n`);
      const isHealthy = rows.every(({ status, healthy }) => status === 'ok' && healthy);
      const isGood = isHealthy && failed.length === 0;
      if (watchMs === undefined) return isGood ? EXIT_CODES.ok : EXIT_CODES.behind;
      await sleep(watchMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  });
}

/** undefined without -watch. */
function watchInterval(args: Arguments): number | undefined {
  const text = args.text('watch');
  if (text === undefined) return args.has('watch') ? WATCH_MS_DEFAULT : undefined;
  const ms = parseDuration(text) ?? 0;
  if (ms >= WATCH_MS_MIN && ms <= WATCH_MS_MAX) return ms;
  throw usageError(args.command, `-watch is a duration from 100ms to 1h, not "${text}"`);
}

function print(
  rows: readonly DatabaseRow[],
  databases: readonly DatabaseConfig[],
  shell: Shell,
  watchMs: number | undefined,
): void {
  if (watchMs !== undefined) printTime(shell);
  for (const [index, row] of rows.entries()) {
    const { database, local_txid: txid, wal_size: walSize, replicator, error } = row;
    const status = row.status === 'ok' && !row.healthy ? 'unhealthy' : row.status;
    const since = row.error_since === undefined ? '' : ` since ${row.error_since}`;
    const isListed = error === undefined || row.problems.includes(error); // printed below
    const why = isListed ? '' : `: ${error}`;
    shell.stdout.write(
      `${database}: ${colored(shell, status, status)}${since}${why}, TXID ${txid ?? '-'}, WAL ${walSize} bytes, ${replicator}\n`,
    );
    printTable(
      shell,
      ['  destination', 'state', 'lag', 'txid', 'fencing', 'last success', 'last error'],
      row.destinations.map(toCells),
      (cell, column, index) =>
        column === 1 ? colored(shell, row.destinations[index]?.state ?? '', cell) : cell,
    );
    for (const { name, drill, scrub } of row.destinations) {
      if (scrub !== undefined) shell.stdout.write(`  ${describeScrub(name, scrub)}\n`);
      const everyMs = databases[index]?.drills[name]?.everyMs;
      if (drill !== undefined) shell.stdout.write(`  ${describeLastDrill(name, drill)}\n`);
      else if (everyMs !== undefined) shell.stdout.write(`  ${describeNoDrill(name, everyMs)}\n`);
    }
    if (row.repair !== undefined) shell.stdout.write(`  ${describeLastRepair(row.repair)}\n`);
    for (const problem of row.problems) shell.stdout.write(`  ! ${problem}\n`);
  }
}

/** The terminal shows only the last look. In a file, each look has its time. */
function printTime({ stdout }: Shell): void {
  if ('isTTY' in stdout && stdout.isTTY === true) stdout.write(CLEAR);
  stdout.write(`${new Date().toISOString()}\n`);
}

function toCells(row: DestinationRow): string[] {
  return [
    `  ${row.name}`,
    row.state,
    row.lag_seconds === undefined ? '-' : `${row.lag_seconds.toFixed(1)}s`,
    row.txid ?? '-',
    row.fencing ?? '-',
    row.last_success_at ?? '-',
    messageOf(row.last_error ?? ''),
  ];
}
