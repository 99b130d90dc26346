/**
 * Which files a restore reads, in which order. Pure: a listing in, a decision out.
 *
 * The plan begins with the newest base at or before the target and goes on by the file that reaches
 * furthest (chain.ts shows why that finds a way wherever there is one). It is exact: `latest` means
 * the highest TXID that is listed anywhere, at any level, even by a file that cannot be used; what
 * does not lead there is an error that names what is missing, never a shorter restore.
 */

import { ReplicationError } from '../error.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';
import { chainTo, compare, floorOf, nextAfter, reachableTXIDs } from '../history/chain.ts';
import { locateMoment, type TimeQuestions } from './moment.ts';

/** A moment is found first: `planMoment` gives its TXID. */
export type PlanTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'txid'; readonly txid: TXID };

/** A file that cannot be part of a restore, and why. */
export interface IgnoredFile {
  readonly file: LTXFileInfo;
  /** `too-short`: fewer bytes than a header has. `avoided`: the caller found it unfit. */
  readonly reason: 'too-short' | 'avoided';
}

export interface RestorePlan {
  /** The state that the plan leads to. */
  readonly txid: TXID;
  /** Oldest first. The first one holds every page. */
  readonly files: readonly LTXFileInfo[];
  /** Of all files of the plan. */
  readonly sizeBytes: number;
  readonly ignored: readonly IgnoredFile[];
  /** For a moment: why another state may have been meant, where times of files contradict each other. */
  readonly doubt?: string | undefined;
}

export interface PlanOptions {
  /** Files that turned out to be unfit, as `describeFile` calls them. */
  readonly avoid?: ReadonlySet<string> | undefined;
  /** Of the moment that the target was found for. */
  readonly doubt?: string | undefined;
}

/**
 * The plan for one listing of levels 0 to 9, in any order.
 *
 * RESTORE_NO_SNAPSHOT where nothing is listed, RESTORE_GAP where files are missing at the beginning or
 * in between, RESTORE_OUT_OF_RANGE for a TXID that is not, or no longer, kept.
 */
export function planRestore(
  files: readonly LTXFileInfo[],
  target: PlanTarget,
  options: PlanOptions = {},
): RestorePlan {
  const { usable, ignored } = sort(files, options.avoid ?? new Set());
  const reached = requireRestorable(files, usable, ignored);
  const txid = target.kind === 'txid' ? target.txid : highest(files);
  const chain = chainTo(usable, txid);
  if (chain === undefined) throw unreachable(txid, files, usable, ignored, reached);
  const sizeBytes = chain.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { txid, files: chain, sizeBytes, ignored, doubt: options.doubt };
}

/** The search for the TXID of a moment: the caller answers it with times of files. */
export function planMoment(files: readonly LTXFileInfo[], at: Date): TimeQuestions {
  const { usable, ignored } = sort(files, new Set());
  requireRestorable(files, usable, ignored);
  return locateMoment(usable, at);
}

function sort(
  files: readonly LTXFileInfo[],
  avoid: ReadonlySet<string>,
): { usable: LTXFileInfo[]; ignored: IgnoredFile[] } {
  const usable: LTXFileInfo[] = [];
  const ignored: IgnoredFile[] = [];
  for (const file of files) {
    if (file.sizeBytes < HEADER_SIZE_BYTES) ignored.push({ file, reason: 'too-short' });
    else if (avoid.has(describeFile(file))) ignored.push({ file, reason: 'avoided' });
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
    const message = 'there is no backup here: no LTX file is listed at any level';
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
      `${files.length} files listed is a snapshot to begin with${explain(ignored)}`,
  );
}

/** Why no chain leads to `txid`. */
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
      `TXID ${formatTXID(txid)} is not stored: the highest listed is ${formatTXID(max)}`,
    );
  }
  if (below === undefined) {
    return outOfRange(
      `no snapshot lies at or before TXID ${formatTXID(txid)}; the earliest that can be restored ` +
        `is ${formatTXID(reached[0] as TXID)}${explain(ignored)}`,
    );
  }
  if (above !== undefined) {
    return outOfRange(
      `TXID ${formatTXID(txid)} cannot be reached by the files that are left; the nearest that can ` +
        `are ${formatTXID(below)} before it and ${formatTXID(above)} after it${explain(ignored)}`,
    );
  }
  return gap(below, txid, usable, ignored);
}

/** Nothing beyond `below` is reachable, and `txid` lies beyond: what is missing, between what. */
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
      `TXID ${formatTXID(txid)} cannot be restored; the last before the gap is ` +
      `${formatTXID(below)}${explain(ignored.filter(({ file }) => file.maxTXID > below))}`,
  );
}

function range(from: bigint, to: bigint): string {
  return from === to ? formatTXID(from) : `${formatTXID(from)} to ${formatTXID(to)}`;
}

/** Files that would have helped but cannot be used are part of the reason. */
function explain(ignored: readonly IgnoredFile[]): string {
  const [first] = [...ignored].sort((a, b) => compare(a.file.maxTXID, b.file.maxTXID));
  if (first === undefined) return '';
  const more = ignored.length > 1 ? ` and ${ignored.length - 1} more` : '';
  const why =
    first.reason === 'avoided'
      ? 'was found unfit'
      : `has ${first.file.sizeBytes} bytes, too few for an LTX file`;
  return ` (${describeFile(first.file)} ${why}${more})`;
}

function highest(files: readonly LTXFileInfo[]): TXID {
  return files.reduce((max, file) => (file.maxTXID > max ? file.maxTXID : max), 0n as TXID);
}

function outOfRange(message: string): ReplicationError {
  return new ReplicationError('RESTORE_OUT_OF_RANGE', message);
}
