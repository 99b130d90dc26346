/** What a command that reads is about: a database of the configuration, or a destination by URL. */

import path from 'node:path';
import { ReplicationError } from '@sluice/core/backend';
import type { Arguments } from './args.ts';
import { destinationFromURL } from './config/destination.ts';
import { applyCredentials, loadConfig } from './config/load.ts';
import type { Config, DatabaseConfig, DestinationConfig } from './config/model.ts';

export interface Selection {
  /** undefined where a URL was given. */
  readonly database: DatabaseConfig | undefined;
  readonly destinations: readonly DestinationConfig[];
}

/** CONFIG_INVALID where nothing, or something unknown, is named. */
export async function select(args: Arguments): Promise<Selection> {
  const [named] = args.positionals;
  if (named === undefined) {
    throw new ReplicationError('CONFIG_INVALID', 'name a database of the configuration, or a URL');
  }
  if (args.positionals.length > 1) {
    const more = args.positionals.slice(1).join(' ');
    throw new ReplicationError('CONFIG_INVALID', `one database or URL at a time, not also ${more}`);
  }
  if (named.includes('://') && !/^sqlite3?:/.test(named)) {
    applyCredentials();
    return { database: undefined, destinations: [await destinationFromURL(named, process.cwd())] };
  }
  const database = findDatabase(await loadConfig(args), named);
  const name = args.text('replica');
  if (name === undefined) return { database, destinations: database.destinations };
  const destination = database.destinations.find((candidate) => candidate.name === name);
  if (destination !== undefined) return { database, destinations: [destination] };
  const known = database.destinations.map((candidate) => candidate.name).join(', ');
  throw new ReplicationError(
    'CONFIG_INVALID',
    `no destination is called ${name}: there are ${known}`,
  );
}

export function findDatabase(config: Config, named: string): DatabaseConfig {
  const wanted = path.resolve(named.replace(/^sqlite3?:\/\//, ''));
  const found = config.databases.find((database) => database.options.path === wanted);
  if (found !== undefined) return found;
  const known = config.databases.map((database) => database.options.path).join(', ');
  throw new ReplicationError(
    'CONFIG_INVALID',
    `${wanted} is not in ${config.source}: there are ${known}`,
  );
}
