/** Restores from the first candidate or, if that fails, from the next. */

import { isError, restore, type RestoreOptions, type RestoreReport } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { describeFailure, type Candidate } from './survey.ts';

export interface FromBestContext {
  readonly connections: Destinations;
  readonly logger: Logger;
  /** Whether a candidate with another state may be used instead of the first. */
  readonly older: 'allowed' | 'refused';
}

export interface Restored {
  readonly from: DestinationConfig;
  readonly report: RestoreReport;
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
        const { destination, newest } = best;
        logger.warn(
          `an older state was restored: ${destination.name} has TXID ${formatTXID(newest.txid)}, ` +
            `written at ${newest.at.toISOString()}`,
        );
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
  { destination, plan, listed }: Candidate,
  options: Omit<RestoreOptions, 'sources'>,
  { connections, logger }: FromBestContext,
): Promise<Restored> {
  logger.info(`restoring from ${destination.name}`, {
    target: destination.target,
    txid: formatTXID(plan.txid),
    files: plan.files.length,
    sizeBytes: plan.sizeBytes,
  });
  const { client, capabilities } = await connections.open(destination, options.signal);
  const sources = [{ name: destination.name, client, capabilities, listed }];
  const report = await restore({ ...options, sources });
  for (const { file, code, message } of report.avoided) {
    logger.warn(`${destination.name}: ${file} is unusable; other files replaced it: ${message}`, {
      code,
    });
  }
  const doubt = report.moment?.doubt;
  if (doubt !== undefined) logger.warn(`${destination.name}: ${doubt}`);
  return { from: destination, report };
}

function isSame({ newest: a }: Candidate, { newest: b }: Candidate): boolean {
  return a.txid === b.txid && a.lineage === b.lineage;
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
