/** Keys of destinations at the top level: defaults for all destinations that have the key. */

import { isError } from '@sluice/core/backend';
import { type JSONSchema, isMap, jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { isOwnType, OWN_TYPES } from '../backends.ts';
import { loadBackend, type AnyBackend } from '../load-backend.ts';
import type { Section } from './section.ts';

type Properties = Readonly<Record<string, JSONSchema>>;

/** The keys of a backend, including `<key>-file` for secrets. Undefined if it accepts any key. */
export function keysOfBackend(backend: AnyBackend): Properties | undefined {
  const properties = propertiesOf(jsonSchemaOf(backend.schema));
  if (properties === undefined) return undefined;
  const files = Object.entries(properties)
    .filter(([key, json]) => canBeInFile(json) && properties[fileKeyOf(key)] === undefined)
    .map(([key]): [string, JSONSchema] => [
      fileKeyOf(key),
      { type: 'string', 'x-kind': 'path', description: describeFileKey(key) },
    ]);
  return { ...properties, ...Object.fromEntries(files) };
}

export function fileKeyOf(key: string): string {
  return `${key}-file`;
}

/** The help text of `<key>-file`. It identifies the keys that we add ourselves. */
export function describeFileKey(key: string): string {
  return `file that contains ${key}`;
}

export function canBeInFile(json: JSONSchema): boolean {
  return json.writeOnly === true || json['x-file'] === true;
}

/** Our types by key. Loads all their packages, so it is called only for unknown keys. */
export async function typesByKey(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const types = new Map<string, string[]>();
  for (const type of OWN_TYPES) {
    for (const key of Object.keys(keysOfBackend(await loadBackend(type, folder)) ?? {})) {
      types.set(key, [...(types.get(key) ?? []), type]);
    }
  }
  return types;
}

/** Keys of third-party backends in `dbs`, which can also have defaults at the top level. */
export async function keysOfPackages(dbs: unknown, folder: string): Promise<readonly string[]> {
  const keys = new Set<string>();
  for (const type of packagesIn(dbs)) {
    try {
      for (const key of Object.keys(keysOfBackend(await loadBackend(type, folder)) ?? {}))
        keys.add(key);
    } catch (error) {
      // Reported for the destination, with its line.
      if (!isError(error, 'CONFIG_INVALID')) throw error;
    }
  }
  return [...keys];
}

function packagesIn(dbs: unknown): ReadonlySet<string> {
  const databases = Array.isArray(dbs) ? dbs.filter(isMap) : [];
  const destinations = databases.flatMap(({ replica, replicas }) =>
    [replica, ...(Array.isArray(replicas) ? (replicas as readonly unknown[]) : [])].filter(isMap),
  );
  const types = destinations.flatMap(({ type, url }) => {
    const [, named] = typeof url === 'string' ? (/^([^+:]+)\+/.exec(url) ?? []) : [];
    return [type, named].filter((name) => typeof name === 'string');
  });
  return new Set(types.filter((type) => !isOwnType(type)));
}

/** The top-level defaults for a backend. `path` is never shared. */
export function defaultsFor(top: Section, keys: Properties): Section {
  return Object.fromEntries(
    Object.entries(top).filter(([key, value]) => key in keys && key !== 'path' && value !== null),
  );
}
