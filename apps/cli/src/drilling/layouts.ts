/**
 * Which backup of a destination a drill examines: the one that `restore` would take. Beside LTX files there may be
 * a backup of Litestream 0.3.
 */

import {
  listGenerations,
  type DrillSource,
  type DrillTarget,
  type RestoreTarget,
} from '@sluice/core';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { Sent } from '../restoring/records.ts';
import { surveyAll } from '../restoring/survey.ts';

export interface LayoutOptions {
  readonly connections: Destinations;
  readonly target: DrillTarget;
  readonly sent: Sent | undefined;
  readonly signal: AbortSignal;
}

/** Throws the error of `restore`. */
export async function openForDrill(
  destination: DestinationConfig,
  { connections, sent, signal, ...options }: LayoutOptions,
): Promise<DrillSource> {
  const open = async (): Promise<DrillSource> => connections.open(destination, signal);
  if (options.target.kind === 'txid') return await open(); // only LTX files have TXIDs
  const { client } = await connections.connect(destination, signal);
  const generations = await listGenerations(client, destination.path, { signal });
  if (generations.length === 0) return await open();
  // The newest state must be the one of this backup, whichever of its states is drawn.
  const target: RestoreTarget =
    options.target.kind === 'random' ? { kind: 'latest' } : options.target;
  const sentTo = (): Promise<Sent | undefined> => Promise.resolve(sent);
  const destinations = [destination];
  const [answer] = await surveyAll({ destinations, target, connections, sentTo, signal });
  if (answer?.kind === 'unanswered') throw answer.error;
  if (answer === undefined || answer.kind === 'empty' || answer.layout === 'ltx')
    return await open();
  if (answer.kind === 'unusable') throw answer.error;
  return { v03: answer.source };
}
