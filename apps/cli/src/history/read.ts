/** Reads the history of one destination, and converts it to the JSON of `sluice history`. */

import {
  hasBackup,
  historyOfV03,
  listGenerations,
  planV03,
  readHistory,
  type HistoryOptions,
  type HistoryReport,
  type V03History,
} from '@sluice/core';
import { isError, messageOf } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { historyToJSON } from './json.ts';
import { oldHistoryToJSON } from './old.ts';

export type HistoryRow = { readonly destination: DestinationConfig } & (
  | { readonly kind: 'history'; readonly report: HistoryReport }
  | { readonly kind: 'old'; readonly report: V03History }
  | { readonly kind: 'empty' }
  | { readonly kind: 'failed'; readonly error: unknown }
);

/** A failure of the destination is part of the result. Rejects with the reason of the signal, or CONFIG_INVALID. */
export async function readRow(
  destination: DestinationConfig,
  connections: Destinations,
  options: HistoryOptions,
): Promise<HistoryRow> {
  try {
    const { client } = await connections.open(destination, options.signal);
    const report = await readHistory(client, { ...options, generations: 'known' });
    if (report !== undefined) return { destination, kind: 'history', report };
    const old = await readOld(destination, connections, options);
    return old === undefined
      ? { destination, kind: 'empty' }
      : { destination, kind: 'old', report: old };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isError(error, 'CONFIG_INVALID')) throw error;
    return { destination, kind: 'failed', error };
  }
}

/** Only where there are no LTX files: "sluice generations" shows what is beside them. */
async function readOld(
  destination: DestinationConfig,
  connections: Destinations,
  options: HistoryOptions,
): Promise<V03History | undefined> {
  const { signal, until } = options;
  const { client } = await connections.connect(destination, signal);
  const generations = await listGenerations(client, destination.path, { signal });
  const stored = generations.filter(hasBackup);
  if (generations.length > 0 && (until !== undefined || stored.length === 0)) {
    planV03(generations, { at: until }); // throws the error of a restore
  }
  return stored.length === 0 ? undefined : historyOfV03(stored, options);
}

/** `kept`: whether to say how long states are kept. */
export function rowToJSON(row: HistoryRow, kept: 'said' | 'unknown'): object {
  const { name: replica, target, retention } = row.destination;
  const own = kept === 'said' ? { retention_seconds: toSeconds(retention) } : {};
  if (row.kind === 'history') return { replica, target, ...own, ...historyToJSON(row.report) };
  if (row.kind === 'old') return { replica, target, ...own, ...oldHistoryToJSON(row.report) };
  if (row.kind === 'empty') return { replica, target, ...own, moments_total: 0, levels: [] };
  const { error } = row;
  const code = isError(error) ? error.code : undefined;
  return { replica, target, error: { code, message: messageOf(error) } };
}

/** null: nothing is deleted. */
function toSeconds(retention: DestinationConfig['retention']): number | null {
  return retention === undefined ? null : retention.retentionMs / 1_000;
}
