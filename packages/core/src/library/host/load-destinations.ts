/** Loads the backends of a database's destinations, and reads their keys. */

import { parseConfig } from '../../config/parse-config.ts';
import { messageOf, ReplicationError } from '../../error.ts';
import { RETENTION_DEFAULTS, type RetentionPolicy } from '../../history/retention-policy.ts';
import type { Backend } from '../../store/backend.ts';
import type { DestinationSettings } from '../destination-data.ts';
import type { HostedDatabase, HostedDestination } from '../messages.ts';

/** The contract version that this version of Sluice supports. */
const CONTRACT = 1;

export interface LoadedDestination {
  /** Unique among the destinations of its database. */
  readonly name: string;
  readonly type: string;
  /** For people. Contains no secret. */
  readonly target: string;
  readonly backend: Backend<unknown>;
  readonly config: unknown;
  /** Path of the replica at the destination. */
  readonly path: string;
  readonly settings: DestinationSettings;
  readonly retention: RetentionPolicy | undefined;
  /** Asks the application; undefined if it has no function for them. */
  readonly credentials: (() => Promise<unknown>) | undefined;
}

/** Asks the application for credentials by the number of their source. */
export type Ask = (source: number, target: string) => Promise<unknown>;

/** CONFIG_INVALID if a backend cannot be loaded, its keys are wrong, or two destinations are one place. */
export async function loadDestinations(
  { options, destinations }: HostedDatabase,
  ask: Ask,
): Promise<readonly LoadedDestination[]> {
  if (destinations.length === 0) {
    throw invalid(options.path, 'it has no destination; add one, such as file() or s3()');
  }
  const taken = new Set(destinations.flatMap(({ settings: { name } }) => name ?? []));
  const given = destinations.filter(({ settings: { name } }) => name !== undefined);
  if (taken.size < given.length) throw invalid(options.path, 'two destinations have one name');
  const places = new Set<string>();
  const loaded: LoadedDestination[] = [];
  for (const data of destinations) {
    const nameFor = (type: string): string => {
      let name = type;
      for (let number = 2; taken.has(name); number += 1) name = `${type}-${number}`;
      taken.add(name);
      return name;
    };
    const { place, ...destination } = await load(data, options.path, { ask, nameFor });
    if (places.has(place)) {
      throw invalid(options.path, `two destinations write to ${destination.target}; remove one`);
    }
    places.add(place);
    loaded.push(destination);
  }
  return loaded;
}

async function load(
  { module, keys, settings, source }: HostedDestination,
  database: string,
  { ask, nameFor }: { readonly ask: Ask; readonly nameFor: (type: string) => string },
): Promise<LoadedDestination & { readonly place: string }> {
  const backend = await loadBackend(module, database);
  const { scheme: type } = backend;
  const { config, path } = parseConfig(backend, keys);
  const { target, place = target } = backend.describe(config, path);
  const name = settings.name ?? nameFor(type);
  const retention = toRetention(settings.retention);
  const credentials = source === undefined ? undefined : () => ask(source, target);
  return { name, type, target, place, backend, config, path, settings, retention, credentials };
}

async function loadBackend(module: string, database: string): Promise<Backend<unknown>> {
  let loaded: { readonly backend?: Backend<unknown> };
  try {
    loaded = (await import(module)) as typeof loaded;
  } catch (error) {
    throw invalid(database, `load ${module}: ${messageOf(error)}; install its package again`);
  }
  const { backend } = loaded;
  if (typeof backend?.connect !== 'function') {
    throw invalid(
      database,
      `${module} has no export named backend; use the function of its package`,
    );
  }
  const contract: number = backend.contract;
  if (contract === CONTRACT) return backend;
  throw invalid(
    database,
    `${module} implements contract ${contract}, but this version of Sluice needs ${CONTRACT}: ` +
      'install versions that belong together',
  );
}

function toRetention(given: DestinationSettings['retention']): LoadedDestination['retention'] {
  return given === 'everything' ? undefined : { ...RETENTION_DEFAULTS, ...given };
}

function invalid(database: string, why: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `replicate ${database}: ${why}`);
}
