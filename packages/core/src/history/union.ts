/**
 * The files of several destinations by name: which destinations have a file, and where their sizes differ.
 * Pure: it reads listings, not files.
 *
 * A name is level, minTXID and maxTXID. An equal name does not prove an equal file: two writers may have used
 * the same TXIDs, and an object may have been cut off. Different sizes prove that at least one of the objects
 * is damaged or foreign. Equal sizes prove nothing: compare the checksums in the trailers, which do not depend
 * on encryption. The listed size of an encrypted file is not that of its content, so it is not compared.
 */

import type { LTXFileInfo } from '../replica/replica.ts';
import type { LTXFileRef } from '../store/layout.ts';
import { compare } from './chain.ts';

/** The listing of one destination. */
export interface Listing<Place, File extends LTXFileInfo = LTXFileInfo> {
  readonly place: Place;
  /** One per name, in any order: a listing, or `FileSet.all()`. */
  readonly files: Iterable<File>;
  /** Whether the listed sizes are those of the files' contents. */
  readonly sizes: 'plain' | 'encrypted';
}

/** A file at one destination. */
export interface Holder<Place, File extends LTXFileInfo = LTXFileInfo> {
  readonly place: Place;
  readonly file: File;
  /** Undefined if only the size of the encrypted file is known. */
  readonly sizeBytes: number | undefined;
}

/** One name, and the destinations that have it. */
export interface UnionFile<Place, File extends LTXFileInfo = LTXFileInfo> extends LTXFileRef {
  /** In the order of the listings; not empty. */
  readonly holders: readonly Holder<Place, File>[];
  /** `different`: two known sizes differ, so the objects are not all the same file. */
  readonly sizes: 'equal' | 'different';
}

/** All names, by level, minTXID and maxTXID. */
export function unionOf<Place, File extends LTXFileInfo>(
  listings: readonly Listing<Place, File>[],
): UnionFile<Place, File>[] {
  const byName = new Map<string, Holder<Place, File>[]>();
  for (const { place, files, sizes } of listings) {
    for (const file of files) {
      const sizeBytes = sizes === 'plain' ? file.sizeBytes : undefined;
      const name = `${file.level}/${file.minTXID}-${file.maxTXID}`;
      const holders = byName.get(name);
      if (holders === undefined) byName.set(name, [{ place, file, sizeBytes }]);
      else holders.push({ place, file, sizeBytes });
    }
  }
  return [...byName.values()].map(toUnionFile).sort(byLevelAndTXIDs);
}

function toUnionFile<Place, File extends LTXFileInfo>(
  holders: readonly Holder<Place, File>[],
): UnionFile<Place, File> {
  const [first] = holders;
  if (first === undefined) throw new TypeError('a name has a holder');
  const { level, minTXID, maxTXID } = first.file;
  const known = new Set(holders.flatMap(({ sizeBytes }) => sizeBytes ?? []));
  return { level, minTXID, maxTXID, holders, sizes: known.size > 1 ? 'different' : 'equal' };
}

function byLevelAndTXIDs(a: LTXFileRef, b: LTXFileRef): number {
  return a.level - b.level || compare(a.minTXID, b.minTXID) || compare(a.maxTXID, b.maxTXID);
}
