/**
 * Searches directories for databases. Files are read only by `examine`: a process that has a database open must not open
 * and close it once more, because that drops the locks of SQLite (POSIX).
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@sluice/core/backend';
import { databaseIn, isMeant, isStagingFolder, problemWithName } from './directory.ts';
import type { Config, DatabaseConfig, DirectoryConfig, UnreadDatabase } from './model.ts';
import { examineFiles, type Examined } from './examine.ts';

export interface ScanOptions {
  /** Databases that are known as such, and may be open in this process. */
  readonly isKnown?: ((file: string) => boolean) | undefined;
  /** The database at a path, if it was made before. Default: all of them are made. */
  readonly madeBefore?: ((file: string) => DatabaseConfig | undefined) | undefined;
  /** What is in files. Default: this process reads them. */
  readonly examine?: ((files: readonly string[]) => Promise<readonly Examined[]>) | undefined;
}

export type Scan =
  | {
      readonly kind: 'found';
      readonly directory: DirectoryConfig;
      readonly databases: readonly DatabaseConfig[];
      /** Files that the pattern means and that are no databases, and why. */
      readonly left: readonly LeftAlone[];
      /** All folders that were searched. */
      readonly folders: readonly string[];
    }
  | { readonly kind: 'unreadable'; readonly directory: DirectoryConfig; readonly why: string };

export interface LeftAlone {
  readonly file: string;
  readonly why: string;
  /** An empty file may become a database at any time, and nothing is said about it. */
  readonly isEmpty: boolean;
  /** The database that it may be: the file cannot be read. */
  readonly unread: DatabaseConfig | undefined;
}

/** A folder this deep is a loop of mounts, or a mistake. */
const DEPTH_MAX = 32;

/** `taken`: databases that the configuration names itself. */
export async function scanDirectory(
  directory: DirectoryConfig,
  taken: ReadonlySet<string>,
  { isKnown = () => false, madeBefore, examine = examineFiles }: ScanOptions = {},
): Promise<Scan> {
  const { dir } = directory;
  let names: readonly string[];
  let folders: readonly string[];
  try {
    ({ names, folders } = await namesIn(directory));
  } catch (error) {
    return { kind: 'unreadable', directory, why: messageOf(error) };
  }
  const left: LeftAlone[] = [];
  const found = new Set<string>();
  const unknown: string[] = [];
  for (const relative of names) {
    const file = path.join(dir, relative);
    if (taken.has(file)) continue;
    const problem = problemWithName(relative);
    if (problem !== undefined) left.push({ file, why: problem, isEmpty: false, unread: undefined });
    else if (isKnown(file)) found.add(relative);
    else unknown.push(relative);
  }
  const examined = await examine(unknown.map((relative) => path.join(dir, relative)));
  for (const [index, relative] of unknown.entries()) {
    const result = examined[index];
    if (result === 'database') found.add(relative);
    else {
      const no = result === undefined || result === 'empty' ? { why: 'it is empty' } : result;
      const unread = no.isUnreadable === true ? databaseIn(directory, relative) : undefined;
      const file = path.join(dir, relative);
      left.push({ file, why: no.why, isEmpty: result === 'empty', unread });
    }
  }
  const databases = names
    .filter((name) => found.has(name))
    .map((name) => madeBefore?.(path.join(dir, name)) ?? databaseIn(directory, name));
  return { kind: 'found', directory, databases, left, folders };
}

/** The paths below the directory that its pattern means, sorted. */
async function namesIn(
  directory: DirectoryConfig,
): Promise<{ readonly names: readonly string[]; readonly folders: readonly string[] }> {
  const { dir, recursive } = directory;
  const names: string[] = [];
  const folders: string[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    const folder = path.join(dir, below);
    const entries = await fs.readdir(folder, { withFileTypes: true });
    folders.push(folder);
    for (const entry of entries) {
      const relative = path.join(below, entry.name);
      if (entry.isFile()) {
        if (isMeant(directory, relative)) names.push(relative);
      } else if (recursive && entry.isDirectory() && !isStagingFolder(entry.name)) {
        if (depth < DEPTH_MAX) await visit(relative, depth + 1).catch(unlessGone);
      }
    }
  };
  await visit('', 0);
  return { names: names.sort(), folders };
}

/** The files among them that cannot be read. */
export function unreadOf(left: readonly LeftAlone[]): UnreadDatabase[] {
  return left.flatMap(({ unread, why }) => (unread === undefined ? [] : [{ config: unread, why }]));
}

/** A folder below may be removed at any time. */
function unlessGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/** The configuration with the databases that are in its directories now. */
export async function withFound(config: Config, options?: ScanOptions): Promise<Config> {
  if (config.directories.length === 0) return config;
  const databases = [...config.databases];
  const taken = new Set(databases.map(({ options: { path: file } }) => file));
  const unreadable: { dir: string; why: string }[] = [];
  const unread: UnreadDatabase[] = [];
  const notes: string[] = [];
  for (const directory of config.directories) {
    const scan = await scanDirectory(directory, taken, options);
    if (scan.kind === 'unreadable') {
      unreadable.push({ dir: directory.dir, why: scan.why });
      notes.push(`nothing of the directory ${directory.dir} is replicated: ${scan.why}`);
      continue;
    }
    for (const database of scan.databases) {
      databases.push(database);
      taken.add(database.options.path);
    }
    unread.push(...unreadOf(scan.left));
    for (const { file, why, isEmpty } of scan.left) {
      if (!isEmpty) notes.push(`${file} is left alone: ${why}`);
    }
  }
  return { ...config, databases, unreadable, unread, notes: [...config.notes, ...notes] };
}
