/** Which destinations a check is about, each once, however many databases go there. */

import path from 'node:path';
import { sameConfig } from '@sluice/core/backend';
import { usageError, type Arguments } from './args.ts';
import { applyCredentials } from './config/credentials.ts';
import { destinationFromURL } from './config/replica.ts';
import { loadConfig } from './config/load.ts';
import type { Config, DestinationConfig } from './config/model.ts';
import type { Shell } from './shell.ts';

export interface CheckTarget {
  readonly destination: DestinationConfig;
  /** Replicas beside it at the same destination, which one check answers for. */
  readonly others: number;
}

/** All of the configuration, those of one name, or one by URL. CONFIG_INVALID for an unknown name. */
export async function checkTargets(args: Arguments, shell: Shell): Promise<CheckTarget[]> {
  const [named, ...more] = args.positionals;
  if (more.length > 0) {
    throw usageError(args.command, `one destination at a time, or all: not also ${more.join(' ')}`);
  }
  if (named?.includes('://') === true) return [await targetOfURL(named, args, shell)];
  const config = await loadConfig(args, shell);
  const found = destinationsOf(config).filter(({ name }) => named === undefined || name === named);
  if (found.length > 0) return oncePerPlace(found);
  const known = [...new Set(destinationsOf(config).map(({ name }) => name))].join(', ');
  throw usageError(
    args.command,
    `no destination in ${config.source} is called ${named}: there are ${known}`,
  );
}

async function targetOfURL(url: string, args: Arguments, shell: Shell): Promise<CheckTarget> {
  if (args.text('config') !== undefined) {
    throw usageError(args.command, `-config goes with a name, and ${url} is a destination`);
  }
  applyCredentials(shell);
  return { destination: await destinationFromURL(url, path.resolve(), shell.secrets), others: 0 };
}

function destinationsOf({ databases }: Config): DestinationConfig[] {
  return databases.flatMap(({ destinations }) => destinations);
}

/** Replicas side by side, by the same keys: what holds of one holds of all. */
export function oncePerPlace(destinations: readonly DestinationConfig[]): CheckTarget[] {
  const targets: { destination: DestinationConfig; others: number }[] = [];
  for (const destination of destinations) {
    const same = targets.find((target) => isBeside(target.destination, destination));
    if (same === undefined) targets.push({ destination, others: 0 });
    else same.others += 1;
  }
  return targets;
}

function isBeside(a: DestinationConfig, b: DestinationConfig): boolean {
  return (
    a.backend === b.backend &&
    path.posix.dirname(a.path) === path.posix.dirname(b.path) &&
    sameConfig(a.config, b.config)
  );
}
