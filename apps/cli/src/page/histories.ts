/** What can be restored from a destination, as the page shows it: the JSON of `sluice history`. */

import type { V03History } from '@sluice/core';
import type { DestinationHistory, SpanView } from '@sluice/dashboard';
import type { DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import { readRow, rowToJSON, type HistoryRow } from '../history/read.ts';

export async function readHistories(
  { destinations }: DatabaseConfig,
  connections: Destinations,
  signal: AbortSignal,
): Promise<readonly DestinationHistory[]> {
  const options = { momentsMax: 0, signal };
  const rows = await Promise.all(
    destinations.map(async (destination) => await readRow(destination, connections, options)),
  );
  return rows.map(toView);
}

function toView(row: HistoryRow): DestinationHistory {
  const json = rowToJSON(row, 'said') as DestinationHistory;
  return row.kind === 'old' ? { ...json, ...ofGenerations(row.report) } : json;
}

/** A generation of Litestream 0.3 is a span; its states have no TXIDs. */
function ofGenerations({ spans }: V03History): Partial<DestinationHistory> {
  const views = spans.flatMap(({ generation, first, last, segments }): SpanView[] => {
    if (first === undefined || last === undefined) return [];
    const from = { txid: generation, timestamp: first.toISOString() };
    return [
      { level: 0, from, to: { txid: generation, timestamp: last.toISOString() }, files: segments },
    ];
  });
  const times = (of: (span: SpanView) => SpanView['from']): SpanView['from'][] =>
    views.map(of).sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
  return {
    spans: views,
    spans_total: views.length,
    first: times(({ from }) => from)[0],
    newest: times(({ to }) => to).at(-1),
    moments_total: spans.reduce((sum, { segments }) => sum + segments, 0),
  };
}
