/**
 * sluice drill: restores each destination alone to a scratch folder, one after another, examines the
 * result, and prints it at once.
 */

import { findSyntaxError, recordDrill } from '@sluice/core';
import { messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { drillThere, runningDatabases, wantedDestinations } from '../controlling/prove.ts';
import { Destinations } from '../destinations.ts';
import {
  describeDrill,
  drillToJSON,
  exitCodeOfDrills,
  type Drilled,
} from '../drilling/describe.ts';
import { drillOne, metaPathOf, toRecorded, type DrillRequest } from '../drilling/drill-one.ts';
import { readDrillFlags, type DrillFlags } from '../drilling/flags.ts';
import { Scratch } from '../drilling/scratch.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger, toLogLevel } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { select, selectFrom, type Selection } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

interface Job {
  readonly shell: Shell;
  readonly flags: DrillFlags;
  readonly scratch: Scratch;
  readonly connections: Destinations;
  readonly logger: Logger;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readDrillFlags(args);
  for (const sql of flags.assertions) {
    const error = await findSyntaxError(sql);
    if (error !== undefined)
      throw usageError(args.command, `-assert ${JSON.stringify(sql)}: ${error}`);
  }
  if (args.has('running')) return await askReplicator(args, shell, flags);
  const { stderr, secrets } = shell;
  const level = toLogLevel(args.text('log-level') ?? '') ?? 'warn';
  const logger = createLogger({ level, type: 'text', stream: stderr, secrets });
  const selections = await selectAll(args, shell);
  await using scratch = await Scratch.create(args.text('tmp'));
  await using connections = new Destinations(logger, 'read');
  const job = { shell, flags, scratch, connections, logger };
  const drilled: Drilled[] = [];
  await interruptible(
    async (signal) => {
      for (const { database, destinations } of selections) {
        for (const destination of destinations) {
          const one = await drillAndKeep(job, database, destination, signal);
          drilled.push(one);
          if (args.has('json')) continue;
          shell.stdout.write(secrets.clean(describeDrill(one, flags)));
        }
      }
    },
    () => scratch.removeNow(),
  );
  if (args.has('json')) printJSON(shell, drilled.map(drillToJSON));
  return exitCodeOfDrills(drilled.map(({ report }) => report));
}

/** The running replicator drills them. What is printed is the same. */
async function askReplicator(args: Arguments, shell: Shell, flags: DrillFlags): Promise<number> {
  for (const name of ['tmp', 'log-level']) {
    if (args.text(name) === undefined) continue;
    const own = name === 'tmp' ? '; its folder is drill.scratch of the configuration' : '';
    throw usageError(args.command, `-${name} and -running cannot be used together${own}`);
  }
  const drilled: Drilled[] = [];
  for (const database of await runningDatabases(args, shell)) {
    for (const replica of wantedDestinations(args, database)) {
      const one = await drillThere(args, shell, { path: database.path, replica, flags });
      refuseMistakes(one.report);
      drilled.push(one);
      if (!args.has('json')) shell.stdout.write(shell.secrets.clean(describeDrill(one, flags)));
    }
  }
  if (args.has('json')) printJSON(shell, drilled.map(drillToJSON));
  return exitCodeOfDrills(drilled.map(({ report }) => report));
}

/** Without arguments, all databases of the configuration. */
async function selectAll(args: Arguments, shell: Shell): Promise<Selection[]> {
  if (args.positionals.length === 0) {
    const config = await loadConfig(args, shell);
    return config.databases.map(({ options }) => selectFrom(config, options.path, args));
  }
  const selections: Selection[] = [];
  for (const one of args.positionals)
    selections.push(await select({ ...args, positionals: [one] }, shell));
  return selections;
}

async function drillAndKeep(
  job: Job,
  database: DatabaseConfig | undefined,
  destination: DestinationConfig,
  signal: AbortSignal,
): Promise<Drilled> {
  const { shell, flags, scratch, connections, logger } = job;
  const { name, type, target } = destination;
  const bar = new ProgressBar(`drilling ${name}`, shell.stderr);
  const onProgress: DrillRequest['onProgress'] = ({ doneBytes, totalBytes }) => {
    bar.update(doneBytes, totalBytes);
  };
  const common = { ...flags, database, destination, connections, logger, onProgress, signal };
  const report = await scratch
    .use(async (folder) => drillOne({ ...common, examinationMsMax: 'none', folder }))
    .finally(() => bar.end());
  refuseMistakes(report);
  if (database !== undefined) await keep(job, database, destination, report);
  return { database: database?.options.path, name, type, target, report };
}

/** CONFIG_INVALID if nothing is wrong but the assertions themselves. */
function refuseMistakes({ assertions, problems }: Drilled['report']): void {
  const mistakes = assertions.filter(({ invalid }) => invalid === true);
  const [first] = mistakes;
  if (first === undefined || problems.length > mistakes.length) return;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `drill: the assertion ${JSON.stringify(first.sql)} ${first.failure}; the live database does not accept it either: correct it`,
  );
}

/** The result was printed, so a failure here is only a warning. */
async function keep(
  { flags, logger }: Job,
  database: DatabaseConfig,
  destination: DestinationConfig,
  report: Drilled['report'],
): Promise<void> {
  const folder = metaPathOf(database);
  try {
    const drill = toRecorded(database, destination, 'command', flags.integrityCheck);
    const kept = await recordDrill(folder, drill, report);
    if (kept === 'recorded') return;
    logger.warn(`the result is not kept for "sluice status": there is no staging folder ${folder}`);
  } catch (error) {
    logger.warn(
      `the result is not kept for "sluice status": ${messageOf(error)}; run this as the user of the replicator`,
    );
  }
}
