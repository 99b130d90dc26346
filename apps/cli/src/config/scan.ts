/**
 * Searches directories for databases. Files are read only by `examine`: a process that has a database open must not open
 * and close it once more, because that drops the locks of SQLite (POSIX).
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@sluice/core/backend';
import {
  databaseIn,
  describeUnmatched,
  findInDirectories,
  isCandidate,
  isMeant,
  isStagingFolder,
  problemWithName,
} from './directory.ts';
import type { Config, DatabaseConfig, DirectoryConfig, UnreadDatabase } from './model.ts';
import { examineFiles, type Examined } from './examine.ts';

export interface ScanOptions {
  /** Databases that are known as such, and may be open in this process. */
  readonly isKnown?: ((file: string) => boolean) | undefined;
  /** The database at a path, if it was made before. Default: all of them are made. */
  readonly madeBefore?: ((file: string) => DatabaseConfig | undefined) | undefined;
  /** What is in files. Default: this process reads them. */
  readonly examine?: ((files: readonly string[]) => Promise<readonly Examined[]>) | undefined;
  /** The same for files that the pattern does not mean. Default: `examine`. */
  readonly examineOthers?: ScanOptions['examine'];
  /** All directories of the configuration: another one may mean such a file. */
  readonly directories?: readonly DirectoryConfig[] | undefined;
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
      /** A database there that the pattern does not mean, if it means no file at all: the pattern may be wrong. */
      readonly unmatched: string | undefined;
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
/** Files that the pattern does not mean, and that are looked into if it means none. */
const OTHERS_MAX = 64;

/** `taken`: databases that the configuration names itself. */
export async function scanDirectory(
  directory: DirectoryConfig,
  taken: ReadonlySet<string>,
  options: ScanOptions = {},
): Promise<Scan> {
  const { isKnown = () => false, madeBefore, examine = examineFiles, directories = [] } = options;
  const { dir } = directory;
  let names: readonly string[];
  let others: readonly string[];
  let folders: readonly string[];
  try {
    ({ names, others, folders } = await namesIn(directory));
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
  const unmeant = (names.length > 0 ? [] : others)
    .map((relative) => path.join(dir, relative))
    .filter((file) => !taken.has(file) && !isKnown(file))
    .filter((file) => findInDirectories(directories, file) === undefined)
    .slice(0, OTHERS_MAX);
  const results = unmeant.length === 0 ? [] : await (options.examineOthers ?? examine)(unmeant);
  const unmatched = unmeant.find((_, index) => results[index] === 'database');
  return { kind: 'found', directory, databases, left, folders, unmatched };
}

interface Names {
  /** The paths below the directory that its pattern means, sorted. */
  readonly names: readonly string[];
  /** Other paths that may be databases by their names, sorted. */
  readonly others: readonly string[];
  readonly folders: readonly string[];
}

async function namesIn(directory: DirectoryConfig): Promise<Names> {
  const { dir, recursive } = directory;
  const names: string[] = [];
  const others: string[] = [];
  const folders: string[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    const folder = path.join(dir, below);
    const entries = await fs.readdir(folder, { withFileTypes: true });
    folders.push(folder);
    for (const entry of entries) {
      const relative = path.join(below, entry.name);
      if (entry.isFile()) {
        if (isMeant(directory, relative)) names.push(relative);
        else if (isCandidate(entry.name)) others.push(relative);
      } else if (recursive && entry.isDirectory() && !isStagingFolder(entry.name)) {
        if (depth < DEPTH_MAX) await visit(relative, depth + 1).catch(unlessGone);
      }
    }
  };
  await visit('', 0);
  return { names: names.sort(), others: others.sort(), folders };
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
  const unmatched: { dir: string; why: string }[] = [];
  const notes: string[] = [];
  for (const directory of config.directories) {
    const { directories } = config;
    const scan = await scanDirectory(directory, taken, { ...options, directories });
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
    if (scan.unmatched !== undefined) {
      const why = describeUnmatched(directory, scan.unmatched);
      unmatched.push({ dir: directory.dir, why });
      notes.push(`nothing of the directory ${directory.dir} is replicated: ${why}`);
    }
    for (const { file, why, isEmpty } of scan.left) {
      if (!isEmpty) notes.push(`${file} is left alone: ${why}`);
    }
  }
  const found = { databases, unreadable, unmatched, unread };
  return { ...config, ...found, notes: [...config.notes, ...notes] };
}
