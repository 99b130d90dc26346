/** sluice restore */

import { checkOutput, isDatabaseAt, isError } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger, toLogLevel } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { printPlan } from '../restore-plan.ts';
import { describeDetails, momentToJSON } from '../restoring/chosen.ts';
import { surveyAll, type Candidate } from '../restoring/survey.ts';
import { choose } from '../restoring/choose.ts';
import { restoreFromBest, type Restored } from '../restoring/from-best.ts';
import { readFlags, type RestoreFlags } from '../restoring/flags.ts';
import { sentFrom } from '../restoring/records.ts';
import { select, type Selection } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

interface Job {
  readonly args: Arguments;
  readonly shell: Shell;
  readonly flags: RestoreFlags;
  readonly selection: Selection;
  readonly output: string;
  readonly connections: Destinations;
  readonly logger: Logger;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readFlags(args, new Date());
  const logger = createLogger({
    level: toLogLevel(args.text('log-level') ?? '') ?? 'warn',
    type: 'text',
    stream: shell.stderr,
    secrets: shell.secrets,
  });
  const selection = await select(args, shell);
  const output = args.text('o') ?? selection.database?.options.path;
  if (output === undefined) throw usageError(args.command, 'with a URL, use -o to name the output');
  if (args.has('if-db-not-exists') && (await isDatabaseAt(output))) {
    print(args, shell, `${output} exists: nothing to do`, { db_path: output, skipped: 'exists' });
    return 0;
  }
  // Check the output before anything is read.
  if (!args.has('dry-run')) await checkOutput(output, flags.overwrite);
  await using connections = new Destinations(logger, 'read');
  const job = { args, shell, flags, selection, output, connections, logger };
  await interruptible((signal) => findAndRestore(job, signal));
  return 0;
}

async function findAndRestore(job: Job, signal: AbortSignal): Promise<void> {
  const candidates = await findOrNone(job, signal);
  const [best] = candidates;
  if (best === undefined) return;
  const { args, shell, output, flags, connections, logger } = job;
  if (args.has('dry-run')) {
    printPlan(best, output, args.has('json') ? 'json' : 'text', shell);
    return;
  }
  const bar = new ProgressBar('restoring', shell.stderr);
  const options = {
    output,
    target: flags.target,
    overwrite: flags.overwrite,
    parallelism: flags.parallelism,
    integrityCheck: flags.integrityCheck,
    onProgress: ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) =>
      bar.update(doneBytes, totalBytes),
    signal,
  } as const;
  const older = isAttended(args) ? 'allowed' : 'refused';
  const { from, report } = await restoreFromBest(candidates, options, {
    connections,
    logger,
    older,
  }).finally(() => bar.end());
  printReport(job, from, report);
}

/** -if-db-not-exists is used in scripts that start an application. */
function isAttended(args: Arguments): boolean {
  return !args.has('if-db-not-exists');
}

async function findOrNone(job: Job, signal: AbortSignal): Promise<readonly Candidate[]> {
  const { args, shell, selection, flags, output, connections, logger } = job;
  const { destinations, database } = selection;
  const { target, old } = flags;
  const sentTo = sentFrom(database, output, logger);
  const answers = await surveyAll({ destinations, target, old, connections, sentTo, signal });
  try {
    return await choose(answers, { target, isAttended: isAttended(args), logger, signal });
  } catch (error) {
    if (!args.has('if-replica-exists') || !isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    const looked_at = destinations.map((destination) => destination.target);
    print(args, shell, `${error.message}; nothing to do`, { skipped: 'no backup', looked_at });
    return [];
  }
}

/** Litestream's keys in JSON, plus `target`, `timestamp` and those about the files read. */
function printReport(
  { args, shell, output, flags }: Job,
  from: DestinationConfig,
  of: Restored['report'],
): void {
  const { timestamp, durationMs, kept, keptWAL, owner, stillOpenIn } = of;
  const state =
    'txid' in of
      ? `TXID ${of.txid}, written at ${timestamp}`
      : `generation ${of.generation} of Litestream 0.3 up to ${of.position}, uploaded at ${timestamp}`;
  const own =
    'txid' in of
      ? { txid: of.txid, ...momentToJSON(of.moment) }
      : { generation: of.generation, position: of.position };
  print(
    args,
    shell,
    `restored ${output} from ${from.name} (${from.target}): ${state}, ` +
      `${of.filesRead} files in ${(durationMs / 1_000).toFixed(1)} s` +
      describeDetails(of),
    {
      db_path: output,
      replica: from.name,
      ...own,
      duration_ms: durationMs,
      integrity_check: flags.integrityCheck,
      target: from.target,
      timestamp,
      files_read: of.filesRead,
      bytes_read: of.bytesRead,
      avoided: of.avoided,
      kept,
      kept_wal: keptWAL,
      owner,
      still_open_in: stillOpenIn.length === 0 ? undefined : stillOpenIn,
    },
  );
}

function print(args: Arguments, shell: Shell, text: string, json: object): void {
  if (args.has('json')) printJSON(shell, json);
  else shell.stdout.write(`${text}\n`);
}
