/**
 * Decides what destinations with one history lack, and which files to copy. Pure.
 *
 * A destination lacks a state if it promises it (promised.ts), cannot restore it from its own good files, and
 * did not give it up for a merged file. It gave up a state inside a merged file if it lists no other file of a
 * lower level within: a destination that was far behind gets merged files instead. A damaged file is replaced
 * if some destination has it good, whether or not a state depends on it, because a restore may choose it.
 *
 * States are taken in ascending order, and each lacking one costs one file that leads to it from the state
 * before. So a copy that stops anywhere leaves a longer history than before.
 */

import { chainTo, compare } from '../history/chain.ts';
import { LEVEL_SNAPSHOT } from '../history/levels.ts';
import { historyOf } from '../history/moments.ts';
import { jumpsOf } from '../history/retention-guard.ts';
import type { RetentionPolicy } from '../history/retention-policy.ts';
import type { TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { isUsable, nameOf, type ExaminedFile } from './histories.ts';
import { promisedOf, unionOf, type HistoryFile, type Promised } from './promised.ts';
import {
  continues,
  FilesByEnd,
  lineageStarts,
  NOTHING_REACHED,
  reach,
  statesOf,
  type LineageStarts,
} from './walk.ts';

export interface PlannedDestination {
  readonly name: string;
  readonly files: readonly ExaminedFile[];
  /** undefined: it keeps everything. */
  readonly policy: RetentionPolicy | undefined;
  /** The last TXID that the replicator of this host sent there; newer files are its own affair. */
  readonly sentUpTo: bigint | undefined;
}

export interface FileCopy {
  readonly file: LTXFileInfo;
  /** `missing`: not listed there. `damaged`: to be replaced. */
  readonly reason: 'missing' | 'damaged';
  /** Destinations that have it good, verified ones first. */
  readonly from: readonly string[];
}

export interface DestinationPlan {
  readonly name: string;
  /** Promised states that cannot be restored from it now. */
  readonly lacking: readonly bigint[];
  /** In the order of copying. */
  readonly copies: readonly FileCopy[];
  /** The newest state that can be restored after the copies, if newer files are listed somewhere, or were sent. */
  readonly stuckAt: bigint | undefined;
}

/** Promised states that no destination can restore: their files are damaged everywhere, or missing everywhere. */
export interface LostStates {
  readonly why: 'damaged' | 'missing';
  readonly fromTXID: bigint;
  readonly toTXID: bigint;
}

export interface RepairPlan {
  readonly destinations: readonly DestinationPlan[];
  readonly lost: readonly LostStates[];
}

/** `destinations` have one history (histories.ts). */
export function planRepair(destinations: readonly PlannedDestination[], nowMs: number): RepairPlan {
  const union = unionOf(destinations.map(({ files }) => files.filter(isGood).map(toHistoryFile)));
  const history: KnownHistory = {
    starts: lineageStarts(union),
    byName: new Map(union.map((file) => [nameOf(file), file])),
    sources: new Sources(destinations),
    listed: destinations.flatMap(({ files }) => files),
  };
  const promises = destinations.map(({ policy, sentUpTo }) =>
    promisedOf(union, policy, nowMs, sentUpTo),
  );
  return {
    destinations: destinations.map((destination, index) =>
      planOne(destination, promises[index] as Promised, history),
    ),
    lost: [
      ...damagedEverywhere(destinations, union, promises),
      ...missingEverywhere(union, promises),
      ...withoutSnapshot(destinations, promises),
    ],
  };
}

/** What is known of all destinations together. */
interface KnownHistory {
  readonly starts: LineageStarts;
  readonly byName: ReadonlyMap<string, HistoryFile>;
  readonly sources: Sources;
  readonly listed: readonly LTXFileInfo[];
}

function planOne(
  { name, files, sentUpTo }: PlannedDestination,
  promised: Promised,
  { starts, byName, sources, listed }: KnownHistory,
): DestinationPlan {
  // A file that cannot be read here may well be whole.
  const own = files
    .filter((file) => isGood(file) || file.found.kind === 'unread')
    .map(toHistoryFile);
  const damaged = files.filter(({ found }) => found.kind === 'bad');
  const replacements = damaged.flatMap((file) => byName.get(nameOf(file)) ?? []);
  const isGiven = isGivenUp(own, files);
  const wanted = statesOf(new FilesByEnd(promised.kept), starts);
  const before = new Set(statesOf(new FilesByEnd(own), starts));
  const lacking = wanted.filter(
    (txid) => promised.isPromised(txid) && !before.has(txid) && !isGiven(txid),
  );
  const missing = neededFor(lacking, [...own, ...replacements], promised.kept, starts);
  const toCopy = (reason: FileCopy['reason']) => (file: HistoryFile) => {
    return { file, reason, from: sources.of(file) };
  };
  const copies = [...missing.map(toCopy('missing')), ...replacements.map(toCopy('damaged'))];
  const after = statesOf(new FilesByEnd([...own, ...copies.map(({ file }) => file)]), starts);
  const newest = after.at(-1) ?? 0n;
  const isAbove = ({ maxTXID }: LTXFileInfo): boolean =>
    maxTXID > newest && (sentUpTo === undefined || maxTXID <= sentUpTo);
  // The last state that was sent may have been lost everywhere: then no listing shows it.
  const isStuck = listed.some(isAbove) || newest < (sentUpTo ?? 0n);
  return {
    name,
    lacking,
    copies: copies.sort((a, b) => compareFiles(a.file, b.file)),
    stuckAt: isStuck ? newest : undefined,
  };
}

/** Files that lead to the lacking states, beside those that it has or gets. */
function neededFor(
  lacking: readonly bigint[],
  own: readonly HistoryFile[],
  kept: readonly HistoryFile[],
  starts: LineageStarts,
): HistoryFile[] {
  const isLacking = new Set(lacking);
  const have = new FilesByEnd(own);
  const offered = new FilesByEnd(kept);
  const needed: HistoryFile[] = [];
  let reached = NOTHING_REACHED;
  for (const txid of new FilesByEnd([...own, ...kept]).ends) {
    const leading = have.at(txid).filter((file) => continues(file, reached, starts));
    if (leading.length > 0) reached = reach(leading);
    else if (isLacking.has(txid)) {
      const step = smallest(offered.at(txid).filter((file) => continues(file, reached, starts)));
      // Without a step, the way there leads over states that are not promised themselves.
      const steps = step === undefined ? chainOver([...own, ...needed], kept, txid) : [step];
      for (const file of steps) {
        if (own.includes(file) || needed.includes(file)) continue;
        needed.push(file);
        have.add(file);
      }
      const last = steps.at(-1);
      if (last !== undefined) reached = reach([last]);
    }
  }
  return needed;
}

/** A base and the files that lead from it to a state, as few as possible. */
function chainOver(
  have: readonly HistoryFile[],
  kept: readonly HistoryFile[],
  txid: bigint,
): HistoryFile[] {
  const names = new Set(have.map(nameOf));
  const all = [...have, ...kept.filter((file) => !names.has(nameOf(file)))];
  return chainTo(all, txid as TXID) ?? [];
}

/** Whether a destination gave up a state for a merged file. */
function isGivenUp(
  own: readonly HistoryFile[],
  listed: readonly LTXFileInfo[],
): (txid: bigint) => boolean {
  const isJump = jumpsOf(listed);
  const merges = own.filter(
    (file) =>
      file.level > 0 && file.level < LEVEL_SNAPSHOT && file.minTXID < file.maxTXID && !isJump(file),
  );
  const alone = merges.filter((merge) => !listed.some((file) => isPartOf(file, merge)));
  return (txid) => alone.some(({ minTXID, maxTXID }) => minTXID <= txid && txid < maxTXID);
}

/** The newest file of each level is sent in any case, so one that ends with the merged file says nothing. */
function isPartOf(file: LTXFileInfo, merge: LTXFileInfo): boolean {
  return file.level < merge.level && file.minTXID >= merge.minTXID && file.maxTXID < merge.maxTXID;
}

function damagedEverywhere(
  destinations: readonly PlannedDestination[],
  union: readonly HistoryFile[],
  promises: readonly Promised[],
): LostStates[] {
  const damaged = destinations.flatMap(({ files }) =>
    files.filter(({ found }) => found.kind === 'bad').map(toHistoryFile),
  );
  const all = unionOf([union, damaged]);
  const good = new Set(statesOf(new FilesByEnd(union), lineageStarts(union)));
  const lost: LostStates[] = [];
  let before: LostStates | undefined;
  for (const txid of statesOf(new FilesByEnd(all), lineageStarts(all))) {
    const isLost = !good.has(txid) && promises.some((promised) => promised.isPromised(txid));
    if (!isLost) before = undefined;
    else if (before === undefined)
      lost.push((before = { why: 'damaged', fromTXID: txid, toTXID: txid }));
    else lost[lost.length - 1] = before = { ...before, toTXID: txid };
  }
  return lost;
}

/** Gaps between promised states, for which no file is listed anywhere. */
function missingEverywhere(
  union: readonly HistoryFile[],
  promises: readonly Promised[],
): LostStates[] {
  return historyOf(union)
    .gaps.filter(({ after }) => after !== undefined)
    .filter(({ fromTXID }) => promises.some((promised) => promised.isPromised(fromTXID)))
    .map(({ fromTXID, toTXID }) => ({ why: 'missing', fromTXID, toTXID }));
}

/**
 * States before the first full snapshot that is listed: their files are left, but not what they continue. Retention
 * leaves such files only where they are no longer promised. Where Sluice deletes nothing, somebody else may do so.
 */
function withoutSnapshot(
  destinations: readonly PlannedDestination[],
  promises: readonly Promised[],
): LostStates[] {
  const listed = unionOf(destinations.map(({ files }) => files.map(toHistoryFile)));
  const [first] = statesOf(new FilesByEnd(listed), lineageStarts(listed));
  const judges = promises.filter((_, index) => destinations[index]?.policy !== undefined);
  if (first === undefined || judges.length === 0) return []; // without any state, all destinations are stuck
  const lost = listed.filter(
    ({ maxTXID }) => maxTXID < first && judges.every((promised) => promised.isPromised(maxTXID)),
  );
  const [earliest] = lost.map(({ maxTXID }) => maxTXID).sort(compare);
  if (earliest === undefined) return [];
  return [{ why: 'missing', fromTXID: earliest, toTXID: first - 1n }];
}

/** Which destinations have a file good. */
class Sources {
  readonly #byName = new Map<string, { readonly name: string; readonly isVerified: boolean }[]>();

  constructor(destinations: readonly PlannedDestination[]) {
    for (const { name, files } of destinations) {
      for (const file of files.filter(isGood)) {
        const key = nameOf(file);
        const source = { name, isVerified: file.found.kind === 'whole' };
        this.#byName.set(key, [...(this.#byName.get(key) ?? []), source]);
      }
    }
  }

  of(file: LTXFileInfo): string[] {
    const sources = this.#byName.get(nameOf(file)) ?? [];
    const rank = ({ isVerified }: { readonly isVerified: boolean }): number => (isVerified ? 0 : 1);
    return sources.toSorted((a, b) => rank(a) - rank(b)).map(({ name }) => name);
  }
}

function isGood({ found }: ExaminedFile): boolean {
  return isUsable(found);
}

function toHistoryFile({ found, ...file }: ExaminedFile): HistoryFile {
  const isRead = found.kind === 'whole' || found.kind === 'end' || found.kind === 'listed';
  const lineage = isRead ? found.lineage : undefined;
  const committedMs = isRead ? found.committedMs : undefined;
  return { ...file, lineage, committedMs, isFullImage: isRead && found.isFullImage };
}

function smallest(files: readonly HistoryFile[]): HistoryFile | undefined {
  const [first, ...others] = files;
  return first && others.reduce((a, b) => (b.sizeBytes < a.sizeBytes ? b : a), first);
}

function compareFiles(a: LTXFileInfo, b: LTXFileInfo): number {
  return compare(a.maxTXID, b.maxTXID) || compare(a.minTXID, b.minTXID) || a.level - b.level;
}
