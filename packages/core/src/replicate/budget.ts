/** Staging is bounded: which destinations are given up to be seeded again, and what is freed. Pure. */

import { spareBytes, type Room } from '../database/room.ts';

export interface Holder {
  readonly name: string;
  /** It does not want staged files up to this TXID any more. */
  readonly releasable: bigint;
  /** 'snapshot': only a full snapshot helps it, and none is staged or being made. */
  readonly needs: 'staged files' | 'snapshot';
}

interface File {
  readonly txid: bigint;
  readonly sizeBytes: number;
  readonly content: 'increment' | 'image';
}

export interface BudgetInput {
  readonly files: readonly File[];
  readonly maxBytes: number;
  readonly holders: readonly Holder[];
  /** The staged snapshot, from which one that was given up can be seeded. */
  readonly snapshot?: { readonly txid: bigint } | undefined;
}

export interface BudgetDecision {
  /** Files up to this TXID may go. */
  readonly releaseTo: bigint;
  /** Whoever still wanted one of those: they will be seeded by a snapshot. */
  readonly laggards: readonly string[];
}

/**
 * Frees what nobody wants. Beyond the budget, oldest first, also what only the slowest want; and then
 * all that is of no use to those any more: they go on from a snapshot, and from what follows it.
 * The next snapshot holds all that is staged now, so whoever needs it wants none of these files.
 */
export function planRelease(input: BudgetInput): BudgetDecision {
  const { files, maxBytes } = input;
  const newest = files.at(-1)?.txid ?? 0n;
  const holders = input.holders.map((holder) =>
    holder.needs === 'snapshot' && holder.releasable < newest
      ? { ...holder, releasable: newest }
      : holder,
  );
  const unwanted = lowest(holders.map(({ releasable }) => releasable)) ?? 0n;
  const needed = exceeding(files, unwanted, maxBytes);
  const laggards = holders.filter(({ releasable }) => releasable < needed);
  if (laggards.length === 0) return { releaseTo: needed, laggards: [] };
  const seed = seedAbove(input, needed);
  const wanted = holders.map((holder) => (holder.releasable < needed ? seed : holder.releasable));
  const releaseTo = lowest(wanted) ?? needed;
  return {
    releaseTo: releaseTo > needed ? releaseTo : needed,
    laggards: laggards.map(({ name }) => name),
  };
}

/**
 * What staging may take where its volume has this room: the limit; less where the reserve of the volume
 * would be touched; and where others have touched it, half of what they and the reserve leave.
 */
export function affordableBytes(maxBytes: number, stagedBytes: number, room: Room): number {
  const half = (stagedBytes + room.availableBytes) / 2;
  return Math.min(maxBytes, Math.max(stagedBytes + spareBytes(room), half));
}

/** Up to which TXID files must go so that the rest is within the budget. The newest one always stays. */
function exceeding(files: readonly File[], unwanted: bigint, maxBytes: number): bigint {
  let releaseTo = unwanted;
  let kept = files
    .filter(({ txid }) => txid > releaseTo)
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const newest = files.at(-1);
  for (const file of files) {
    if (kept <= maxBytes || file === newest) break;
    if (file.txid <= releaseTo) continue;
    releaseTo = file.txid;
    kept -= file.sizeBytes;
  }
  return releaseTo;
}

/** Files up to this TXID are of no use to one that lacks what was released up to `needed`. */
function seedAbove({ files, snapshot }: BudgetInput, needed: bigint): bigint {
  const image = files.findLast(({ txid, content }) => content === 'image' && txid > needed);
  const fromImage = image === undefined ? undefined : image.txid - 1n;
  const fromSnapshot =
    snapshot !== undefined && snapshot.txid >= needed ? snapshot.txid : undefined;
  const seeds = [fromImage, fromSnapshot].filter((seed) => seed !== undefined);
  return highest(seeds) ?? files.at(-1)?.txid ?? needed;
}

function highest(txids: readonly bigint[]): bigint | undefined {
  return txids.reduce<bigint | undefined>((a, b) => (a !== undefined && a > b ? a : b), undefined);
}

function lowest(txids: readonly bigint[]): bigint | undefined {
  return txids.reduce<bigint | undefined>((a, b) => (a !== undefined && a < b ? a : b), undefined);
}
