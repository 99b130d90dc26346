/**
 * The next file to send to one destination, so that its latest can be restored at every cut. Pure.
 *
 * - An increment follows its predecessor.
 * - An image whose TXID follows the destination's: first level 0 (all pages, restorable by itself
 *   or with what is there), then the snapshot 1..n of the same bytes.
 * - An image at a jump, over somebody else's files, or of another page size: first the snapshot
 *   1..n, then the same image at each merged level as (maximum + 1)..n, so that Litestream's
 *   compaction finds no seam, then level 0.
 */

import { toTXID } from '../ltx/txid.ts';
import type { LTXFileRef } from '../replica/client.ts';
import type { Chain } from './admission.ts';
import type { Backlog, StagedIncrement, StagedSnapshot } from './backlog.ts';
import {
  hasFile,
  highestOf,
  MERGED_LEVELS,
  SNAPSHOT_LEVEL,
  topOf,
  type Manifest,
} from './manifest.ts';

export interface DestinationView {
  readonly manifest: Manifest;
  readonly chain: Chain;
  /** Page size of its newest file; 0 where it is not known. */
  readonly pageSize: number;
  /** The image that is being written here, if one has been begun. */
  readonly seeding: Seed | undefined;
}

/** An image on its way: the files to write, in order. */
export interface Seed {
  readonly txid: bigint;
  readonly pageSize: number;
  readonly writes: readonly SeedWrite[];
}

/** One file to write: the bytes of a staged file, under the TXIDs of `ref`. */
export interface SeedWrite {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
}

export interface SeedSource {
  readonly path: string;
  readonly sizeBytes: number;
  readonly timestampMs: number;
}

export type NextStep =
  | { readonly kind: 'idle' }
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
  const { view, backlog, head } = input;
  if (view.seeding !== undefined) return { kind: 'seed', seed: view.seeding };
  const at = highestOf(view.manifest);
  if (view.chain === 'ours') {
    const next = backlog.get(at + 1n);
    if (next?.content === 'increment') return { kind: 'increment', file: next };
    if (at >= head) return { kind: 'idle' };
  }
  const image = backlog.imageAbove(at);
  if (image !== undefined) return { kind: 'seed', seed: seedFrom(view, image, image) };
  const { snapshot } = input;
  if (snapshot !== undefined && snapshot.txid > at && isFollowed(backlog, snapshot)) {
    return { kind: 'seed', seed: seedFrom(view, snapshot, levelZeroOf(view, backlog, snapshot)) };
  }
  if (backlog.isGated) return { kind: 'idle' }; // the image that is being made will do
  return whatIsNeeded(view, at, head);
}

/** All that was staged since is still there, so that level 0 can go on after a seed. */
function isFollowed(backlog: Backlog, snapshot: StagedSnapshot): boolean {
  const oldest = backlog.files[0];
  return oldest !== undefined && oldest.txid <= snapshot.txid + 1n;
}

function whatIsNeeded(view: DestinationView, at: bigint, head: bigint): NextStep {
  if (head === 0n) return { kind: 'idle' };
  if (at >= head) {
    const why = `it ends with TXID ${at}, which is not what was sent there`;
    return { kind: 'needs-image', floor: at, why };
  }
  return { kind: 'needs-snapshot', why: WHY_A_SNAPSHOT[view.chain] };
}

const WHY_A_SNAPSHOT: Readonly<Record<Chain, string>> = {
  empty: 'it is empty',
  foreign: 'it holds what another writer put there',
  'half-seeded': 'the image that was being sent is no longer staged',
  ours: 'files that it lacks are no longer staged',
};

/** Whether what is left of a seed can still be sent. */
export function isStaged(seed: Seed, input: Omit<NextInput, 'head'>): boolean {
  const { view, backlog, snapshot } = input;
  return seed.writes.every(
    ({ ref, source }) =>
      hasFile(view.manifest, ref) || source.path === snapshot?.path || backlog.has(source.path),
  );
}

interface ImageSource extends SeedSource {
  readonly txid: bigint;
  readonly pageSize: number;
}

/** Over what is ours the increment of the snapshot's TXID will do; over anything else only all pages. */
function levelZeroOf(
  view: DestinationView,
  backlog: Backlog,
  snapshot: StagedSnapshot,
): SeedSource {
  const isOurs = view.chain === 'ours' || view.chain === 'empty';
  const increment = isOurs ? backlog.get(snapshot.txid) : undefined;
  return increment?.pageSize === snapshot.pageSize ? increment : snapshot;
}

function seedFrom(view: DestinationView, image: ImageSource, levelZero: SeedSource): Seed {
  const { txid, pageSize } = image;
  const maxTXID = toTXID(txid);
  const level0 = { ref: { level: 0, minTXID: maxTXID, maxTXID }, source: levelZero };
  const snapshot = { ref: { level: SNAPSHOT_LEVEL, minTXID: toTXID(1), maxTXID }, source: image };
  if (!isSeam(view, txid, pageSize)) return { txid, pageSize, writes: [level0, snapshot] };
  const seams = seamFiles(view.manifest, txid).map((ref) => ({ ref, source: image }));
  return { txid, pageSize, writes: [snapshot, ...seams, level0] };
}

/** Whether the image does not simply follow what is there. */
function isSeam(view: DestinationView, txid: bigint, pageSize: number): boolean {
  const at = highestOf(view.manifest);
  if (at === 0n) return txid !== 1n;
  const follows = topOf(view.manifest, 0) === at && txid === at + 1n;
  return !follows || (view.pageSize !== 0 && view.pageSize !== pageSize);
}

function seamFiles(manifest: Manifest, txid: bigint): LTXFileRef[] {
  const levels = MERGED_LEVELS.filter(
    (level) => manifest.has(level) || (level === 1 && manifest.has(0)),
  );
  return levels.map((level) => ({
    level,
    minTXID: toTXID(topOf(manifest, level) + 1n),
    maxTXID: toTXID(txid),
  }));
}
