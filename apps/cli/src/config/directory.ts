/**
 * A directory in the configuration, and the databases in it.
 *
 * The database `dir/a/b.db` is sent to `<path of the destination>/a/b.db`, so two databases of a directory never share a
 * destination. Two directories, or a directory and a database, must not have base paths inside one another.
 */

import path, { posix } from 'node:path';
import { defaultMetaPath } from '@sluice/core';
import { hasControlCharacter } from '../control-characters.ts';
import { readDatabase, type DatabaseContext, type ReadDatabase } from './database.ts';
import type { Config, DatabaseConfig, DestinationConfig, DirectoryConfig } from './model.ts';
import { realPathOf } from './overlaps.ts';
import { matchesPattern } from './pattern.ts';
import { spell, type Path, type Problems } from './problems.ts';
import { DATABASE } from './schema.ts';
import { validate } from '@sluice/core/config';
import type { Section } from './section.ts';

/** Files of SQLite, of Sluice and of a restore that is not complete: they belong to a database, or become one. */
const NOT_DATABASES = /-(?:wal|shm|journal)$|^\..*-sluice-id$|\.tmp$/;
/** A replica with this name would be inside the files of another one (store/layout.ts), or look like it. */
const RESERVED = /^(?:ltx|generations|000.*)$/;
const KEYS = ['dir', 'pattern', 'recursive', 'watch', 'meta-dir'] as const;

export interface ReadDirectory {
  /** Complete only if no problem was found. */
  readonly config: DirectoryConfig;
  readonly path: Path;
  readonly replicas: ReadDatabase['replicas'];
}

/** Returns undefined, with a problem added, if it is invalid. */
export async function readDirectory(
  section: Section,
  at: Path,
  context: DatabaseContext,
): Promise<ReadDirectory | undefined> {
  const { problems } = context;
  const own = Object.fromEntries(KEYS.map((key) => [key, section[key]]));
  const others = Object.entries(section).filter(([key]) => !KEYS.some((each) => each === key));
  for (const key of ['path', 'meta-path', 'restore-if-db-not-exists'] as const) {
    const value = section[key];
    if (value === undefined || value === null || value === false) continue;
    problems.add([...at, key], `${spell([...at, key])}: cannot be used with dir: ${INSTEAD[key]}`);
  }
  const rest: Section = Object.fromEntries(
    others.filter(([key]) => !['path', 'meta-path', 'restore-if-db-not-exists'].includes(key)),
  );
  const result = validate(OWN, own, { what: 'a directory' });
  if (result.kind === 'invalid') problems.addAll(at, result.issues);
  const dir = result.kind === 'valid' ? result.value.dir : undefined;
  const database = await readDatabase({ ...rest, path: dir ?? '/-' }, at, context);
  if (result.kind === 'invalid' || dir === undefined || database === undefined) return undefined;
  const { pattern, recursive, watch, 'meta-dir': metaDir } = result.value;
  if (pattern === undefined) {
    problems.add(at, `${spell(at)}: pattern is missing: write pattern: "*.db", for example`);
    return undefined;
  }
  const { config: template, replicas } = database;
  return { config: { dir, pattern, recursive, watch, metaDir, template }, path: at, replicas };
}

const OWN = DATABASE.pick({
  dir: true,
  pattern: true,
  recursive: true,
  watch: true,
  'meta-dir': true,
});

const INSTEAD = {
  path: 'write one of them, in an entry of its own',
  'meta-path': 'use meta-dir',
  'restore-if-db-not-exists': 'a database that is missing has no name there; use "sluice restore"',
} as const;

/** Whether a file or folder in a directory may be looked at, by its name alone. */
export function isCandidate(name: string): boolean {
  return !NOT_DATABASES.test(name);
}

/** Whether it is a staging folder, of Sluice or of Litestream. */
export function isStagingFolder(name: string): boolean {
  return /^\..*-(?:sluice|litestream)$/.test(name);
}

/** Whether the configuration means a database at this path below the directory. */
export function isMeant({ pattern, recursive }: DirectoryConfig, relative: string): boolean {
  const parts = relative.split(path.sep);
  const name = parts.at(-1) ?? '';
  if (parts.length > 1 && (!recursive || parts.slice(0, -1).some(isStagingFolder))) return false;
  return isCandidate(name) && matchesPattern(name, pattern);
}

/** Why a database of this name cannot have a destination of its own; undefined if it can. */
export function problemWithName(relative: string): string | undefined {
  if (hasControlCharacter(relative) || /[\\\uFFFD]/.test(relative)) {
    return 'its name contains a control character, a backslash, or bytes that are not UTF-8';
  }
  const reserved = relative.split(path.sep).find((part) => RESERVED.test(part));
  return reserved === undefined
    ? undefined
    : `the name ${reserved} is reserved for files of a replica: rename it`;
}

/** The database at a path below the directory. */
export function databaseIn(directory: DirectoryConfig, relative: string): DatabaseConfig {
  const { dir, metaDir, template } = directory;
  const file = path.join(dir, relative);
  const parts = relative.split(path.sep);
  const metaPath =
    metaDir === undefined ? undefined : defaultMetaPath(path.join(metaDir, relative));
  return {
    ...template,
    options: { ...template.options, path: file, ...(metaPath === undefined ? {} : { metaPath }) },
    destinations: template.destinations.map((base) => below(base, parts)),
    directory: dir,
  };
}

/** The database with this path in one of the directories, whether it exists or not. */
export function findInDirectories(
  directories: readonly DirectoryConfig[],
  wanted: string,
): DatabaseConfig | undefined {
  for (const directory of directories) {
    const relative = path.relative(directory.dir, wanted);
    const isBelow = relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`);
    if (!isBelow || !isMeant(directory, relative)) continue;
    if (problemWithName(relative) === undefined) return databaseIn(directory, relative);
  }
  return undefined;
}

function below(base: DestinationConfig, parts: readonly string[]): DestinationConfig {
  const { folder: _, place: _1, provider: _2, partBytes: _3, target: _4, ...rest } = base;
  const at = posix.join(base.path, ...parts);
  const description = base.backend.describe(base.config, at);
  return { ...rest, ...description, path: at, place: description.place ?? description.target };
}

/** Refuses base paths inside one another, and folders in which a copy would meet a database. */
export function findDirectoryOverlaps(
  directories: readonly ReadDirectory[],
  databases: readonly ReadDatabase[],
  problems: Problems,
): void {
  const report = (at: Path, what: string, how: string, other: Path): void =>
    problems.add(at, `${spell(at)}: ${what} ${how} ${spell(other)}: choose another path`);
  for (const [index, { config, replicas, path: at }] of directories.entries()) {
    const others = [...databases, ...directories.slice(0, index)].flatMap((each) => each.replicas);
    for (const { destination, path: where } of replicas) {
      for (const other of others) {
        if (areNested(destination, other.destination)) {
          report(
            where,
            destination.target,
            'is inside the path, or contains the path, of',
            other.path,
          );
        }
      }
      const { folder } = destination;
      if (folder === undefined) continue;
      const [base, dir] = [realPathOf(folder), realPathOf(config.dir)];
      const isInside = isBelowOrSame(base, dir) && (config.recursive || base === dir);
      if (isInside || isBelowOrSame(dir, base)) {
        report(where, folder, 'is inside the directory, or contains it, of', at);
      }
      if (config.metaDir === undefined) continue;
      const meta = realPathOf(config.metaDir);
      if (isBelowOrSame(meta, base) || isBelowOrSame(base, meta)) {
        report(where, folder, 'is inside the meta-dir, or contains it, of', at);
      }
    }
    for (const earlier of directories.slice(0, index)) {
      const [mine, theirs] = [config.metaDir, earlier.config.metaDir];
      if (mine === undefined || theirs === undefined) continue;
      if (isBelowOrSame(mine, theirs) || isBelowOrSame(theirs, mine)) {
        report(at, mine, 'is inside the meta-dir, or contains it, of', earlier.path);
      }
    }
  }
}

/** Why a database that is not in the configuration cannot be replicated beside its directories. */
export function problemBeside(
  { options, destinations }: DatabaseConfig,
  directories: readonly DirectoryConfig[],
): string | undefined {
  for (const { dir, template } of directories) {
    for (const base of template.destinations) {
      const other = destinations.find((destination) => areNested(base, destination));
      if (other === undefined) continue;
      return `${options.path}: ${other.target} is inside the path, or contains the path, to which the databases in ${dir} are sent: choose another path`;
    }
  }
  return undefined;
}

type Base = ReadDatabase['replicas'][number]['destination'];

function areNested(a: Base, b: Base): boolean {
  const [mine, theirs] = [baseOf(a), baseOf(b)];
  if (mine.where !== theirs.where) return false;
  return isBelowOrSame(mine.path, theirs.path) || isBelowOrSame(theirs.path, mine.path);
}

/** The bucket or server, without credentials, and the path in it. */
function baseOf({ backend, config, path: at, folder, type }: Base): {
  where: string;
  path: string;
} {
  if (folder !== undefined) return { where: 'folder', path: realPathOf(folder) };
  const { target, place = target } = backend.describe(config, '');
  return { where: `${type} ${place}`, path: posix.join('/', at) };
}

function isBelowOrSame(inner: string, outer: string): boolean {
  const folder = outer.endsWith('/') ? outer : `${outer}/`;
  return inner === outer || inner.startsWith(folder);
}

/** A directory with nothing to replicate, and why. */
export interface SilentDirectory {
  readonly dir: string;
  readonly why: string;
}

/** Directories that must have databases, and none is replicated: they cannot be searched, or their pattern is wrong. */
export function failedDirectories({
  unreadable = [],
  unmatched = [],
}: Pick<Config, 'unreadable' | 'unmatched'>): readonly SilentDirectory[] {
  return [...unreadable, ...unmatched];
}

/** Directories that were searched and have no database yet. */
export function emptyDirectories(
  config: Pick<Config, 'databases' | 'directories' | 'unreadable' | 'unmatched'>,
): SilentDirectory[] {
  const known = new Set([
    ...config.databases.map(({ directory }) => directory),
    ...failedDirectories(config).map(({ dir }) => dir),
  ]);
  return config.directories
    .filter(({ dir }) => !known.has(dir))
    .map(({ dir, pattern }) => ({ dir, why: `there is no database ${pattern} in ${dir}` }));
}

/** One line for each directory without a database. */
export function describeEmpty(config: Parameters<typeof emptyDirectories>[0]): string[] {
  return emptyDirectories(config).map(({ why }) => why);
}

/** Why its pattern seems to be wrong. */
export function describeUnmatched({ dir, pattern }: DirectoryConfig, file: string): string {
  const found = path.relative(dir, file);
  return `no file in it matches the pattern ${pattern}, and ${found} is a database: correct the pattern`;
}
