/** Named objects that are files: which of the names below a root are theirs, in byte order. */

import { posix } from 'node:path';

import { parseObjectKey } from '../layout.ts';
import { isOwnName } from './names.ts';

export interface FolderEntry {
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'other';
}

/** What lies in a folder; empty where it is missing. */
export type ReadFolder<Entry extends FolderEntry> = (path: string) => Promise<readonly Entry[]>;

/** An entry, and the object's name that it stands for. */
export interface Found<Entry extends FolderEntry> {
  readonly name: string;
  readonly entry: Entry;
}

/** The objects below `root` whose names begin with `prefix`, in byte order of the names. */
export function walkObjects<Entry extends FolderEntry>(
  root: string,
  prefix: string,
  read: ReadFolder<Entry>,
): AsyncGenerator<Found<Entry>, void, undefined> {
  return walk(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, read);
}

/** Names below `folder` ("" or "a/b/"). */
async function* walk<Entry extends FolderEntry>(
  root: string,
  folder: string,
  prefix: string,
  read: ReadFolder<Entry>,
): AsyncGenerator<Found<Entry>, void, undefined> {
  const entries = await read(posix.join(root, folder));
  // "a.b" comes before "a/c": a folder is sorted with its slash.
  const sorted = entries
    .filter(({ kind }) => kind !== 'other')
    .map((entry) => ({ name: folder + entry.name + (entry.kind === 'folder' ? '/' : ''), entry }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const found of sorted) {
    if (found.entry.kind === 'file') {
      if (found.name.startsWith(prefix) && isObject(root, found.name)) yield found;
    } else if (beginAlike(found.name, prefix) && isObject(root, `${found.name}x`)) {
      yield* walk(root, found.name, prefix, read);
    }
  }
}

function isObject(root: string, name: string): boolean {
  return !isOwnName(name) && parseObjectKey(root, posix.join(root, name)) === name;
}

/** Whether a folder may hold names that begin with the prefix. */
function beginAlike(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}
