/**
 * Draws a history as one line of characters, each of them an equal part of its time. Pure.
 *
 *  character  meaning
 *  !          a gap: nothing in it can be restored
 *  S          a snapshot was taken
 *  0 to 8     the lowest level with files: the lower, the more moments
 *  .          not known: the report has only the newest spans
 */

import type { HistoryReport } from '@sluice/core';

const MEANINGS: Readonly<Record<string, string>> = {
  '!': '!: gap',
  S: 'S: snapshot',
  '.': '.: older, not drawn',
};

export interface Timeline {
  /** One character per column. */
  readonly line: string;
  /** The meaning of each character in the line. */
  readonly legend: string;
}

/** Draws the spans, gaps and snapshots of a report in up to `widthMax` columns. */
export function drawTimeline(report: HistoryReport, widthMax: number): Timeline {
  const { first, newest, spans, gaps, snapshots } = report;
  const startMs = first.at.getTime();
  const lengthMs = newest.at.getTime() - startMs;
  const width = lengthMs > 0 ? widthMax : 1 + gaps.newest.length;
  const columns = Array.from({ length: width }, () => '.');
  const columnOf = (at: Date): number => {
    const part = lengthMs <= 0 ? 0 : (at.getTime() - startMs) / lengthMs;
    return Math.min(width - 1, Math.max(0, Math.floor(part * width)));
  };
  // Highest level first, so that a lower one is drawn over it.
  const byLevel = [...spans.newest].sort((a, b) => b.level - a.level);
  for (const { level, first: from, last: to, steps } of byLevel) {
    if (steps === 0) continue;
    for (const column of range(columnOf(from.at), columnOf(to.at))) columns[column] = String(level);
  }
  for (const { at } of snapshots.newest) columns[columnOf(at)] = 'S';
  for (const { before, after } of gaps.newest) {
    const start = columnOf(before?.at ?? first.at);
    const end = after === undefined ? width - 1 : columnOf(after.at);
    // Keep the states beside the gap visible, if there is room.
    const inner = range(start + 1, after === undefined ? end : end - 1);
    for (const column of inner.length > 0 ? inner : [end]) columns[column] = '!';
  }
  return { line: columns.join(''), legend: legendOf(columns) };
}

function legendOf(columns: readonly string[]): string {
  const seen = [...new Set(columns)].sort();
  return seen
    .map((character) => MEANINGS[character] ?? `${character}: files of level ${character}`)
    .join(', ');
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start + 1) }, (_, index) => start + index);
}
