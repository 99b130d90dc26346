/** Restores from the first candidate or, if that fails, from the next. */

import {
  isError,
  restore,
  restoreV03,
  type RestoreOptions,
  type RestoreReport,
  type RestoreV03Report,
} from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import { listOf, toSource } from './across.ts';
import { describeState } from './newest-first.ts';
import { describeOld, olderFirst, withLTXState, type OldCandidate } from './old.ts';
import { describeFailure, type Candidate, type LTXCandidate } from './survey.ts';

export interface FromBestContext {
  readonly logger: Logger;
  /** Whether a candidate with another state may be used instead of the first. */
  readonly older: 'allowed' | 'refused';
}

export interface Restored {
  readonly candidate: Candidate;
  /** The one that most bytes were read from. */
  readonly from: DestinationConfig;
  /** All of them, the nearest first. */
  readonly sources: readonly RestoredSource[];
  readonly report: RestoreReport | RestoreV03Report;
}

/** What was read from one destination. */
export interface RestoredSource {
  readonly destination: DestinationConfig;
  readonly files: number;
  readonly sizeBytes: number;
}

export async function restoreFromBest(
  candidates: readonly Candidate[],
  options: Omit<RestoreOptions, 'sources'>,
  context: FromBestContext,
): Promise<Restored> {
  const { logger } = context;
  const [best] = candidates;
  const usable = candidates.filter(
    (candidate) => best !== undefined && (context.older === 'allowed' || isSame(candidate, best)),
  );
  const failures: unknown[] = [];
  for (const [index, candidate] of usable.entries()) {
    try {
      const restored = await restoreFrom(candidate, options, context);
      if (best !== undefined && !isSame(candidate, best)) {
        logger.warn(`an older state was restored: ${describeBetter(best)}`);
      }
      return restored;
    } catch (error) {
      options.signal?.throwIfAborted();
      failures.push(error);
      if (isOutputError(error) || index === usable.length - 1) break; // thrown below
      const { message, code } = describeFailure(error);
      logger.warn(`restore from ${candidate.destination.name}: ${message}`, { code });
    }
  }
  throw failures.length > 1 ? combinedError(failures) : failures[0];
}

async function restoreFrom(
  candidate: Candidate,
  options: Omit<RestoreOptions, 'sources'>,
  context: FromBestContext,
): Promise<Restored> {
  return candidate.layout === 'ltx'
    ? await restoreLTX(candidate, options, context)
    : await restoreOld(candidate, options, context);
}

async function restoreOld(
  candidate: OldCandidate,
  options: Omit<RestoreOptions, 'sources'>,
  { logger }: FromBestContext,
): Promise<Restored> {
  const { destination, source, listed, target, plan, note, ltx } = candidate;
  if (note !== undefined) logger.warn(`${destination.name}: ${note}`);
  if (options.downloads === 'kept') {
    logger.warn(
      `${destination.name}: a backup of Litestream 0.3 is always restored from the start`,
    );
  }
  logger.info(`restoring from ${destination.name}: ${describeOld(candidate)}`, {
    target: destination.target,
    files: 1 + plan.segments.length,
    sizeBytes: plan.sizeBytes,
  });
  const restoring = restoreV03({
    ...options,
    onProgress:
      options.onProgress &&
      ((each) => options.onProgress?.({ ...each, files: 1 + plan.segments.length })),
    source,
    listed,
    target,
  });
  const report = await restoring.catch((error: unknown) => {
    throw isStoredWrong(error) ? withLTXState(error, ltx) : error;
  });
  for (const { file, code, message } of report.avoided) {
    logger.warn(
      `${destination.name}: ${file} is unusable; an older snapshot replaced it: ${message}`,
      {
        code,
      },
    );
  }
  const { filesRead: files, bytesRead: sizeBytes } = report;
  return { candidate, from: destination, sources: [{ destination, files, sizeBytes }], report };
}

async function restoreLTX(
  candidate: LTXCandidate,
  options: Omit<RestoreOptions, 'sources'>,
  { logger }: FromBestContext,
): Promise<Restored> {
  const { destination, plan, note, across } = candidate;
  const { name, target } = destination;
  if (note !== undefined) logger.warn(`${name}: ${note}`);
  const size = { files: plan.files.length, sizeBytes: plan.sizeBytes };
  logger.info(
    `restoring from ${across === undefined ? name : listOf(across.sources.map((each) => each.name))}`,
    {
      target: across === undefined ? target : undefined,
      txid: formatTXID(plan.txid),
      ...size,
    },
  );
  const sources = across?.sources ?? [toSource(candidate)];
  const report = await restore({ ...options, sources });
  for (const { file, source, code, message } of report.avoided) {
    logger.warn(`${source}: ${file} is unusable; other files replaced it: ${message}`, { code });
  }
  for (const { source, code, message } of report.failedSources) {
    logger.warn(`${source} stopped answering; other destinations replaced it: ${message}`, {
      code,
    });
  }
  const doubt = report.moment?.doubt;
  if (doubt !== undefined) logger.warn(`${name}: ${doubt}`);
  const known = across?.destinations ?? [destination];
  const read = report.readFrom.flatMap(({ source, files, sizeBytes }) => {
    const found = known.find((each) => each.name === source);
    return found === undefined ? [] : [{ destination: found, files, sizeBytes }];
  });
  const [most] = read.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  return { candidate, from: most?.destination ?? destination, sources: read, report };
}

function describeBetter(best: Candidate): string {
  if (best.layout === 'v03') return describeState(best);
  const { destination, newest } = best;
  const { txid, at } = newest;
  return `${destination.name} has TXID ${formatTXID(txid)}, written at ${at.toISOString()}`;
}

function isSame(a: Candidate, b: Candidate): boolean {
  if (a.layout === 'ltx' && b.layout === 'ltx') {
    return a.newest.txid === b.newest.txid && a.newest.lineage === b.newest.lineage;
  }
  if (a.layout === 'ltx' || b.layout === 'ltx') return false;
  return a.plan.generation.id === b.plan.generation.id && olderFirst(a, b) === 0;
}

/** Objects are missing, damaged or encrypted: another backup may be whole. */
function isStoredWrong(error: unknown): error is ReplicationError {
  const codes = ['RESTORE_GAP', 'RESTORE_DAMAGED', 'REPLICA_NO_IDENTITY'] as const;
  return codes.some((code) => isError(error, code));
}

/** Other candidates would fail in the same way. */
function isOutputError(error: unknown): boolean {
  const codes = ['RESTORE_TARGET_EXISTS', 'RESTORE_OUTPUT', 'DATABASE_BUSY'] as const;
  return codes.some((code) => isError(error, code));
}

/** The other failures were logged. Has the code of the best candidate's failure. */
function combinedError(failures: readonly unknown[]): ReplicationError {
  const [first] = failures;
  const { message } = describeFailure(failures.at(-1));
  return new ReplicationError(
    isError(first) ? first.code : 'REPLICA_UNKNOWN',
    `${message}; ${failures.length - 1} other destinations failed before`,
    { cause: first },
  );
}
