/**
 * Restores from the best of several destinations: the one that reaches furthest, and of equals the
 * first; where one fails, the next.
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
import type { Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';
import type { Destinations } from './destinations.ts';

export interface Candidate {
  readonly destination: DestinationConfig;
  readonly plan: RestorePlan;
}

/** Every destination that has a plan, best first. Throws the first failure where none has. */
export async function findCandidates(
  destinations: readonly DestinationConfig[],
  target: RestoreTarget,
  open: Destinations,
  logger: Logger,
): Promise<Candidate[]> {
  const failures: unknown[] = [];
  const found = await Promise.all(
    destinations.map(async (destination) => {
      try {
        const { client } = await open.open(destination);
        return { destination, plan: await planFrom(client, target) };
      } catch (error) {
        failures.push(error);
        logger.warn(`${destination.name} is left out: ${messageOf(error)}`);
        return undefined;
      }
    }),
  );
  const candidates = found.filter((candidate) => candidate !== undefined);
  if (candidates.length === 0) throw mostTelling(failures);
  return candidates.sort((a, b) => Number(b.plan.txid - a.plan.txid));
}

/** One that could not be asked tells more than one that has nothing. */
function mostTelling(failures: readonly unknown[]): unknown {
  return failures.find((error) => !isError(error, 'RESTORE_NO_SNAPSHOT')) ?? failures[0];
}

export async function restoreFromBest(
  candidates: readonly Candidate[],
  options: Omit<RestoreOptions, 'client'>,
  open: Destinations,
  logger: Logger,
): Promise<{ readonly from: DestinationConfig; readonly report: RestoreReport }> {
  let failure: unknown;
  for (const { destination } of candidates) {
    try {
      const { client } = await open.open(destination);
      return { from: destination, report: await restore({ ...options, client }) };
    } catch (error) {
      const isOver = isError(error, 'RESTORE_TARGET_EXISTS') || options.signal?.aborted === true;
      if (isOver) throw error;
      failure ??= error;
      logger.warn(`restore from ${destination.name} failed: ${messageOf(error)}`);
    }
  }
  throw failure;
}
