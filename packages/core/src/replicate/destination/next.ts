/**
 * Chooses the next file to send to one destination, so that the newest state can be restored even if
 * sending stops after any file. Pure.
 *
 * - An increment is sent after its predecessor of the same lineage.
 * - A destination that is far behind first gets merged files, which stand for level-0 files.
 * - An image whose TXID directly follows the destination's: first level 0 (all pages, restorable
 *   alone or with the existing files), then the snapshot 1..n of the same bytes, then each merged level that
 *   is in use, because no merge leads over an image.
 * - An image after a TXID gap, over foreign or damaged files, or with another page size: first the
 *   snapshot 1..n, then the same image at each merged level as (maximum + 1)..n, so that Litestream's
 *   compaction finds no gap, then level 0.
 */

import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { FileSet } from '../../replica/file-set.ts';
import type { Backlog, StagedIncrement, StagedSnapshot } from '../backlog.ts';
import type { StagedMerge } from '../levels/merge-files.ts';
import type { Chain } from './admission.ts';
import { type MergesPlan, planCatchUp } from '../levels/wanted-merges.ts';

/** Levels between level 0 and the snapshots. */
const MERGED_LEVELS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

export interface DestinationView {
  readonly files: FileSet;
  /** The highest TXID in use there, including names that were taken but are not listed. */
  readonly highest: bigint;
  readonly chain: Chain;
  /** Lineage of its newest file if that is ours; else 0n. */
  readonly lineage: bigint;
  /** Merged files of this lineage up to this TXID do not fit (`Admission`). */
  readonly since: bigint;
  /** Description of what is wrong with its contents. */
  readonly why: string | undefined;
  /** Page size of its newest file; 0 if unknown. */
  readonly pageSize: number;
  /** The image that is being written there, if any. */
  readonly seeding: Seed | undefined;
}

/** An image being sent: the files to write, in order. */
export interface Seed {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly pageSize: number;
  readonly writes: readonly SeedWrite[];
}

/** One file to write: a staged file, sent under the TXIDs of `ref`. */
export interface SeedWrite {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
  /** The newest state can be restored without an optional file. */
  readonly need: 'required' | 'optional';
}

export interface SeedSource {
  readonly path: string;
  readonly sizeBytes: number;
  readonly timestampMs: number;
}

export type NextStep =
  /** The destination has everything. */
  | { readonly kind: 'idle' }
  /** The next file is being made. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'increment'; readonly file: StagedIncrement }
  /** Stands for many files of level 0 that the destination lacks. */
  | { readonly kind: 'merge'; readonly file: StagedMerge }
  | { readonly kind: 'seed'; readonly seed: Seed }
  /** A snapshot of the current lineage at any TXID above the destination's is enough. */
  | { readonly kind: 'needs-snapshot'; readonly why: string }
  /** A new image with a TXID above `floor` is required. */
  | { readonly kind: 'needs-image'; readonly floor: bigint; readonly why: string };

export interface NextInput {
  readonly view: DestinationView;
  readonly backlog: Backlog;
  readonly snapshot: StagedSnapshot | undefined;
  /** The staged merged files that the destination may get. */
  readonly merges: readonly StagedMerge[];
  /** The newest TXID in use; 0n before the first. */
  readonly head: bigint;
  /** Merged files are sent as soon as they lead further, not only to a destination that is far behind. */
  readonly prefers?: 'merged files' | undefined;
}

/** A destination that lacks more files of level 0 than this gets merged files, if they are staged. */
export const BEHIND_FILES = 30n;

export function nextStep(input: NextInput): NextStep {
  const { view, backlog, snapshot, head } = input;
  if (view.seeding !== undefined) return { kind: 'seed', seed: view.seeding };
  const at = view.highest;
  if (view.chain === 'ours' && at <= head) {
    const [merged] = catchUp(input)?.files ?? [];
    if (merged !== undefined) return { kind: 'merge', file: merged };
    const next = backlog.get(at + 1n) ?? levelZeroAt(view, backlog);
    if (next?.content === 'increment' && next.lineage === view.lineage) {
      return { kind: 'increment', file: next };
    }
    if (at === head) return { kind: 'idle' };
  }
  const image = backlog.firstImage((file) => canSeed(view, file));
  if (image !== undefined) return { kind: 'seed', seed: seedFrom(view, image, image) };
  if (snapshot !== undefined && canSeed(view, snapshot) && isFollowed(backlog, snapshot)) {
    return { kind: 'seed', seed: seedFrom(view, snapshot, levelZeroOf(view, backlog, snapshot)) };
  }
  if (backlog.isGated) return { kind: 'waiting' }; // for the image that is being made
  return neededImage(view, head);
}

/** The merged files with which a destination that is far behind continues; undefined if there are none. */
export function catchUp({
  view,
  backlog,
  merges,
  head,
  prefers,
}: NextInput): MergesPlan | undefined {
  const at = view.highest;
  if (view.chain !== 'ours' || view.seeding !== undefined || at >= head) return undefined;
  const isFar = head - at > BEHIND_FILES || prefers === 'merged files';
  const isBehind = isFar || backlog.get(at + 1n) === undefined;
  if (!isBehind || merges.length === 0) return undefined;
  const plan = planCatchUp(view, merges);
  return plan.reached > at ? plan : undefined;
}

/**
 * The level-0 file that a merged file at the end of the destination contains. Litestream continues after the
 * newest file of level 0.
 */
function levelZeroAt({ files, highest }: DestinationView, backlog: Backlog): typeof backlog.newest {
  return files.topOf(0) < highest ? backlog.get(highest) : undefined;
}

/**
 * An image can seed above the destination's TXID. It can also repair damage at that TXID if the
 * newest file is ours.
 */
function canSeed(
  view: DestinationView,
  image: { readonly txid: bigint; readonly lineage: bigint },
): boolean {
  if (image.txid > view.highest) return true;
  return isRepairable(view) && image.txid === view.highest && image.lineage === view.lineage;
}

function isRepairable({ chain, lineage }: DestinationView): boolean {
  return chain === 'damaged' && lineage !== 0n;
}

/** Whether all files after the snapshot are still staged, so that level 0 can continue after the seed. */
function isFollowed(backlog: Backlog, snapshot: StagedSnapshot): boolean {
  const oldest = backlog.files[0];
  return oldest !== undefined && oldest.txid <= snapshot.txid + 1n;
}

function neededImage(view: DestinationView, head: bigint): NextStep {
  const at = view.highest;
  if (head === 0n) return { kind: 'waiting' };
  if (at > head || (at === head && !isRepairable(view))) {
    const why = view.why ?? `it ends with TXID ${formatTXID(at)}, but nothing newer was staged`;
    return { kind: 'needs-image', floor: at, why };
  }
  return { kind: 'needs-snapshot', why: view.why ?? WHY_A_SNAPSHOT[view.chain] };
}

const WHY_A_SNAPSHOT: Readonly<Record<Chain, string>> = {
  empty: 'it is empty',
  foreign: 'it has files of another writer',
  damaged: 'files are missing there',
  'half-seeded': 'the full snapshot that was being sent is no longer staged',
  ours: 'some files that it lacks are no longer staged',
};

/** Whether the remaining files of a seed are still staged. */
export function isStaged(
  seed: Seed,
  input: Pick<NextInput, 'view' | 'backlog' | 'snapshot'>,
): boolean {
  const { view, backlog, snapshot } = input;
  return seed.writes.every(
    ({ ref, source }) =>
      view.files.has(ref) || source.path === snapshot?.path || backlog.has(source.path),
  );
}

interface ImageSource extends SeedSource {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly pageSize: number;
}

/**
 * The level-0 file of a seed: over our own files the increment of that TXID, otherwise an image
 * with all pages.
 */
function levelZeroOf(
  view: DestinationView,
  backlog: Backlog,
  snapshot: StagedSnapshot,
): SeedSource {
  const isOurs =
    view.chain === 'empty' || (view.chain === 'ours' && view.lineage === snapshot.lineage);
  const increment = isOurs ? backlog.get(snapshot.txid) : undefined;
  const isSame =
    increment?.pageSize === snapshot.pageSize && increment.lineage === snapshot.lineage;
  return isSame ? increment : snapshot;
}

function seedFrom(view: DestinationView, image: ImageSource, levelZero: SeedSource): Seed {
  const { txid, lineage, pageSize } = image;
  const maxTXID = toTXID(txid);
  const level0 = { level: 0, minTXID: maxTXID, maxTXID };
  const snapshot = { level: LEVEL_SNAPSHOT, minTXID: toTXID(1), maxTXID };
  const identity = { txid, lineage, pageSize };
  if (!isSeam(view, txid, pageSize)) {
    const writes: SeedWrite[] = [
      { ref: level0, source: levelZero, need: 'required' },
      { ref: snapshot, source: image, need: 'optional' },
      ...levelFiles(view.files, txid, 'used').map((ref) => ({
        ref,
        source: image,
        need: 'optional' as const,
      })),
    ];
    return { ...identity, writes };
  }
  const seams = [snapshot, ...levelFiles(view.files, txid, 'used or next')].map(
    (ref): SeedWrite => ({
      ref,
      source: image,
      need: 'required',
    }),
  );
  return { ...identity, writes: [...seams, { ref: level0, source: levelZero, need: 'required' }] };
}

/** Whether the image does not directly follow the destination's newest file. */
function isSeam(view: DestinationView, txid: bigint, pageSize: number): boolean {
  const at = view.highest;
  if (at === 0n) return txid !== 1n;
  if (view.chain === 'damaged' || view.chain === 'half-seeded') return true;
  const follows = view.files.topOf(0) === at && txid === at + 1n;
  return !follows || (view.pageSize !== 0 && view.pageSize !== pageSize);
}

/**
 * Files that lead each level over an image, because no merge does. A level that is not used yet begins after
 * the snapshot. At a seam level 1 is needed anyway: Litestream's first merge would find a gap at level 0.
 */
function levelFiles(files: FileSet, txid: bigint, which: 'used' | 'used or next'): LTXFileRef[] {
  const isUsed = (level: number): boolean => files.topOf(level) > 0n;
  const isNext = (level: number): boolean => which === 'used or next' && level === 1 && isUsed(0);
  return MERGED_LEVELS.filter(
    (level) => (isUsed(level) || isNext(level)) && files.topOf(level) < txid,
  ).map((level) => levelFile(files, level, txid));
}

/** The file that continues a level up to `txid`, from its first hole on. */
export function levelFile(files: FileSet, level: number, txid: bigint): LTXFileRef {
  return { level, minTXID: toTXID(endBeforeHole(files, level) + 1n), maxTXID: toTXID(txid) };
}

/** The TXID after which a level has its first hole that no higher level covers; its highest TXID if it has none. */
function endBeforeHole(files: FileSet, level: number): bigint {
  const above = MERGED_LEVELS.filter((each) => each > level).map((each) => files.topOf(each));
  let end = above.reduce((highest, top) => (top > highest ? top : highest), 0n);
  const found = files.levels.find((each) => each.level === level);
  for (let index = 0; index < (found?.length ?? 0); index++) {
    const min = found?.minTXID(index) ?? 0n;
    const max = found?.maxTXID(index) ?? 0n;
    if (max <= end) continue;
    if (end > 0n && min > end + 1n) return end;
    end = max;
  }
  return files.topOf(level);
}
