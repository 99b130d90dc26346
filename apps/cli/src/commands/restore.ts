/** sluice restore */

import { checkOutput, isDatabaseAt, isError, type RestoreTarget } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import { Destinations } from '../destinations.ts';
import { followBackup } from '../following/follow.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger, toLogLevel } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { printPlan } from '../restore-plan.ts';
import { isCovered } from '../restoring/across.ts';
import { describeDetails, momentToJSON } from '../restoring/chosen.ts';
import {
  describeMaybeNewer,
  maybeNewer,
  maybeNewerToJSON,
  type LeftOut,
} from '../restoring/newer-elsewhere.ts';
import {
  surveyAll,
  type Answer,
  type Candidate,
  type Unanswered,
  type Unusable,
} from '../restoring/survey.ts';
import { choose } from '../restoring/choose.ts';
import { restoreFromBest, type Restored } from '../restoring/from-best.ts';
import {
  countFiles,
  describePlaces,
  describeSources,
  leftOutToJSON,
} from '../restoring/restored.ts';
import { recordOrigin } from '../restoring/origin.ts';
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
  if (flags.follow !== undefined) return await followBackup({ args, shell, flags, logger });
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
  const { candidates, answers } = await findOrNone(job, signal);
  const [best] = candidates;
  if (best === undefined) return;
  const { args, shell, output, flags, selection, logger } = job;
  if (args.has('dry-run')) {
    printPlan(best, output, args.has('json') ? 'json' : 'text', shell);
    const newer = newerThan(best, answers, flags.target);
    if (!args.has('json') && newer.length > 0) {
      shell.stdout.write(`${describeMaybeNewer(newer).slice(1)}\n`);
    }
    return;
  }
  const bar = new ProgressBar('restoring', shell.stderr, {
    form: args.has('json') ? 'events' : 'text',
  });
  const options = {
    output,
    target: flags.target,
    overwrite: flags.overwrite,
    parallelism: flags.parallelism,
    integrityCheck: flags.integrityCheck,
    downloads: flags.downloads,
    onProgress: ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) =>
      bar.update(doneBytes, totalBytes),
    signal,
  } as const;
  const older = isAttended(args) ? 'allowed' : 'refused';
  const restored = await restoreFromBest(candidates, options, { logger, older }).finally(() =>
    bar.end(),
  );
  // Any other output is a copy, whose backup stays that of the database.
  const isDatabase = selection.database === undefined || output === selection.database.options.path;
  if (isDatabase) await recordOrigin(output, restored, { logger, signal });
  printReport(job, restored, answers);
}

/** -if-db-not-exists is used in scripts that start an application. */
function isAttended(args: Arguments): boolean {
  return !args.has('if-db-not-exists');
}

interface Found {
  readonly candidates: readonly Candidate[];
  readonly answers: readonly Answer[];
}

async function findOrNone(job: Job, signal: AbortSignal): Promise<Found> {
  const { args, shell, selection, flags, output, connections, logger } = job;
  const { destinations, database } = selection;
  const { target, old } = flags;
  const sentTo = sentFrom(database, output, logger);
  const answers = await surveyAll({ destinations, target, old, connections, sentTo, signal });
  try {
    const across = old === undefined ? 'allowed' : 'refused';
    const options = { target, across, isAttended: isAttended(args), logger, signal } as const;
    return { candidates: await choose(answers, options), answers };
  } catch (error) {
    if (!args.has('if-replica-exists') || !isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    const looked_at = destinations.map((destination) => destination.target);
    print(args, shell, `${error.message}; nothing to do`, { skipped: 'no backup', looked_at });
    return { candidates: [], answers };
  }
}

/** Destinations that were left out, except those that belong to the restored state. */
export function newerThan(
  chosen: Candidate,
  answers: readonly Answer[],
  target: RestoreTarget,
): readonly LeftOut[] {
  const combined = chosen.layout === 'ltx' ? chosen : undefined;
  const others = answers.filter((answer) => !isLeftOut(answer) || !isCovered(answer, combined));
  return maybeNewer([chosen, ...others], chosen, target);
}

function isLeftOut(answer: Answer): answer is Unanswered | Unusable {
  return answer.kind === 'unanswered' || answer.kind === 'unusable';
}

/** Litestream's keys in JSON, plus `target`, `timestamp` and those about the files read. */
function printReport(
  { args, shell, output, flags }: Job,
  { candidate, from, sources, report: of }: Restored,
  answers: readonly Answer[],
): void {
  const newer = newerThan(candidate, answers, flags.target);
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
    `restored ${output} from ${describePlaces(sources)}: ${state}, ` +
      `${countFiles(of.filesRead)} in ${(durationMs / 1_000).toFixed(1)} s` +
      describeSources(sources) +
      describeDetails(of) +
      describeMaybeNewer(newer),
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
      sources: sources.map(({ destination: { name, target }, files, sizeBytes }) => {
        return { replica: name, target, files, bytes: sizeBytes };
      }),
      avoided: of.avoided,
      left_out: leftOutToJSON(answers.filter(isLeftOut), of),
      resumed_bytes: 'txid' in of ? of.resumed?.keptBytes : undefined,
      kept,
      kept_wal: keptWAL,
      owner,
      maybe_newer_at: maybeNewerToJSON(newer),
      still_open_in: stillOpenIn.length === 0 ? undefined : stillOpenIn,
    },
  );
}

function print(args: Arguments, shell: Shell, text: string, json: object): void {
  if (args.has('json')) printJSON(shell, json);
  else shell.stdout.write(`${text}\n`);
}
