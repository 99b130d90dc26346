/**
 * A restore from the best of several destinations: the one that reaches furthest; of equals, a local
 * one before the others, then the first that answered. Where it fails, the next.
 */

import {
  isError,
  messageOf,
  planFrom,
  restore,
  type RestoreOptions,
  type RestorePlan,
  type RestoreReport,
  type RestoreTarget,
} from '@sluice/core';
import { formatTXID, ReplicationError, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';
import type { Destinations } from './destinations.ts';

/** Once one has answered, the others get so long: one that hangs must not stop a restore. */
const PATIENCE_MS = 30_000;

export interface Candidate {
  readonly destination: DestinationConfig;
  readonly plan: RestorePlan;
}

export interface Search {
  readonly destinations: readonly DestinationConfig[];
  readonly target: RestoreTarget;
  readonly open: Destinations;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly patienceMs?: number | undefined;
}

/** Every destination that has a plan, best first. Where none has, throws what tells most. */
export async function findCandidates(search: Search): Promise<Candidate[]> {
  const late = new AbortController();
  const signal = AbortSignal.any([search.signal, late.signal]);
  const patienceMs = search.patienceMs ?? PATIENCE_MS;
  let timer: NodeJS.Timeout | undefined;
  const found: Candidate[] = [];
  const failures: unknown[] = [];
  const ask = async (destination: DestinationConfig): Promise<void> => {
    try {
      const { client } = await search.open.open(destination, signal);
      found.push({ destination, plan: await planFrom(client, search.target, signal) });
      timer ??= setTimeout(() => late.abort(noAnswer(patienceMs)), patienceMs);
    } catch (error) {
      search.signal.throwIfAborted();
      failures.push(error);
      if (search.destinations.length === 1) return; // it is thrown
      search.logger.warn(`${destination.name} is left out: ${messageOf(error)}`, codeOf(error));
    }
  };
  try {
    await Promise.all(search.destinations.map(ask));
  } finally {
    clearTimeout(timer);
  }
  if (found.length === 0) throw mostTelling(failures);
  return found.sort(compareCandidates);
}

/** By what they reach, then by how near they are. Sorting keeps the order of their answers. */
export function compareCandidates(a: Candidate, b: Candidate): number {
  if (a.plan.txid !== b.plan.txid) return a.plan.txid > b.plan.txid ? -1 : 1;
  return distance(a) - distance(b);
}

function distance({ destination }: Candidate): number {
  return destination.type === 'file' ? 0 : 1;
}

/**
 * One that could not be asked may have what the others lack: "there is no backup" is true only
 * where all have said so.
 */
export function mostTelling(failures: readonly unknown[]): unknown {
  const known = ['RESTORE_NO_SNAPSHOT', 'RESTORE_OUT_OF_RANGE'] as const;
  return (
    failures.find((error) => !known.some((code) => isError(error, code))) ??
    failures.find((error) => isError(error, 'RESTORE_OUT_OF_RANGE')) ??
    failures[0]
  );
}

export async function restoreFromBest(
  candidates: readonly Candidate[],
  options: Omit<RestoreOptions, 'client' | 'capabilities'>,
  { open, logger }: { readonly open: Destinations; readonly logger: Logger },
): Promise<{ readonly from: DestinationConfig; readonly report: RestoreReport }> {
  let failure: unknown;
  for (const { destination, plan } of candidates) {
    try {
      logger.info(`restoring from ${destination.name}`, {
        target: destination.target,
        txid: formatTXID(plan.txid),
        files: plan.files.length,
        sizeBytes: plan.sizeBytes,
      });
      const { client, capabilities } = await open.open(destination, options.signal);
      const report = await restore({ ...options, client, capabilities });
      for (const { file, code, message } of report.avoided) {
        logger.warn(`${destination.name}: ${file} is unfit, others stood in for it: ${message}`, {
          code,
        });
      }
      if (report.doubt !== undefined) logger.warn(`${destination.name}: ${report.doubt}`);
      return { from: destination, report };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isError(error, 'RESTORE_TARGET_EXISTS')) throw error; // so it would be for the next
      failure ??= error;
      logger.warn(`restore from ${destination.name}: ${messageOf(error)}`, codeOf(error));
    }
  }
  throw failure;
}

function noAnswer(patienceMs: number): ReplicationError {
  const seconds = patienceMs / 1_000;
  return new ReplicationError(
    'REPLICA_UNAVAILABLE',
    `no answer within ${seconds} s of another one's; to wait for it, choose it with -replica`,
  );
}

function codeOf(error: unknown): { code?: string } {
  return isError(error) ? { code: error.code } : {};
}
