/**
 * sluice repair: compares the destinations of a database, and copies to each what it lacks. Works while a
 * replicator runs.
 */

import { usageError, type Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import { repairThere, runningDatabases } from '../controlling/prove.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger, toLogLevel } from '../log.ts';
import { CountLine } from '../repairing/count-line.ts';
import {
  describeRepair,
  exitCodeOfRepairs,
  repairToJSON,
  type Repaired,
} from '../repairing/describe.ts';
import { readRepairFlags, type RepairFlags } from '../repairing/flags.ts';
import { repairOne } from '../repairing/repair-one.ts';
import { findDatabase } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readRepairFlags(args);
  if (args.has('running')) return await askReplicator(args, shell, flags);
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
      using line = new CountLine(`repairing ${database.options.path}`, stderr);
      const onProgress = line.update.bind(line);
      const request = { ...flags, connections, logger, onProgress, signal };
      const one = await repairOne(database, request);
      repaired.push(one);
      line[Symbol.dispose]();
      if (!args.has('json')) stdout.write(secrets.clean(describeRepair(one)));
    }
  });
  if (args.has('json')) printJSON(shell, repaired.map(repairToJSON));
  return exitCodeOfRepairs(repaired);
}

/** The running replicator repairs them. What is printed is the same. */
async function askReplicator(args: Arguments, shell: Shell, flags: RepairFlags): Promise<number> {
  if (args.text('log-level') !== undefined) {
    throw usageError(args.command, '-log-level and -running cannot be used together');
  }
  const rows: object[] = [];
  const codes: number[] = [];
  for (const { path } of await runningDatabases(args, shell)) {
    const answer = await repairThere(args, shell, { path, flags });
    rows.push(answer.json);
    codes.push(answer.exit_code);
    if (!args.has('json')) shell.stdout.write(answer.text);
  }
  if (args.has('json')) printJSON(shell, rows);
  const { notMended, ok } = EXIT_CODES;
  return codes.includes(notMended) ? notMended : (codes.find((code) => code !== ok) ?? ok);
}
