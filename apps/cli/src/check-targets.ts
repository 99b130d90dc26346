/** Finds the destinations to check. Each is checked once, even if several databases use it. */

import path from 'node:path';
import { sameConfig } from '@sluice/core/config';
import { usageError, type Arguments } from './args.ts';
import { applyCredentials } from './config/credentials.ts';
import { databaseIn } from './config/directory.ts';
import { destinationFromURL } from './config/replica.ts';
import { loadConfig } from './config/load.ts';
import type { Config, DestinationConfig } from './config/model.ts';
import type { Shell } from './shell.ts';

export interface CheckTarget {
  readonly destination: DestinationConfig;
  /** Number of other replicas in the same folder, for which this check counts too. */
  readonly others: number;
}

/**
 * All configured destinations, those with one name, or one by URL. CONFIG_INVALID for an unknown
 * name.
 */
export async function checkTargets(args: Arguments, shell: Shell): Promise<CheckTarget[]> {
  const [argument, ...more] = args.positionals;
  if (more.length > 0) {
    throw usageError(
      args.command,
      `give one destination, or none for all, without ${more.join(' ')}`,
    );
  }
  if (argument?.includes('://') === true) return [await targetOfURL(argument, args, shell)];
  const config = await loadConfig(args, shell);
  const found = destinationsOf(config).filter(
    ({ name }) => argument === undefined || name === argument,
  );
  if (found.length > 0) return uniqueTargets(found);
  const known = [...new Set(destinationsOf(config).map(({ name }) => name))].join(', ');
  throw usageError(
    args.command,
    `there is no destination ${argument} in ${config.source}, which has ${known}`,
  );
}

async function targetOfURL(url: string, args: Arguments, shell: Shell): Promise<CheckTarget> {
  if (args.text('config') !== undefined) {
    throw usageError(args.command, `-config needs a name, but ${url} is a destination`);
  }
  applyCredentials(shell);
  return { destination: await destinationFromURL(url, path.resolve(), shell.secrets), others: 0 };
}

/** A database that does not exist stands for those of an empty directory: its destinations are tested, too. */
const STANDIN = 'example.db';

function destinationsOf({ databases, directories }: Config): DestinationConfig[] {
  const known = new Set(databases.map(({ directory }) => directory));
  const empty = directories.filter(({ dir }) => !known.has(dir));
  const all = [...databases, ...empty.map((each) => databaseIn(each, STANDIN))];
  return all.flatMap(({ destinations }) => destinations);
}

/** Merges replicas in the same folder with the same credentials: one check is enough for them. */
export function uniqueTargets(destinations: readonly DestinationConfig[]): CheckTarget[] {
  const targets: { destination: DestinationConfig; others: number }[] = [];
  for (const destination of destinations) {
    const same = targets.find((target) => isSibling(target.destination, destination));
    if (same === undefined) targets.push({ destination, others: 0 });
    else same.others += 1;
  }
  return targets;
}

function isSibling(a: DestinationConfig, b: DestinationConfig): boolean {
  return (
    a.backend === b.backend &&
    path.posix.dirname(a.path) === path.posix.dirname(b.path) &&
    sameConfig(a.config, b.config)
  );
}
