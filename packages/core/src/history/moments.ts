/**
 * What can be restored from the files of one destination: states, gaps, and which files have their
 * times. Pure: it reads a listing, not files.
 *
 * Between two neighboring states `a` and `b` lies
 *  - nothing, if b = a + 1;
 *  - one merged file, if a file below level 9 covers a + 1: that file then reaches to `b` or beyond
 *    (see chain.ts), and the states inside it are given up on purpose;
 *  - a *gap* in all other cases: files are missing, and only a later snapshot makes `b` a state.
 *
 * The state as of a time inside a gap is unknown. The state as of a time inside a merged file is `a`.
 */

import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { compare, reachableTXIDs } from './chain.ts';
import { LEVEL_SNAPSHOT } from './levels.ts';

/** A TXID that a file ends with, and the file that has its time. */
export interface TimedState<File extends LTXFileInfo = LTXFileInfo> {
  readonly txid: TXID;
  readonly file: File;
}

/**
 * The wanted TXIDs with the files that have their times, ascending. Files of all levels have the same
 * time for a TXID. The lowest level was written first, so it is the most reliable.
 */
export function timedStates<File extends LTXFileInfo>(
  files: readonly File[],
  wanted: ReadonlySet<TXID>,
): TimedState<File>[] {
  const byTXID = new Map<TXID, File>();
  for (const file of files) {
    if (!wanted.has(file.maxTXID)) continue;
    const other = byTXID.get(file.maxTXID);
    if (other === undefined || file.level < other.level) byTXID.set(file.maxTXID, file);
  }
  return [...byTXID]
    .map(([txid, file]) => ({ txid, file }))
    .sort((a, b) => compare(a.txid, b.txid));
}

/** Whether files are missing between the state `a` and the next known TXID `b`. */
export function isGap(files: readonly LTXFileInfo[], a: TXID, b: TXID): boolean {
  if (b <= a + 1n) return false;
  return !files.some(
    ({ level, minTXID, maxTXID }) => level !== LEVEL_SNAPSHOT && minTXID <= a + 1n && maxTXID > a,
  );
}

/** TXIDs that cannot be restored, because files are missing. */
export interface Gap<State = TimedState> {
  readonly fromTXID: bigint;
  readonly toTXID: bigint;
  /** The state before the gap; undefined if nothing can be restored at all. */
  readonly before: State | undefined;
  /** The state after the gap; undefined if the gap has no end. */
  readonly after: State | undefined;
}

/** States that follow each other without a gap, all with the resolution of one level. */
export interface Span<State = TimedState> {
  /** The level of the files that lead from each state to the next. */
  readonly level: number;
  readonly first: State;
  readonly last: State;
  /** Files from `first` to `last`; 0 for a single snapshot. */
  readonly steps: number;
}

/** All files of a level, whether they can be used or not. */
export interface LevelTotals {
  readonly level: number;
  readonly files: number;
  readonly sizeBytes: number;
}

/** What can be restored from the files of one destination. All lists are in the order of TXIDs. */
export interface History<File extends LTXFileInfo = LTXFileInfo> {
  readonly states: readonly TimedState<File>[];
  readonly gaps: readonly Gap<TimedState<File>>[];
  readonly spans: readonly Span<TimedState<File>>[];
  readonly snapshots: readonly TimedState<File>[];
  readonly levels: readonly LevelTotals[];
}

/** Part of a history. */
export interface StateRange {
  readonly from: TXID;
  readonly to: TXID;
}

/** With `range`, only its states, and the gaps between them. `isAvoided`: files that cannot be used. */
export function historyOf<File extends LTXFileInfo>(
  files: readonly File[],
  range?: StateRange,
  isAvoided: (file: File) => boolean = () => false,
): History<File> {
  const usable = files.filter((file) => file.sizeBytes >= HEADER_SIZE_BYTES && !isAvoided(file));
  const all = timedStates(usable, new Set(reachableTXIDs(usable)));
  const isInside = ({ txid }: { readonly txid: TXID }): boolean =>
    range === undefined || (txid >= range.from && txid <= range.to);
  const states = all.filter(isInside);
  const { gaps, spans } = walk(usable, states);
  const last = all.at(-1);
  const highest = files.reduce((max, { maxTXID }) => (maxTXID > max ? maxTXID : max), 0n);
  const isEndInside = last === undefined || states.at(-1) === last;
  if (isEndInside && highest > (last?.txid ?? 0n)) {
    const fromTXID = (last?.txid ?? 0n) + 1n;
    gaps.push({ fromTXID, toTXID: highest, before: last, after: undefined });
  }
  const snapshots = usable
    .filter(({ level }) => level === LEVEL_SNAPSHOT)
    .map((file) => ({ txid: file.maxTXID, file }))
    .filter(isInside)
    .sort((a, b) => compare(a.txid, b.txid));
  return { states, gaps, spans, snapshots, levels: totalsOf(files) };
}

/** Goes from each state to the next one. */
function walk<File extends LTXFileInfo>(
  files: readonly File[],
  states: readonly TimedState<File>[],
): { gaps: Gap<TimedState<File>>[]; spans: Span<TimedState<File>>[] } {
  const gaps: Gap<TimedState<File>>[] = [];
  const spans: Span<TimedState<File>>[] = [];
  const coveringFile = coverage(files);
  let span: Span<TimedState<File>> | undefined;
  for (const [index, state] of states.entries()) {
    const before = states[index - 1];
    const cover = before && coveringFile(before.txid);
    if (before !== undefined && cover === undefined && state.txid > before.txid + 1n) {
      const [fromTXID, toTXID] = [before.txid + 1n, state.txid - 1n];
      gaps.push({ fromTXID, toTXID, before, after: state });
    }
    const isContinued = cover !== undefined || state.txid === (before?.txid ?? 0n) + 1n;
    const level = levelOf(state, before, cover);
    if (before === undefined || !isContinued) {
      span = { level: state.file.level, first: state, last: state, steps: 0 };
      spans.push(span);
    } else if (span?.level === level || span?.steps === 0) {
      span = { ...span, level, last: state, steps: span.steps + 1 };
      spans[spans.length - 1] = span;
    } else {
      span = { level, first: before, last: state, steps: 1 };
      spans.push(span);
    }
  }
  return { gaps, spans };
}

/** The level of the file that leads from `before` to `state`. */
function levelOf(
  state: TimedState,
  before: TimedState | undefined,
  cover: LTXFileInfo | undefined,
): number {
  const { level, minTXID } = state.file;
  const isStep = level !== LEVEL_SNAPSHOT && minTXID <= (before?.txid ?? 0n) + 1n;
  return isStep ? level : (cover?.level ?? level);
}

/** Returns a function that finds a file that continues a state. Call it with ascending states. */
function coverage(files: readonly LTXFileInfo[]): (txid: TXID) => LTXFileInfo | undefined {
  const steps = files
    .filter(({ level }) => level !== LEVEL_SNAPSHOT)
    .sort((a, b) => compare(a.minTXID, b.minTXID));
  let next = 0;
  let furthest: LTXFileInfo | undefined;
  return (txid) => {
    for (; next < steps.length; next += 1) {
      const file = steps[next] as LTXFileInfo;
      if (file.minTXID > txid + 1n) break;
      if (furthest === undefined || file.maxTXID > furthest.maxTXID) furthest = file;
    }
    return furthest !== undefined && furthest.maxTXID > txid ? furthest : undefined;
  };
}

function totalsOf(files: readonly LTXFileInfo[]): LevelTotals[] {
  const totals = new Map<number, LevelTotals>();
  for (const { level, sizeBytes } of files) {
    const sum = totals.get(level) ?? { level, files: 0, sizeBytes: 0 };
    totals.set(level, { level, files: sum.files + 1, sizeBytes: sum.sizeBytes + sizeBytes });
  }
  return [...totals.values()].sort((a, b) => a.level - b.level);
}
