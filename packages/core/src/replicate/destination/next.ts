/**
 * Chooses the next file to send to one destination, so that the newest state can be restored even if
 * sending stops after any file. Pure.
 *
 * - An increment is sent after its predecessor of the same lineage.
 * - An image whose TXID directly follows the destination's: first level 0 (all pages, restorable
 *   alone or with the existing files), then the snapshot 1..n of the same bytes.
 * - An image after a TXID gap, over foreign or damaged files, or with another page size: first the
 *   snapshot 1..n, then the same image at each merged level as (maximum + 1)..n, so that Litestream's
 *   compaction finds no gap, then level 0.
 */

import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { FileSet } from '../../replica/file-set.ts';
import type { Backlog, StagedIncrement, StagedSnapshot } from '../backlog.ts';
import type { Chain } from './admission.ts';

/** Levels between level 0 and the snapshots. */
const MERGED_LEVELS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];
export const SNAPSHOT_LEVEL = 9;

export interface DestinationView {
  readonly files: FileSet;
  /** The highest TXID in use there, including names that were taken but are not listed. */
  readonly highest: bigint;
  readonly chain: Chain;
  /** Lineage of its newest file if that is ours; else 0n. */
  readonly lineage: bigint;
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
  | { readonly kind: 'seed'; readonly seed: Seed }
  /** A snapshot of the current lineage at any TXID above the destination's is enough. */
  | { readonly kind: 'needs-snapshot'; readonly why: string }
  /** A new image with a TXID above `floor` is required. */
  | { readonly kind: 'needs-image'; readonly floor: bigint; readonly why: string };

export interface NextInput {
  readonly view: DestinationView;
  readonly backlog: Backlog;
  readonly snapshot: StagedSnapshot | undefined;
  /** The newest TXID in use; 0n before the first. */
  readonly head: bigint;
}

export function nextStep(input: NextInput): NextStep {
  const { view, backlog, snapshot, head } = input;
  if (view.seeding !== undefined) return { kind: 'seed', seed: view.seeding };
  const at = view.highest;
  if (view.chain === 'ours' && at <= head) {
    const next = backlog.get(at + 1n);
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
export function isStaged(seed: Seed, input: Omit<NextInput, 'head'>): boolean {
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
  const snapshot = { level: SNAPSHOT_LEVEL, minTXID: toTXID(1), maxTXID };
  const identity = { txid, lineage, pageSize };
  if (!isSeam(view, txid, pageSize)) {
    const writes: SeedWrite[] = [
      { ref: level0, source: levelZero, need: 'required' },
      { ref: snapshot, source: image, need: 'optional' },
    ];
    return { ...identity, writes };
  }
  const seams = [snapshot, ...seamFiles(view.files, txid)].map((ref): SeedWrite => ({
    ref,
    source: image,
    need: 'required',
  }));
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

function seamFiles(files: FileSet, txid: bigint): LTXFileRef[] {
  const isUsed = (level: number): boolean => files.topOf(level) > 0n;
  const levels = MERGED_LEVELS.filter(
    (level) => (isUsed(level) || (level === 1 && isUsed(0))) && files.topOf(level) < txid,
  );
  return levels.map((level) => ({
    level,
    minTXID: toTXID(files.topOf(level) + 1n),
    maxTXID: toTXID(txid),
  }));
}
