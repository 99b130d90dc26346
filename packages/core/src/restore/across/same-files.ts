/**
 * Finds destinations that belong to another writer although they have the same lineage: a copy of a machine
 * counts on from the same TXID. Then files have equal names and different contents.
 *
 * If two histories parted at some TXID, every file of both that ends after it differs. So the newest name that
 * both have decides: if its files are equal, everything before it is. A damaged file decides nothing. Then the
 * next name is compared, and if none is left, the lineage alone has to do.
 */

import { isError } from '../../error.ts';
import { compare } from '../../history/chain.ts';
import { unionOf, type Holder, type UnionFile } from '../../history/union.ts';
import { createKernel } from '../../kernel/kernel.ts';
import { readStoredChecksum } from '../../replica/file-checksum.ts';
import { describeFile } from '../../store/describe.ts';
import type { RestoreSource, SourcedFile } from '../plan/sources.ts';
import { requireWhole } from './examine.ts';

/** Two destinations have different files under one name. */
export interface Conflict {
  readonly file: string;
  /** The source that is left out. */
  readonly source: string;
  readonly other: string;
}

/** Names that are compared: more are damaged only in a bucket that is hardly worth reading. */
const NAMES_MAX = 8;
/** Larger files are not read whole for a comparison. */
const FILE_BYTES_MAX: number = 64 * 1024 * 1024;

/** `listed` of each source is compared. Undefined if no name shows a difference. */
export async function findConflict(
  source: RestoreSource,
  others: readonly RestoreSource[],
  signal: AbortSignal,
): Promise<Conflict | undefined> {
  const listings = [source, ...others].map((place) => ({
    place,
    files: place.listed ?? [],
    sizes: place.client.encrypted === undefined ? ('plain' as const) : ('encrypted' as const),
  }));
  const common = unionOf(listings)
    .filter(({ holders }) => holders.length > 1 && holders[0]?.place === source)
    .sort(newestFirst)
    .slice(0, NAMES_MAX);
  for (const { holders } of common) {
    const [own, other] = holders;
    if (own === undefined || other === undefined) continue;
    const answer = await compareHolders(own, other, signal);
    if (answer === 'equal') return undefined;
    if (answer === 'different') {
      return { file: describeFile(own.file), source: source.name, other: other.place.name };
    }
  }
  return undefined;
}

/** Increments first: they are the smallest, and their contents do not depend on when they were written. */
function newestFirst(a: UnionFile<RestoreSource>, b: UnionFile<RestoreSource>): number {
  return compare(b.maxTXID, a.maxTXID) || a.level - b.level;
}

async function compareHolders(
  own: Holder<RestoreSource>,
  other: Holder<RestoreSource>,
  signal: AbortSignal,
): Promise<'equal' | 'different' | 'unknown'> {
  const isLarge = [own, other].some(({ file }) => file.sizeBytes > FILE_BYTES_MAX);
  const isEncrypted = [own, other].some(({ sizeBytes }) => sizeBytes === undefined);
  if (isLarge && isEncrypted) return 'unknown'; // its checksum cannot be read alone
  try {
    const [a, b] = await Promise.all(
      [own, other].map(({ place, file }) => readStoredChecksum(place.client, file, signal)),
    );
    if (a?.sizeBytes === b?.sizeBytes && a?.checksum === b?.checksum) return 'equal';
    if (isLarge) return 'unknown';
    for (const { place, file } of [own, other])
      await requireSound({ ...file, source: place }, signal);
    return 'different';
  } catch (error) {
    signal.throwIfAborted();
    if (!isError(error)) throw error;
    return 'unknown'; // damaged or missing: the restore reports it if it needs the file
  }
}

async function requireSound(file: SourcedFile, signal: AbortSignal): Promise<void> {
  await requireWhole(file, createKernel(), { onBytes: () => undefined, signal });
}
