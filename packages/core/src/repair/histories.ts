/**
 * Compares the files of several destinations, so that no file is copied between two histories. Pure.
 *
 *  two files of one name          verdict
 *  same size and checksum         the same file
 *  one of them is damaged         no conflict: the other one may replace it
 *  both whole, same lineage, and  no conflict: an increment, and a full snapshot of the same TXID (next.ts)
 *  one is a full snapshot
 *  both whole, otherwise          conflict: two replicators wrote
 *  not read whole                 doubtful: both must be read whole first
 *
 * Two destinations have the same history if they share a file, or a lineage that is not 0. This is transitive.
 * Files are copied only within such a group, and never between two sides of a conflict.
 */

import type { LTXFileInfo } from '../replica/replica.ts';
import type { Examined, FileIdentity } from './examine.ts';

/** A listed file, and what is known of its bytes. */
export interface ExaminedFile extends LTXFileInfo {
  readonly found: Examined;
}

export interface ExaminedDestination {
  readonly name: string;
  readonly files: readonly ExaminedFile[];
  /** The lineage that this host sent there last, if it did. It counts if no file there can be read. */
  readonly lineage?: bigint | undefined;
}

/** A file of which two destinations have different bytes, both whole. */
export interface Conflict {
  readonly file: LTXFileInfo;
  readonly destinations: readonly [string, string];
}

/** Names of files are compared as text. */
export function nameOf({
  level,
  minTXID,
  maxTXID,
}: Pick<LTXFileInfo, 'level' | 'minTXID' | 'maxTXID'>): string {
  return `${level}/${minTXID}-${maxTXID}`;
}

/** Files that must be read whole before two destinations can be compared. */
export function doubtfulFiles<File extends ExaminedFile>(
  destinations: readonly { readonly name: string; readonly files: readonly File[] }[],
): File[] {
  const doubtful: File[] = [];
  for (const files of filesByName(destinations).values()) {
    const known = files.filter(({ file: { found } }) => identityOf(found) !== undefined);
    const [first, ...others] = known;
    if (first === undefined || others.every(({ file }) => isSame(file, first.file))) continue;
    for (const { file } of known) if (file.found.kind !== 'whole') doubtful.push(file);
  }
  return doubtful;
}

export function conflictsOf(destinations: readonly ExaminedDestination[]): Conflict[] {
  const conflicts: Conflict[] = [];
  const pairs = new Set<string>();
  for (const files of filesByName(destinations).values()) {
    for (const [index, { name, file }] of files.entries()) {
      for (const other of files.slice(index + 1)) {
        const pair = JSON.stringify([name, other.name]);
        // One file of each pair is enough.
        if (pairs.has(pair) || !isConflict(file, other.file)) continue;
        pairs.add(pair);
        conflicts.push({ file, destinations: [name, other.name] });
      }
    }
  }
  return conflicts;
}

/**
 * Groups of destinations between which files may be copied, by name. Destinations without a usable file are in
 * none: they may take files if there is only one group.
 */
export function groupsOf(
  destinations: readonly ExaminedDestination[],
  conflicts: readonly Conflict[],
): string[][] {
  const groups = destinations
    .filter(({ files }) => files.some(({ found }) => isUsable(found) || found.kind === 'unread'))
    .map((destination) => ({ names: [destination.name], evidence: evidenceOf(destination) }));
  const joined = join(groups, ({ evidence: a }, { evidence: b }) =>
    [...a].some((each) => b.has(each)),
  );
  return joined.flatMap((group) =>
    withoutConflicts(
      group.flatMap(({ names }) => names),
      conflicts,
    ),
  );
}

/**
 * Splits a group with conflicts into its sides. A destination without a conflict may belong to either side, so
 * it stays alone; so does each destination of a side that has a conflict within.
 */
function withoutConflicts(names: readonly string[], conflicts: readonly Conflict[]): string[][] {
  const areInConflict = (a: string, b: string): boolean =>
    conflicts.some(({ destinations }) => destinations.includes(a) && destinations.includes(b));
  const sided = names.filter((a) => names.some((b) => a !== b && areInConflict(a, b)));
  if (sided.length === 0) return [[...names]];
  const neutral = names.filter((name) => !sided.includes(name));
  const sides = join(sided, (a, b) => !areInConflict(a, b)).flatMap((side) => {
    const isClean = side.every((a) => side.every((b) => a === b || !areInConflict(a, b)));
    return isClean ? [side] : side.map((name) => [name]);
  });
  return [...sides, ...neutral.map((name) => [name])];
}

/** Connected parts. */
function join<Item>(items: readonly Item[], areLinked: (a: Item, b: Item) => boolean): Item[][] {
  const groups: Item[][] = [];
  for (const item of items) {
    const linked = groups.filter((group) => group.some((other) => areLinked(item, other)));
    for (const group of linked) groups.splice(groups.indexOf(group), 1);
    groups.push([...linked.flat(), item]);
  }
  return groups;
}

/** All lineages that are known. */
export function lineagesOf(files: readonly ExaminedFile[]): Set<bigint> {
  const lineages = new Set<bigint>();
  for (const { found } of files) {
    const lineage = 'lineage' in found ? found.lineage : undefined;
    if (lineage !== undefined && lineage !== 0n) lineages.add(lineage);
  }
  return lineages;
}

/** Texts that two destinations with the same history have in common. */
function evidenceOf({ files, lineage }: ExaminedDestination): Set<string> {
  const evidence = new Set([...lineagesOf(files)].map(toEvidence));
  for (const file of files) {
    const identity = identityOf(file.found);
    if (identity === undefined) continue;
    evidence.add(`${nameOf(file)} ${identity.sizeBytes} ${identity.checksum}`);
  }
  if (evidence.size === 0 && lineage !== undefined && lineage !== 0n) {
    evidence.add(toEvidence(lineage));
  }
  return evidence;
}

function toEvidence(lineage: bigint): string {
  return `lineage ${lineage}`;
}

function filesByName<File extends ExaminedFile>(
  destinations: readonly { readonly name: string; readonly files: readonly File[] }[],
): Map<string, { readonly name: string; readonly file: File }[]> {
  const byName = new Map<string, { readonly name: string; readonly file: File }[]>();
  for (const { name, files } of destinations) {
    for (const file of files) {
      const key = nameOf(file);
      const known = byName.get(key);
      if (known === undefined) byName.set(key, [{ name, file }]);
      else known.push({ name, file });
    }
  }
  return byName;
}

/** Whether its bytes are an LTX file, as far as they were read. */
export function isUsable({ kind }: Examined): boolean {
  return kind === 'whole' || kind === 'end' || kind === 'listed';
}

function isConflict({ found: a }: ExaminedFile, { found: b }: ExaminedFile): boolean {
  if (a.kind !== 'whole' || b.kind !== 'whole' || isSameIdentity(a.identity, b.identity))
    return false;
  // A copy of a machine counts on in the same lineage, but a replicator makes each increment once.
  const areIncrements = !a.isFullImage && !b.isFullImage;
  return a.lineage === 0n || a.lineage !== b.lineage || areIncrements;
}

function isSame({ found: a }: ExaminedFile, { found: b }: ExaminedFile): boolean {
  return isSameIdentity(identityOf(a), identityOf(b));
}

function isSameIdentity(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a?.sizeBytes === b?.sizeBytes && a?.checksum === b?.checksum;
}

function identityOf(found: Examined): FileIdentity | undefined {
  return 'identity' in found ? found.identity : undefined;
}
