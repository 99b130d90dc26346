/** sluice restore */

import fs from 'node:fs';
import { isError, type RestoreTarget } from '@sluice/core';
import { formatFilename, formatTXID, parseTXID, ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { Destinations } from '../destinations.ts';
import { createLogger, LOG_LEVELS } from '../log.ts';
import { ProgressBar } from '../progress.ts';
import { findCandidates, restoreFromBest, type Candidate } from '../restoring.ts';
import { select, type Selection } from '../select.ts';

export async function run(args: Arguments): Promise<number> {
  const wish = readWish(args);
  const selection = await select(args);
  const output = args.text('o') ?? selection.database?.options.path;
  if (output === undefined) throw wrong('with a URL, -o says where to restore to');
  if (args.has('if-db-not-exists') && fs.existsSync(output)) {
    say(args, `${output} exists: nothing is done`, { db_path: output, skipped: 'database exists' });
    return 0;
  }
  const level = LOG_LEVELS.find((known) => known === args.text('log-level')) ?? 'warn';
  const logger = createLogger({ level, type: 'text', stream: process.stderr });
  const open = new Destinations(logger, 'read');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const bar = new ProgressBar('restore');
  try {
    const candidates = await findOrNone(args, selection, wish.target, open, logger);
    const best = candidates[0];
    if (best === undefined) return 0;
    if (args.has('dry-run')) {
      printPlan(args, best, output);
      return 0;
    }
    const { from, report } = await restoreFromBest(
      candidates,
      {
        output,
        target: wish.target,
        overwrite: args.has('force') || isEmpty(output) ? 'replace' : 'refuse',
        parallelism: wish.parallelism,
        integrityCheck: wish.integrityCheck,
        onProgress: ({ doneBytes, totalBytes }) => bar.update(doneBytes, totalBytes),
        signal: interrupted.signal,
      },
      open,
      logger,
    );
    bar.end();
    const { txid, durationMs, timestamp } = report;
    say(
      args,
      `restored ${output} from ${from.name} (${from.target}): TXID ${txid}, as of ${timestamp}, in ${durationMs} ms`,
      {
        db_path: output,
        replica: from.name,
        target: from.target,
        txid,
        timestamp,
        duration_ms: durationMs,
        integrity_check: wish.integrityCheck,
      },
    );
    return 0;
  } finally {
    bar.end();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    await open.close();
  }
}

/** An empty file is no database: it may be replaced, as Litestream does. */
function isEmpty(output: string): boolean {
  return fs.statSync(output, { throwIfNoEntry: false })?.size === 0;
}

interface Wish {
  readonly target: RestoreTarget;
  readonly parallelism: number | undefined;
  readonly integrityCheck: 'none' | 'quick' | 'full';
}

function readWish(args: Arguments): Wish {
  const parallelism = args.text('parallelism');
  if (parallelism !== undefined && !/^[1-9]\d{0,3}$/.test(parallelism)) {
    throw wrong(`-parallelism is a number from 1, not "${parallelism}"`);
  }
  const check = args.text('integrity-check') ?? 'none';
  if (check !== 'none' && check !== 'quick' && check !== 'full') {
    throw wrong(`-integrity-check is none, quick or full, not "${check}"`);
  }
  return {
    target: readTarget(args),
    parallelism: parallelism === undefined ? undefined : Number(parallelism),
    integrityCheck: check,
  };
}

function readTarget(args: Arguments): RestoreTarget {
  const txid = args.text('txid');
  const timestamp = args.text('timestamp');
  if (txid !== undefined && timestamp !== undefined) {
    throw wrong('-txid and -timestamp cannot be given together');
  }
  if (txid !== undefined) {
    if (!/^[0-9a-fA-F]{16}$/.test(txid)) throw wrong(`-txid is 16 hex digits, not "${txid}"`);
    return { kind: 'txid', txid: parseTXID(txid) };
  }
  if (timestamp === undefined) return { kind: 'latest' };
  const isRFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(
    timestamp,
  );
  const at = new Date(timestamp);
  if (!isRFC3339 || Number.isNaN(at.getTime())) {
    throw wrong(`-timestamp is a moment as 2026-01-31T12:00:00Z, not "${timestamp}"`);
  }
  return { kind: 'timestamp', at };
}

async function findOrNone(
  args: Arguments,
  selection: Selection,
  target: RestoreTarget,
  open: Destinations,
  logger: Parameters<typeof findCandidates>[3],
): Promise<readonly Candidate[]> {
  try {
    return await findCandidates(selection.destinations, target, open, logger);
  } catch (error) {
    if (!args.has('if-replica-exists') || !isError(error, 'RESTORE_NO_SNAPSHOT')) throw error;
    say(args, 'there is no backup: nothing is done', { skipped: 'no backup' });
    return [];
  }
}

function printPlan(args: Arguments, { destination, plan }: Candidate, output: string): void {
  const files = plan.files.map((file) => ({
    level: file.level,
    name: formatFilename(file.minTXID, file.maxTXID),
    min_txid: formatTXID(file.minTXID),
    max_txid: formatTXID(file.maxTXID),
    size: file.sizeBytes,
    timestamp: (file.createdAt ?? file.modifiedAt).toISOString(),
  }));
  if (args.has('json')) {
    const txid = formatTXID(plan.txid);
    const plan_ = {
      source: destination.target,
      target_path: output,
      replica: destination.name,
      min_txid: files[0]?.min_txid,
      max_txid: txid,
      files,
    };
    process.stdout.write(`${JSON.stringify(plan_)}\n`);
    return;
  }
  const lines = files.map((file) => `  level ${file.level}  ${file.name}  ${file.size} bytes`);
  process.stdout.write(
    `would restore ${output} from ${destination.name} (${destination.target}) ` +
      `to TXID ${formatTXID(plan.txid)}, reading ${files.length} files, ${plan.sizeBytes} bytes:\n${lines.join('\n')}\n`,
  );
}

function say(args: Arguments, text: string, json: object): void {
  process.stdout.write(`${args.has('json') ? JSON.stringify(json) : text}\n`);
}

function wrong(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `sluice restore: ${message}`);
}
