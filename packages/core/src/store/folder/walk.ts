/** The files below a prefix, in byte order of their paths. */

import type { ObjectInfo } from '../client.ts';
import { compareKeys } from '../layout.ts';
import { isReservedName } from './names.ts';

/** An entry of a folder. `other`: a link, a socket or the like. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'other';
}

export interface WalkSteps<Entry extends FolderEntry> {
  /** All entries of a folder, in any order; undefined if the folder does not exist. */
  readFolder(path: string): Promise<readonly Entry[] | undefined>;
  /** Undefined if the file no longer exists. */
  infoOf(path: string, entry: Entry): Promise<ObjectInfo | undefined>;
  /** Number of folders read concurrently. */
  readonly foldersAtOnce: number;
}

/** Number of files examined concurrently: a few for each of Node's four threads. */
const FILES_AT_ONCE = 32;

export interface WalkOptions {
  readonly prefix: string;
  readonly startAfter?: string | undefined;
}

export async function* walk<Entry extends FolderEntry>(
  options: WalkOptions,
  steps: WalkSteps<Entry>,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const folder = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  yield* walkFolder(folder, read(folder, steps), options, steps);
}

interface Found<Entry> {
  /** The path. A folder's path ends with a slash, so that "a.b" sorts before "a/c". */
  readonly path: string;
  readonly entry: Entry;
}

async function* walkFolder<Entry extends FolderEntry>(
  folder: string,
  entries: Promise<readonly Entry[]>,
  options: WalkOptions,
  steps: WalkSteps<Entry>,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const found = sortedPaths(folder, await entries).filter((each) => isWanted(each, options));
  const reads = new Map<Found<Entry>, Promise<readonly Entry[]>>();
  const folders = found.filter(({ entry }) => entry.kind === 'folder');
  /** Starts to read the next folders. */
  const readAhead = (at: Found<Entry>): void => {
    const first = folders.indexOf(at);
    for (const next of folders.slice(first, first + steps.foldersAtOnce)) {
      if (reads.has(next)) continue;
      const reading = read(next.path, steps);
      reading.catch(() => undefined); // thrown when the walk reaches this folder
      reads.set(next, reading);
    }
  };
  let files: Found<Entry>[] = [];
  for (const each of found) {
    if (each.entry.kind === 'file') {
      files.push(each);
      if (files.length < FILES_AT_ONCE) continue;
    }
    yield* await infosOf(files, steps);
    files = [];
    if (each.entry.kind !== 'folder') continue;
    readAhead(each);
    const entriesBelow = reads.get(each) ?? read(each.path, steps);
    reads.delete(each);
    yield* walkFolder(each.path, entriesBelow, options, steps);
  }
  yield* await infosOf(files, steps);
}

async function read<Entry extends FolderEntry>(
  folder: string,
  steps: WalkSteps<Entry>,
): Promise<readonly Entry[]> {
  const path = folder === '' ? '.' : folder === '/' ? '/' : folder.slice(0, -1);
  return (await steps.readFolder(path)) ?? [];
}

async function infosOf<Entry extends FolderEntry>(
  files: readonly Found<Entry>[],
  steps: WalkSteps<Entry>,
): Promise<ObjectInfo[]> {
  const infos = await Promise.all(files.map(({ path, entry }) => steps.infoOf(path, entry)));
  return infos.filter((info) => info !== undefined);
}

function sortedPaths<Entry extends FolderEntry>(
  folder: string,
  entries: readonly Entry[],
): Found<Entry>[] {
  return entries
    .filter(({ kind, name }) => kind !== 'other' && !isReservedName(name))
    .map((entry) => ({ path: folder + entry.name + (entry.kind === 'folder' ? '/' : ''), entry }))
    .sort((a, b) => compareKeys(a.path, b.path));
}

function isWanted<Entry extends FolderEntry>(
  { path, entry }: Found<Entry>,
  { prefix, startAfter }: WalkOptions,
): boolean {
  if (entry.kind === 'file') {
    const isBelow = path.startsWith(prefix);
    return isBelow && (startAfter === undefined || compareKeys(path, startAfter) > 0);
  }
  if (!path.startsWith(prefix) && !prefix.startsWith(path)) return false;
  // A folder that sorts before `startAfter` has later keys only if `startAfter` is below it.
  return (
    startAfter === undefined || startAfter.startsWith(path) || compareKeys(path, startAfter) > 0
  );
}
