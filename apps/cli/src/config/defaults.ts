/** Keys of destinations at the top: the defaults of all destinations that have such a key. */

import { jsonSchemaOf, propertiesOf, type JSONSchema } from '@sluice/core/config';
import { OWN_TYPES } from '../backends.ts';
import { loadBackend, type AnyBackend } from '../load-backend.ts';
import type { Section } from './section.ts';

type Properties = Readonly<Record<string, JSONSchema>>;

/** The keys of a backend, with `<key>-file` beside each that may stand in a file; undefined: any key. */
export function keysOfBackend(backend: AnyBackend): Properties | undefined {
  const properties = propertiesOf(jsonSchemaOf(backend.schema));
  if (properties === undefined) return undefined;
  const files = Object.entries(properties)
    .filter(([key, json]) => mayStandInFile(json) && properties[fileKeyOf(key)] === undefined)
    .map(([key]): [string, JSONSchema] => [
      fileKeyOf(key),
      { type: 'string', 'x-kind': 'path', description: `a file that holds ${key}` },
    ]);
  return { ...properties, ...Object.fromEntries(files) };
}

export function fileKeyOf(key: string): string {
  return `${key}-file`;
}

export function mayStandInFile(json: JSONSchema): boolean {
  return json.writeOnly === true || json['x-file'] === true;
}

/** Types of ours by the keys that they have. Loads the packages: asked only where a key is not known. */
export async function typesByKey(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const types = new Map<string, string[]>();
  for (const type of OWN_TYPES) {
    for (const key of Object.keys(keysOfBackend(await loadBackend(type, folder)) ?? {})) {
      types.set(key, [...(types.get(key) ?? []), type]);
    }
  }
  return types;
}

/** What stands at the top for a backend. `path` is never shared. */
export function defaultsFor(top: Section, keys: Properties): Section {
  return Object.fromEntries(
    Object.entries(top).filter(([key, value]) => key in keys && key !== 'path' && value !== null),
  );
}
