/**
 * sluice repair: compares the destinations of a database, and copies to each what it lacks. Works while a
 * replicator runs.
 */

import { repair } from '@sluice/core';
import type { Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import type { DatabaseConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger, toLogLevel } from '../log.ts';
import {
  describeRepair,
  exitCodeOfRepairs,
  repairToJSON,
  type Repaired,
} from '../repairing/describe.ts';
import { readRepairFlags, type RepairFlags } from '../repairing/flags.ts';
import { toRepairTargets } from '../repairing/targets.ts';
import { findDatabase } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readRepairFlags(args);
  const { stderr, stdout, secrets } = shell;
  const level = toLogLevel(args.text('log-level') ?? '') ?? 'warn';
  const logger = createLogger({ level, type: 'text', stream: stderr, secrets });
  const config = await loadConfig(args, shell);
  const databases =
    args.positionals.length === 0
      ? config.databases
      : args.positionals.map((name) => findDatabase(config, name, args));
  await using connections = new Destinations(logger, flags.mode === 'mend' ? 'write' : 'read');
  const repaired: Repaired[] = [];
  await interruptible(async (signal) => {
    for (const database of databases) {
      const one = await repairDatabase(database, connections, flags, signal);
      repaired.push(one);
      if (!args.has('json')) stdout.write(secrets.clean(describeRepair(one)));
    }
  });
  if (args.has('json')) printJSON(shell, repaired.map(repairToJSON));
  return exitCodeOfRepairs(repaired);
}

async function repairDatabase(
  database: DatabaseConfig,
  connections: Destinations,
  { mode, read }: RepairFlags,
  signal: AbortSignal,
): Promise<Repaired> {
  const { options, destinations } = database;
  const targets = await toRepairTargets(database, connections);
  const report = await repair({ destinations: targets, mode, read, signal });
  return { database: options.path, destinations, mode, report };
}
