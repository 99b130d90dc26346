/** Prints a history for people. Pure: a report in, lines out. */

import type { DatedState, HistoryReport, Newest } from '@sluice/core';
import { formatBytes, formatDuration } from '@sluice/core/config';
import { formatTXID } from '@sluice/core/ltx';
import { drawTimeline } from './timeline.ts';

/** Spans, gaps and snapshots are for people; -json has more of them. */
const ROWS_MAX = 20;
const INDENT = '  ';

/** The lines about one destination, without its name. */
export function describeHistory(report: HistoryReport, width: number): string[] {
  const { first, newest, moments, spans, gaps, snapshots, levels, doubt, unreadable } = report;
  const { line, legend } = drawTimeline(report, Math.max(20, width - 2 * INDENT.length));
  const [start, end] = [toSeconds(first.at), toSeconds(newest.at)];
  const space = ' '.repeat(Math.max(1, line.length - start.length - end.length));
  return [
    `${moments.total} ${moments.total === 1 ? 'moment' : 'moments'}, from ${describeState(first)} to ${describeState(newest)}`,
    `${INDENT}${start}${space}${end}`,
    `${INDENT}${line}`,
    `${INDENT}${legend}`,
    ...section('resolution', spans, ({ level, first: from, last: to, steps }) =>
      steps === 0
        ? `${from.at.toISOString()}: one moment`
        : `${from.at.toISOString()} to ${to.at.toISOString()}: level ${level}, ${steps} ${steps === 1 ? 'file' : 'files'}, ` +
          `a moment every ${formatDuration(roundMs((to.at.getTime() - from.at.getTime()) / steps))} on average`,
    ),
    ...section('gaps', gaps, ({ fromTXID, toTXID, before, after }) => {
      const where = [
        before === undefined ? [] : [`after ${describeState(before)}`],
        after === undefined ? [] : [`before ${describeState(after)}`],
      ].flat();
      return `TXID ${formatTXID(fromTXID)} to ${formatTXID(toTXID)} cannot be restored: ${where.join(', ')}`;
    }),
    ...section(
      'snapshots',
      snapshots,
      (snapshot) => `${describeState(snapshot)}, ${formatBytes(snapshot.sizeBytes)}`,
    ),
    `${INDENT}files: ${levels
      .map(({ level, files, sizeBytes }) => `level ${level}: ${files}, ${formatBytes(sizeBytes)}`)
      .join('; ')}`,
    ...listMoments(report),
    ...(doubt === undefined ? [] : [`${INDENT}${doubt}`]),
    ...section(
      'unreadable files, left out',
      { newest: unreadable, total: unreadable.length },
      ({ message }) => message,
    ),
  ];
}

/** The single moments, newest first. */
function listMoments({ moments }: HistoryReport): string[] {
  const { newest, total } = moments;
  if (newest.length === 0) return [];
  const more =
    newest.length < total
      ? `the newest ${newest.length} of ${total}; for others, use -until, or raise -limit`
      : `all ${total}`;
  return [
    `${INDENT}moments, newest first (${more}):`,
    ...newest.map(
      ({ txid, at, level }) =>
        `${INDENT}${INDENT}${at.toISOString()}  TXID ${formatTXID(txid)}  level ${level}`,
    ),
  ];
}

function section<Item>(
  title: string,
  { newest, total }: Newest<Item>,
  describe: (item: Item) => string,
): string[] {
  if (newest.length === 0) return [];
  const rows = newest.slice(0, ROWS_MAX);
  const more = rows.length < total ? ` (the newest ${rows.length} of ${total})` : '';
  return [
    `${INDENT}${title}${more}:`,
    ...rows.map((item) => `${INDENT}${INDENT}${describe(item)}`),
  ];
}

function describeState({ txid, at }: DatedState): string {
  return `${at.toISOString()} (TXID ${formatTXID(txid)})`;
}

function toSeconds(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Averages to the second, if they are longer than that. */
function roundMs(ms: number): number {
  return ms < 1_000 ? Math.round(ms) : Math.round(ms / 1_000) * 1_000;
}
