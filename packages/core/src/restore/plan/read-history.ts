/**
 * Reads what can be restored from one destination: one listing, and the headers of the files whose
 * times are reported. The number of headers does not grow with the number of files.
 */

import {
  historyOf,
  type Gap,
  type LevelTotals,
  type Span,
  type TimedState,
} from '../../history/moments.ts';
import type { ErrorCode } from '../../error.ts';
import type { LTXFileInfo, ListFilesOptions, ReplicaFiles } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import { listAll, readHeader } from './listing.ts';
import {
  beforeAllError,
  doubtAmong,
  KnownTimes,
  locateState,
  type DatedState,
  type TimeSearch,
} from './moment.ts';
import { planRestore } from './plan.ts';
import { searchTimes } from './search-times.ts';

/** Options of `readHistory`. */
export interface HistoryOptions {
  /** Begin with the state as of this time. */
  readonly since?: Date | undefined;
  /** End with the state as of this time. */
  readonly until?: Date | undefined;
  /** Single states to report, newest first. Default 0. */
  readonly momentsMax?: number | undefined;
  /** Default 'refused': a backup of Litestream 0.3 alone is an error. */
  readonly generations?: ListFilesOptions['generations'];
  readonly signal?: AbortSignal | undefined;
}

/** The newest entries of a list, newest first, and the number of all. */
export interface Newest<Item> {
  readonly newest: readonly Item[];
  readonly total: number;
}

/** A snapshot, and the time at which it was taken. */
export interface DatedSnapshot extends DatedState {
  readonly sizeBytes: number;
}

/** A state of a listing, and the lowest level that has a file for it. */
export interface ListedMoment extends DatedState {
  readonly level: number;
}

/** What can be restored from one destination. */
export interface HistoryReport {
  readonly first: DatedState;
  readonly newest: DatedState;
  /** States, of which the newest `momentsMax` are reported. */
  readonly moments: Newest<ListedMoment>;
  readonly spans: Newest<Span<DatedState>>;
  readonly gaps: Newest<Gap<DatedState>>;
  readonly snapshots: Newest<DatedSnapshot>;
  /** All files, whatever the range. */
  readonly levels: readonly LevelTotals[];
  /** How file times contradict each other: then a TXID is safer than a time. */
  readonly doubt: string | undefined;
  /** Files that were left out, because their headers cannot be decoded: the destination should be repaired. */
  readonly unreadable: readonly UnreadableFile[];
}

/** A file whose header cannot be decoded. */
export interface UnreadableFile {
  readonly file: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Spans, gaps and snapshots with times: each needs one or two headers. */
const DATED_MAX = 100;
/** Headers read at once. */
const READS_MAX = 16;

/**
 * undefined if nothing is listed. RESTORE_GAP if there are files but no state, RESTORE_OUT_OF_RANGE if
 * no state is in the range, and the errors of the destination.
 */
export async function readHistory(
  client: ReplicaFiles,
  options: HistoryOptions = {},
): Promise<HistoryReport | undefined> {
  const { signal } = options;
  const files = await listAll(client, signal, options.generations);
  if (files.length === 0) return undefined;
  const { result, unreadable } = await searchTimes(
    (isAvoided) => reportHistory(files, options, isAvoided),
    (file: LTXFileInfo) => readHeader(client, file, signal),
  );
  return {
    ...result,
    unreadable: [...unreadable].map(([file, { code, message }]) => ({
      file: describeFile(file),
      code,
      message,
    })),
  };
}

/** The report of a listing; the caller supplies the times that it asks for. */
export function* reportHistory<File extends LTXFileInfo>(
  files: readonly File[],
  { since, until, momentsMax = 0 }: HistoryOptions,
  isAvoided: (file: File) => boolean = () => false,
): TimeSearch<File, Omit<HistoryReport, 'unreadable'>> {
  const times = new KnownTimes<File>();
  const { states: all } = historyOf(files, undefined, isAvoided);
  const [oldest, newest] = [all[0], all.at(-1)];
  if (oldest === undefined || newest === undefined) {
    planRestore(files, { kind: 'latest' }, { isAvoided }); // throws an error that names the missing files
    throw new TypeError('there is a plan, but no state');
  }
  const start = since && (yield* locateState(all, since, times));
  const end = until && (yield* locateState(all, until, times));
  if (until !== undefined && end?.state === undefined) {
    const [at] = yield* times.of([oldest.file]);
    throw beforeAllError(until, { txid: oldest.txid, at: at as Date });
  }
  const range = {
    from: start?.state?.txid ?? oldest.txid,
    to: end?.state?.txid ?? newest.txid,
  };
  const found = historyOf(files, range, isAvoided);
  const moments = newestOf(found.states, momentsMax);
  const [gaps, spans, snapshots] = [
    newestOf(found.gaps, DATED_MAX),
    newestOf(found.spans, DATED_MAX),
    newestOf(found.snapshots, DATED_MAX),
  ];
  const [first = oldest] = found.states;
  const last = found.states.at(-1) ?? first;
  const edges = gaps.newest.flatMap(({ before, after }) => [before, after]);
  const reported = [first, last, ...moments.newest, ...snapshots.newest, ...edges];
  for (const span of spans.newest) reported.push(span.first, span.last);
  yield* readTimes(
    reported.filter((state) => state !== undefined),
    times,
  );
  const read = found.states.filter(({ file }) => times.has(file));
  const dated = ({ txid, file }: TimedState<File>): DatedState => ({ txid, at: times.get(file) });
  return {
    first: dated(first),
    newest: dated(last),
    moments: map(moments, (state) => ({ ...dated(state), level: state.file.level })),
    spans: map(spans, (span) => ({ ...span, first: dated(span.first), last: dated(span.last) })),
    gaps: map(gaps, ({ before, after, ...gap }) => ({
      ...gap,
      before: before && dated(before),
      after: after && dated(after),
    })),
    snapshots: map(snapshots, (state) => ({ ...dated(state), sizeBytes: state.file.sizeBytes })),
    levels: found.levels,
    doubt: start?.doubt ?? end?.doubt ?? doubtAmong(read, times),
  };
}

function* readTimes<File extends LTXFileInfo>(
  states: readonly TimedState<File>[],
  times: KnownTimes<File>,
): TimeSearch<File, void> {
  const files = [...new Set(states.map(({ file }) => file))];
  for (let index = 0; index < files.length; index += READS_MAX) {
    yield* times.of(files.slice(index, index + READS_MAX));
  }
}

function newestOf<Item>(ascending: readonly Item[], max: number): Newest<Item> {
  const newest = ascending.slice(Math.max(0, ascending.length - max)).toReversed();
  return { newest, total: ascending.length };
}

function map<From, To>({ newest, total }: Newest<From>, convert: (item: From) => To): Newest<To> {
  return { newest: newest.map(convert), total };
}
