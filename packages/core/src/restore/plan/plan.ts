/**
 * Decides which files a restore reads, and in which order. Pure: a listing in, a plan out.
 *
 * The plan starts with the newest snapshot at or before the target and continues with the file that
 * reaches furthest (chain.ts shows why this finds a path if there is one). It is exact: `latest`
 * means the highest TXID listed at any level, even if that file cannot be used. If no files lead
 * there, the plan fails with an error that names the missing TXIDs; it never restores an older
 * state instead.
 */

import { ReplicationError } from '../../error.ts';
import { chainTo, compare, floorOf, nextAfter, reachableTXIDs } from '../../history/chain.ts';
import { HEADER_SIZE_BYTES } from '../../ltx/header.ts';
import { formatTXID, type TXID } from '../../ltx/txid.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import { locateMoment, type Moment, type TimeSearch } from './moment.ts';

/** For a timestamp, `planMoment` finds the TXID first. */
export type PlanTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'txid'; readonly txid: TXID };

/** A file that cannot be part of a restore, with the reason. */
export interface IgnoredFile {
  readonly file: LTXFileInfo;
  /** `too-short`: smaller than a header. `avoided`: the caller found it damaged. */
  readonly reason: 'too-short' | 'avoided';
}

/** The files to read for one state of a database. */
export interface RestorePlan<File extends LTXFileInfo = LTXFileInfo> {
  /** The TXID of the restored state. */
  readonly txid: TXID;
  /** Oldest first. The first file holds every page. */
  readonly files: readonly File[];
  /** Total size of the files. */
  readonly sizeBytes: number;
  readonly ignored: readonly IgnoredFile[];
  /** For a timestamp: the state that was chosen, and the next one. */
  readonly moment?: Moment | undefined;
}

export interface PlanOptions<File extends LTXFileInfo = LTXFileInfo> {
  /** Whether a file turned out to be unusable. */
  readonly isAvoided?: ((file: File) => boolean) | undefined;
  /** From the search for a timestamp. */
  readonly moment?: Moment | undefined;
}

/**
 * Plans a restore from one listing of levels 0 to 9, in any order.
 *
 * RESTORE_NO_SNAPSHOT if nothing is listed, RESTORE_GAP if files are missing at the beginning or in
 * between, RESTORE_OUT_OF_RANGE for a TXID that is not stored, or no longer stored.
 */
export function planRestore<File extends LTXFileInfo>(
  files: readonly File[],
  target: PlanTarget,
  options: PlanOptions<File> = {},
): RestorePlan<File> {
  const { usable, ignored } = sort(files, options.isAvoided ?? (() => false));
  const reached = requireRestorable(files, usable, ignored);
  const txid = target.kind === 'txid' ? target.txid : highest(files);
  const chain = chainTo(usable, txid);
  if (chain === undefined) throw unreachable(txid, files, usable, ignored, reached);
  const sizeBytes = chain.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { txid, files: chain, sizeBytes, ignored, moment: options.moment };
}

/**
 * Searches the TXID of a timestamp; the caller supplies the file times it asks for. If `at` is after
 * the newest state, but later TXIDs are listed, it is the highest of these: the plan for it then
 * names the missing files.
 */
export function* planMoment<File extends LTXFileInfo>(
  files: readonly File[],
  at: Date,
  isAvoided: (file: File) => boolean = () => false,
): TimeSearch<File> {
  const { usable, ignored } = sort(files, isAvoided);
  requireRestorable(files, usable, ignored);
  const moment = yield* locateMoment(usable, at);
  const isNewest = moment.next === undefined && at > moment.at;
  return isNewest ? { ...moment, txid: highest(files) } : moment;
}

function sort<File extends LTXFileInfo>(
  files: readonly File[],
  isAvoided: (file: File) => boolean,
): { usable: File[]; ignored: IgnoredFile[] } {
  const usable: File[] = [];
  const ignored: IgnoredFile[] = [];
  for (const file of files) {
    if (file.sizeBytes < HEADER_SIZE_BYTES) ignored.push({ file, reason: 'too-short' });
    else if (isAvoided(file)) ignored.push({ file, reason: 'avoided' });
    else usable.push(file);
  }
  return { usable, ignored };
}

function requireRestorable(
  files: readonly LTXFileInfo[],
  usable: readonly LTXFileInfo[],
  ignored: readonly IgnoredFile[],
): TXID[] {
  if (files.length === 0) {
    const message = 'there is no backup here: the listing of all levels has no LTX file';
    throw new ReplicationError('RESTORE_NO_SNAPSHOT', message);
  }
  const reached = reachableTXIDs(usable);
  if (reached.length > 0) return reached;
  const [first, ...others] = usable;
  if (first === undefined) {
    const message = `none of the ${files.length} files listed can be used${explain(ignored)}`;
    throw new ReplicationError('RESTORE_GAP', message);
  }
  const oldest = others.reduce((a, b) => (b.minTXID < a.minTXID ? b : a), first);
  throw new ReplicationError(
    'RESTORE_GAP',
    `TXID ${range(1n, oldest.minTXID - 1n)} is missing before ${describeFile(oldest)}: none of the ` +
      `${files.length} files listed is a full snapshot to start from${explain(ignored)}`,
  );
}

/** Explains why no chain of files leads to `txid`. */
function unreachable(
  txid: TXID,
  files: readonly LTXFileInfo[],
  usable: readonly LTXFileInfo[],
  ignored: readonly IgnoredFile[],
  reached: readonly TXID[],
): ReplicationError {
  const below = floorOf(reached, txid);
  const above = nextAfter(reached, txid);
  const max = highest(files);
  if (txid > max) {
    return outOfRange(
      `TXID ${formatTXID(txid)} is not stored: the highest TXID listed is ${formatTXID(max)}; ` +
        '"sluice history" shows what can be restored',
    );
  }
  if (below === undefined) {
    return outOfRange(
      `there is no full snapshot at or before TXID ${formatTXID(txid)}; the earliest TXID that can ` +
        `be restored is ${formatTXID(reached[0] as TXID)}${explain(ignored)}`,
    );
  }
  if (above !== undefined) {
    return outOfRange(
      `the remaining files do not lead to TXID ${formatTXID(txid)}; the nearest TXIDs that can be ` +
        `restored are ${formatTXID(below)} before it and ${formatTXID(above)} after it${explain(ignored)}`,
    );
  }
  return gap(below, txid, usable, ignored);
}

/** Nothing after `below` can be reached, and `txid` is after it: says which TXIDs are missing. */
function gap(
  below: TXID,
  txid: TXID,
  usable: readonly LTXFileInfo[],
  ignored: readonly IgnoredFile[],
): ReplicationError {
  const before = chainTo(usable, below)?.at(-1);
  const next = usable
    .filter((file) => file.maxTXID > below)
    .reduce<LTXFileInfo | undefined>((a, b) => (a && a.minTXID <= b.minTXID ? a : b), undefined);
  const missingEnd = next === undefined ? txid : next.minTXID - 1n;
  const between =
    (before === undefined ? '' : ` after ${describeFile(before)}`) +
    (next === undefined ? '' : ` and before ${describeFile(next)}`);
  return new ReplicationError(
    'RESTORE_GAP',
    `TXID ${range(below + 1n, missingEnd)} is missing${between}, so ` +
      `TXID ${formatTXID(txid)} cannot be restored; the last TXID before the gap is ` +
      `${formatTXID(below)}${explain(ignored.filter(({ file }) => file.maxTXID > below))}; to restore ` +
      `that state, use -txid ${formatTXID(below)}`,
  );
}

function range(from: bigint, to: bigint): string {
  return from === to ? formatTXID(from) : `${formatTXID(from)} to ${formatTXID(to)}`;
}

/** Names the files that would have helped but cannot be used. */
function explain(ignored: readonly IgnoredFile[]): string {
  const [first] = [...ignored].sort((a, b) => compare(a.file.maxTXID, b.file.maxTXID));
  if (first === undefined) return '';
  const more = ignored.length > 1 ? ` and ${ignored.length - 1} more` : '';
  const why =
    first.reason === 'avoided'
      ? 'is unusable'
      : `has ${first.file.sizeBytes} bytes, too few for an LTX file`;
  return ` (${describeFile(first.file)} ${why}${more})`;
}

function highest(files: readonly LTXFileInfo[]): TXID {
  return files.reduce((max, file) => (file.maxTXID > max ? file.maxTXID : max), 0n as TXID);
}

function outOfRange(message: string): ReplicationError {
  return new ReplicationError('RESTORE_OUT_OF_RANGE', message);
}
