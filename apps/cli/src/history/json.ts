/** A history as JSON. Pure. Lists are newest first. */

import type { DatedState, HistoryReport } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';

export function historyToJSON(report: HistoryReport): object {
  const { first, newest, moments, spans, gaps, snapshots, levels, doubt, unreadable } = report;
  return {
    first: toState(first),
    newest: toState(newest),
    moments_total: moments.total,
    moments: moments.newest.map((moment) => ({ ...toState(moment), level: moment.level })),
    spans_total: spans.total,
    spans: spans.newest.map(({ level, first: from, last: to, steps }) => ({
      level,
      from: toState(from),
      to: toState(to),
      files: steps,
      resolution_ms:
        steps === 0 ? undefined : Math.round((to.at.getTime() - from.at.getTime()) / steps),
    })),
    gaps_total: gaps.total,
    gaps: gaps.newest.map(({ fromTXID, toTXID, before, after }) => ({
      from_txid: formatTXID(fromTXID),
      to_txid: formatTXID(toTXID),
      before: before && toState(before),
      after: after && toState(after),
    })),
    snapshots_total: snapshots.total,
    snapshots: snapshots.newest.map((snapshot) => ({
      ...toState(snapshot),
      size: snapshot.sizeBytes,
    })),
    levels: levels.map(({ level, files, sizeBytes }) => ({ level, files, size: sizeBytes })),
    doubt,
    unreadable: unreadable.length === 0 ? undefined : unreadable,
  };
}

function toState({ txid, at }: DatedState): object {
  return { txid: formatTXID(txid), timestamp: at.toISOString() };
}
