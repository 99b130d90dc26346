/**
 * The next file to send to one destination, so that its latest can be restored at every cut. Pure.
 *
 * - An increment follows its predecessor, of its own lineage.
 * - An image whose TXID follows the destination's: first level 0 (all pages, restorable by itself
 *   or with what is there), then the snapshot 1..n of the same bytes.
 * - An image at a jump, over somebody else's files, over damage, or of another page size: first the
 *   snapshot 1..n, then the same image at each merged level as (maximum + 1)..n, so that Litestream's
 *   compaction finds no seam, then level 0.
 */

import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { FileSet } from '../../replica/file-set.ts';
import type { Backlog, StagedIncrement, StagedSnapshot } from '../backlog.ts';
import type { Chain } from './admission.ts';

/** Levels between the files as written and the snapshots. */
const MERGED_LEVELS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];
export const SNAPSHOT_LEVEL = 9;

export interface DestinationView {
  readonly files: FileSet;
  /** The highest TXID that is taken there, by what is listed or not. */
  readonly highest: bigint;
  readonly chain: Chain;
  /** Of the file that it ends with, where that is ours; else 0n. */
  readonly lineage: bigint;
  /** What is wrong with what is there, for people. */
  readonly why: string | undefined;
  /** Page size of its newest file; 0 where it is not known. */
  readonly pageSize: number;
  /** The image that is being written here, if one has been begun. */
  readonly seeding: Seed | undefined;
}

/** An image on its way: the files to write, in order. */
export interface Seed {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly pageSize: number;
  readonly writes: readonly SeedWrite[];
}

/** One file to write: the bytes of a staged file, under the TXIDs of `ref`. */
export interface SeedWrite {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
  /** Without an optional one the latest can be restored all the same. */
  readonly need: 'required' | 'optional';
}

export interface SeedSource {
  readonly path: string;
  readonly sizeBytes: number;
  readonly timestampMs: number;
}

export type NextStep =
  /** It has everything. */
  | { readonly kind: 'idle' }
  /** What comes next is being made. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'increment'; readonly file: StagedIncrement }
  | { readonly kind: 'seed'; readonly seed: Seed }
  /** An image of the running chain will do: a snapshot at any TXID above what is there. */
  | { readonly kind: 'needs-snapshot'; readonly why: string }
  /** Only a new image above this TXID will do. */
  | { readonly kind: 'needs-image'; readonly floor: bigint; readonly why: string };

export interface NextInput {
  readonly view: DestinationView;
  readonly backlog: Backlog;
  readonly snapshot: StagedSnapshot | undefined;
  /** The newest TXID that was given out; 0n before the first. */
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
  if (backlog.isGated) return { kind: 'waiting' }; // the image that is being made will do
  return whatIsNeeded(view, head);
}

/** Above what is there; damage is also mended at the TXID with which it ends, if that file is ours. */
function canSeed(
  view: DestinationView,
  image: { readonly txid: bigint; readonly lineage: bigint },
): boolean {
  if (image.txid > view.highest) return true;
  return isMendable(view) && image.txid === view.highest && image.lineage === view.lineage;
}

function isMendable({ chain, lineage }: DestinationView): boolean {
  return chain === 'damaged' && lineage !== 0n;
}

/** All that was staged since is still there, so that level 0 can go on after a seed. */
function isFollowed(backlog: Backlog, snapshot: StagedSnapshot): boolean {
  const oldest = backlog.files[0];
  return oldest !== undefined && oldest.txid <= snapshot.txid + 1n;
}

function whatIsNeeded(view: DestinationView, head: bigint): NextStep {
  const at = view.highest;
  if (head === 0n) return { kind: 'waiting' };
  if (at > head || (at === head && !isMendable(view))) {
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

/** Whether what is left of a seed can still be sent. */
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

/** Over what is ours the increment of the snapshot's TXID will do; over anything else only all pages. */
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

/** Whether the image does not simply follow what is there. */
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
