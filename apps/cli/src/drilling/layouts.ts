/**
 * A destination with a backup of Litestream 0.3 beside LTX files: a drill examines the LTX files, so it must
 * not be ok where `restore` takes the other backup, or refuses both.
 */

import { listGenerations, type DrillTarget, type RestoreTarget } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { describeOld } from '../restoring/old.ts';
import type { Sent } from '../restoring/records.ts';
import { surveyAll } from '../restoring/survey.ts';

export interface LayoutOptions {
  readonly connections: Destinations;
  readonly target: DrillTarget;
  readonly sent: Sent | undefined;
  readonly signal: AbortSignal;
}

/** Throws the error of `restore`; REPLICA_UNSUPPORTED if it would take the backup of Litestream 0.3. */
export async function requireLTXFiles(
  destination: DestinationConfig,
  { connections, sent, signal, ...options }: LayoutOptions,
): Promise<void> {
  if (options.target.kind === 'txid') return; // only LTX files have TXIDs
  const { client } = await connections.connect(destination, signal);
  const generations = await listGenerations(client, destination.path, { signal });
  if (generations.length === 0) return;
  // The newest state must be the one of the LTX files, whichever of their states is drawn.
  const target: RestoreTarget =
    options.target.kind === 'random' ? { kind: 'latest' } : options.target;
  const sentTo = (): Promise<Sent | undefined> => Promise.resolve(sent);
  const destinations = [destination];
  const [answer] = await surveyAll({ destinations, target, connections, sentTo, signal });
  if (answer?.kind === 'unanswered') throw answer.error;
  if (answer === undefined || answer.kind === 'empty' || answer.layout === 'ltx') return;
  if (answer.kind === 'unusable') throw answer.error;
  throw new ReplicationError(
    'REPLICA_UNSUPPORTED',
    `restore would take ${describeOld(answer)} from ${destination.target}, which a drill cannot examine: ` +
      'restore it with "sluice restore" to another path, and check it there',
  );
}
