/** All keys of the configuration: those of the sections and of our backends. */

import type { ConfigSchema } from '@sluice/core/backend';
import { type JSONSchema, jsonSchemaOf, propertiesOf } from '@sluice/core/config';
import { OWN_TYPES } from '../../src/backends.ts';
import { keysOfBackend } from '../../src/config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../../src/config/schema.ts';
import type { Scope } from '../../src/litestream.ts';
import { loadBackend } from '../../src/load-backend.ts';

export interface Row {
  readonly scope: Scope;
  /** Nested keys have a dot: logging.level. */
  readonly name: string;
  /** Type of destination that has the key; undefined: all. */
  readonly of?: string | undefined;
  readonly json: JSONSchema;
}

const SECTIONS = { top: TOP, database: DATABASE, replica: REPLICA } as const;

export async function rowsOf(): Promise<Row[]> {
  const sections = (['top', 'database', 'replica'] as const).flatMap((scope) =>
    flatten(SECTIONS[scope]).map(([name, json]): Row => ({ scope, name, json })),
  );
  const backends: Row[] = [];
  for (const type of OWN_TYPES) {
    const keys = keysOfBackend(await loadBackend(type, '/')) ?? {};
    for (const [name, json] of Object.entries(keys)) {
      if (name === 'path') continue;
      backends.push({ scope: 'replica', name, of: type, json });
      backends.push({ scope: 'top', name, of: type, json });
    }
  }
  return [...sections, ...backends];
}

/** The keys of a section. Nested keys have a dot. */
export function flatten(schema: ConfigSchema<unknown>): [string, JSONSchema][] {
  const properties = propertiesOf(jsonSchemaOf(schema)) ?? {};
  return Object.entries(properties).flatMap(([name, json]): [string, JSONSchema][] => {
    const { properties: inner, ...own } = json;
    const below = Object.entries(inner ?? {}).map(([key, each]): [string, JSONSchema] => [
      `${name}.${key}`,
      each,
    ]);
    // A map that also has a short form is a key of its own.
    return inner === undefined || json['x-kind'] !== undefined ? [[name, own], ...below] : below;
  });
}
