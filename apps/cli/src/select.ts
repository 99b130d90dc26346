/** Finds the subject of a reading command: a configured database, or a destination given by URL. */

import fs from 'node:fs';
import path from 'node:path';
import { nearest } from '@sluice/core/config';
import { usageError, type Arguments } from './args.ts';
import { applyCredentials } from './config/credentials.ts';
import { findInDirectories } from './config/directory.ts';
import { toDatabasePath } from './config/schema.ts';
import { destinationFromURL } from './config/replica.ts';
import { loadConfig } from './config/load.ts';
import type { Config, DatabaseConfig, DestinationConfig } from './config/model.ts';
import type { Shell } from './shell.ts';

export interface Selection {
  /** undefined if a URL was given. */
  readonly database: DatabaseConfig | undefined;
  readonly destinations: readonly DestinationConfig[];
}

/** CONFIG_INVALID if nothing is named, or something unknown. */
export async function select(args: Arguments, shell: Shell): Promise<Selection> {
  const { command } = args;
  const [argument, ...more] = args.positionals;
  if (argument === undefined)
    throw usageError(command, 'name a database of the configuration, or a URL');
  if (more.length > 0) {
    throw usageError(command, `give one database or URL, without ${more.join(' ')}`);
  }
  if (argument.includes('://') && !/^sqlite3?:/.test(argument))
    return await selectURL(argument, args, shell);
  return selectFrom(await loadConfig(args, shell), argument, args);
}

/** A database of a configuration that was read before. Errors as above. */
export function selectFrom(config: Config, argument: string, args: Arguments): Selection {
  const { command } = args;
  const database = findDatabase(config, argument, args);
  const name = args.text('replica');
  if (name === undefined) return { database, destinations: database.destinations };
  const destination = database.destinations.find((candidate) => candidate.name === name);
  if (destination !== undefined) return { database, destinations: [destination] };
  const known = database.destinations.map((candidate) => candidate.name).join(', ');
  throw usageError(command, `there is no destination ${name}; the database has ${known}`);
}

async function selectURL(url: string, args: Arguments, shell: Shell): Promise<Selection> {
  for (const flag of ['config', 'replica']) {
    if (args.text(flag) === undefined) continue;
    throw usageError(args.command, `-${flag} needs a database, but ${url} is a destination`);
  }
  applyCredentials(shell);
  const { environment, secrets } = shell;
  const destination = await destinationFromURL(url, path.resolve(), secrets, environment);
  return { database: undefined, destinations: [destination] };
}

/** Databases that a message lists. */
const NAMED_MAX = 20;

/** The database of a path: it is named, or in a directory, even if the file does not exist. */
export function databaseAt(config: Config, wanted: string): DatabaseConfig | undefined {
  const found = config.databases.find((database) => database.options.path === wanted);
  return found ?? findInDirectories(config.directories, wanted);
}

/** The path that was probably meant: a similar name in the same folder, otherwise the same name in another one. */
export function nearestPath(wanted: string, known: readonly string[]): string | undefined {
  const [folder, name] = [path.dirname(wanted), path.basename(wanted)];
  const beside = known.filter((each) => path.dirname(each) === folder);
  const similar = nearest(
    name,
    beside.map((each) => path.basename(each)),
  );
  if (similar !== undefined) return path.join(folder, similar);
  return known.find((each) => path.basename(each) === name);
}

/** CONFIG_INVALID if the configuration has no such database. */
export function findDatabase(config: Config, argument: string, args: Arguments): DatabaseConfig {
  const wanted = toDatabasePath(argument);
  const found = databaseAt(config, wanted);
  if (found !== undefined) return found;
  const paths = config.databases.map((database) => database.options.path);
  const more = paths.length > NAMED_MAX ? ` and ${paths.length - NAMED_MAX} more` : '';
  const known = paths.slice(0, NAMED_MAX).join(', ') + more;
  throw usageError(
    args.command,
    `${wanted} is not in ${config.source}, which has ${known}; ${hintFor(argument, wanted, paths)}`,
  );
}

function hintFor(argument: string, wanted: string, known: readonly string[]): string {
  if (isLikeURL(argument)) return 'a URL has two slashes, as in s3://bucket/path';
  if (isFolder(wanted)) return `for the backup in this folder, write file://${wanted}`;
  const meant = nearestPath(wanted, known);
  return meant === undefined ? 'name one of them, or add it to the file' : `did you mean ${meant}?`;
}

function isFolder(name: string): boolean {
  return fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** "s3:/bucket" and "s3:bucket". */
function isLikeURL(argument: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(argument);
}
