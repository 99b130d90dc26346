/** The history of a destination that holds only a backup of Litestream 0.3: as text, and as JSON. Pure. */

import type { V03History, V03Moment, V03Span } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';

/** Generations are for people; -json has all of them. */
const ROWS_MAX = 20;

/** The lines about one destination, without its name. */
export function describeOldHistory({ spans, moments }: V03History): string[] {
  const rows = spans.slice(0, ROWS_MAX);
  const more = rows.length < spans.length ? ` (the newest ${rows.length} of ${spans.length})` : '';
  return [
    'a backup of Litestream 0.3, which has times and no TXIDs',
    `  generations, newest first${more}:`,
    ...rows.map((span) => `    ${describeSpan(span)}`),
    ...(moments.length === 0 ? [] : ['  moments, newest first:']),
    ...moments.map(({ at, generation }) => `    ${at.toISOString()}  generation ${generation}`),
  ];
}

function describeSpan({ generation, first, last, ...span }: V03Span): string {
  const objects = `${span.snapshots} snapshots, ${span.segments} segments, ${formatBytes(span.sizeBytes)}`;
  const range =
    first === undefined || last === undefined
      ? 'nothing can be restored'
      : `${first.toISOString()} to ${last.toISOString()}`;
  return `${generation}: ${range}; ${objects}`;
}

export function oldHistoryToJSON({ spans, moments }: V03History): object {
  return {
    moments: moments.map(momentToJSON),
    generations: spans.map(({ generation, first, last, snapshots, segments, sizeBytes }) => ({
      generation,
      first: first?.toISOString(),
      newest: last?.toISOString(),
      snapshots,
      segments,
      size: sizeBytes,
    })),
  };
}

function momentToJSON({ generation, at }: V03Moment): object {
  return { generation, timestamp: at.toISOString() };
}
