/** sluice restore -f: restores a warm copy unless there is one, then keeps it up to date. */

import { checkOutput, Follower, isWarmCopy, systemClock, type FollowSource } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { ProgressBar } from '../progress.ts';
import { choose } from '../restoring/choose.ts';
import { describeDetails } from '../restoring/chosen.ts';
import type { RestoreFlags } from '../restoring/flags.ts';
import { restoreFromBest } from '../restoring/from-best.ts';
import { sentFrom } from '../restoring/records.ts';
import { surveyAll, type LTXCandidate } from '../restoring/survey.ts';
import { select, type Selection } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';
import { FollowReport } from './report.ts';

interface Job {
  readonly args: Arguments;
  readonly shell: Shell;
  readonly flags: RestoreFlags;
  readonly logger: Logger;
}

interface FollowJob extends Job {
  readonly selection: Selection;
  readonly output: string;
  readonly connections: Destinations;
}

/** Ends with 0 if a signal stops it. */
export async function followBackup(job: Job): Promise<number> {
  const { args, shell, flags, logger } = job;
  const selection = await select(args, shell);
  const output = args.text('o') ?? selection.database?.options.path;
  if (output === undefined) throw usageError(args.command, 'with a URL, use -o to name the output');
  // Check the output before anything is created or read.
  if (!(await isWarmCopy(output))) await checkOutput(output, flags.overwrite);
  await using connections = new Destinations(logger, 'read');
  await interruptible((signal) => run({ ...job, selection, output, connections }, signal));
  return EXIT_CODES.ok;
}

async function run(job: FollowJob, signal: AbortSignal): Promise<void> {
  const { args, shell, flags, logger, selection, output, connections } = job;
  const form = args.has('json') ? 'json' : 'text';
  const report = new FollowReport({ form, output, shell, logger, clock: systemClock });
  const { overwrite, parallelism, follow } = flags;
  if (follow === undefined) throw new TypeError('-f was given');
  await using follower = await Follower.open({
    output,
    overwrite,
    onEvent: report.onEvent,
    signal,
  });
  let { destinations } = selection;
  if (follower.status === undefined) {
    const from = await restoreFirst(job, follower, signal);
    destinations = [from, ...destinations.filter((each) => each !== from)];
  }
  const sources = destinations.map((destination) => toSource(destination, connections));
  try {
    await follower.follow({ sources, intervalMs: follow.intervalMs, parallelism });
  } finally {
    report.end();
  }
}

function toSource(destination: DestinationConfig, connections: Destinations): FollowSource {
  const { name } = destination;
  return {
    name,
    async open(signal) {
      const { client, capabilities } = await connections.open(destination, signal);
      return { name, client, capabilities };
    },
  };
}

/** As `sluice restore` does. Returns the destination that it restored from. */
async function restoreFirst(
  job: FollowJob,
  follower: Follower,
  signal: AbortSignal,
): Promise<DestinationConfig> {
  const { args, shell, flags, logger, selection, output, connections } = job;
  const { target, overwrite, parallelism, integrityCheck, downloads } = flags;
  await checkOutput(output, overwrite);
  const { destinations, database } = selection;
  const sentTo = sentFrom(database, output, logger);
  const answers = await surveyAll({ destinations, target, connections, sentTo, signal });
  const choice = { target, across: 'refused', isAttended: true, logger, signal } as const;
  const candidates = await choose(answers, choice);
  const [best] = candidates;
  if (best !== undefined && best.layout !== 'ltx') throw cannotFollow(best.destination);
  const followed = candidates.filter((each): each is LTXCandidate => each.layout === 'ltx');
  const bar = new ProgressBar('restoring', shell.stderr, {
    form: args.has('json') ? 'events' : 'text',
  });
  const options = {
    output,
    target,
    overwrite,
    parallelism,
    integrityCheck,
    downloads,
    onProgress: ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) =>
      bar.update(doneBytes, totalBytes),
    onVerified: follower.makeCopy.bind(follower),
    signal,
  } as const;
  const context = { logger, older: 'allowed' } as const;
  const { from, report } = await restoreFromBest(followed, options, context).finally(() =>
    bar.end(),
  );
  const { timestamp, filesRead, bytesRead, durationMs, kept } = report;
  const txid = 'txid' in report ? report.txid : '';
  const json = {
    event: 'restored',
    db_path: output,
    replica: from.name,
    txid,
    timestamp,
    duration_ms: durationMs,
    files_read: filesRead,
    bytes_read: bytesRead,
    kept,
  };
  const text = `restored ${output} from ${from.name} (${from.target}): TXID ${txid}${describeDetails(report)}`;
  if (args.has('json')) printJSON(shell, json);
  else shell.stdout.write(`${text}\n`);
  return from;
}

function cannotFollow({ name, target }: DestinationConfig): ReplicationError {
  return new ReplicationError(
    'REPLICA_UNSUPPORTED',
    `follow ${name} (${target}): the newest state there is a backup of Litestream 0.3, which cannot be followed; ` +
      'restore it without -f, or replicate the database with Sluice',
  );
}
