/** Builds sluice.schema.json (draft-07, for editors) from the schemas of the sections and of our backends. */

import type { ConfigSchema } from '@sluice/core/backend';
import { type JSONSchema, jsonSchemaOf, typesOf } from '@sluice/core/config';
import { OWN_TYPES } from '../../src/backends.ts';
import { keysOfBackend } from '../../src/config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../../src/config/schema.ts';
import { SCHEMA_URL } from '../../src/config/schema-url.ts';
import { WORDS, type Scope } from '../../src/litestream.ts';
import { loadBackend } from '../../src/load-backend.ts';

type Properties = Readonly<Record<string, unknown>>;

const NAMES: Readonly<Record<string, string>> = { gs: 'gc?s' };

export async function renderJSONSchema(): Promise<string> {
  const backends = new Map<string, Properties>();
  for (const type of OWN_TYPES) {
    const { path: _, ...keys } = keysOfBackend(await loadBackend(type, '/')) ?? {};
    backends.set(
      type,
      Object.fromEntries(Object.entries(keys).map(([k, json]) => [k, forYAML(json)])),
    );
  }
  const { dbs, ...top } = sectionOf(TOP, 'top');
  const { replica, replicas, ...database } = sectionOf(DATABASE, 'database');
  const common = sectionOf(REPLICA, 'replica');
  const { type: _1, name: _2, path: _3, url: _4, ...shared } = common;
  const one = { $ref: '#/definitions/destination' };
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: SCHEMA_URL,
    title: 'A configuration of Sluice',
    type: 'object',
    required: ['dbs'],
    additionalProperties: false,
    properties: {
      dbs: { ...(dbs as object), minItems: 1, items: { $ref: '#/definitions/database' } },
      ...Object.assign({}, ...[...backends.values()].toReversed()),
      ...shared,
      ...top,
    },
    definitions: {
      database: {
        type: 'object',
        allOf: [
          { oneOf: [{ required: ['path'] }, { required: ['dir', 'pattern'] }] },
          { oneOf: [{ required: ['replica'] }, { required: ['replicas'] }] },
        ],
        additionalProperties: false,
        properties: {
          ...database,
          replica: { ...one, description: (replica as JSONSchema).description },
          replicas: { ...(replicas as object), minItems: 1, items: one },
        },
      },
      destination: {
        type: 'object',
        properties: common,
        allOf: OWN_TYPES.map((type) => ({
          if: isOfType(type),
          // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
          then: {
            properties: { ...allowAll(common), ...backends.get(type) },
            additionalProperties: false,
          },
        })),
      },
    },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** Matches a destination by its type or URL; without both, its type is file. */
function isOfType(type: string): object {
  const name = NAMES[type] ?? type;
  const byType = { required: ['type'], properties: { type: { pattern: `^${name}$` } } };
  const byURL = {
    required: ['url'],
    properties: { url: { pattern: `^${name}://` }, type: { pattern: `^${name}$` } },
  };
  const byNothing = { not: { anyOf: [{ required: ['type'] }, { required: ['url'] }] } };
  return { anyOf: type === 'file' ? [byType, byURL, byNothing] : [byType, byURL] };
}

function allowAll(properties: Properties): Properties {
  return Object.fromEntries(Object.keys(properties).map((key) => [key, true]));
}

function sectionOf(schema: ConfigSchema<unknown>, scope: Scope): Properties {
  const { properties = {} } = jsonSchemaOf(schema);
  const ours = Object.entries(properties).map(([key, json]): [string, unknown] => [
    key,
    forYAML(json, scope, key),
  ]);
  return { ...ignoredWords(scope), ...Object.fromEntries(ours) };
}

/** Keys of Litestream without effect. Editors show deprecated keys struck through. */
function ignoredWords(scope: Scope, group?: string): Properties {
  const words = WORDS.filter((word) => word.scope === scope && word.support.kind === 'noted');
  const entries = words.flatMap(({ key, support }): [string, object][] => {
    const [first = '', inner] = key.split('.');
    const note = support.kind === 'noted' ? support.note : '';
    const word = { deprecated: true, description: `no effect: ${note}` };
    if (group !== undefined) return first === group && inner !== undefined ? [[inner, word]] : [];
    return [[first, inner === undefined ? word : { properties: { [inner]: word } }]];
  });
  return Object.fromEntries(entries);
}

/** The types that YAML allows: also a string for a number, and a variable for any value. */
function forYAML(json: JSONSchema, scope?: Scope, key?: string): unknown {
  if (json.properties !== undefined) {
    const inner = Object.entries(json.properties).map(([name, below]) => [name, forYAML(below)]);
    const words = scope === undefined ? {} : ignoredWords(scope, key);
    return { ...json, properties: { ...words, ...Object.fromEntries(inner) } };
  }
  const { description, default: standard, examples, writeOnly, ...rest } = json;
  const about = { description, default: standard, examples, writeOnly };
  const types = typesOf(json);
  if (types.has('array') || types.has('object')) return json;
  const variable = { type: 'string', pattern: '\\$' };
  if (json.enum !== undefined) return { ...about, anyOf: [rest, variable] };
  if (types.has('string')) return { ...about, ...rest, type: ['string', 'number', 'boolean'] };
  return { ...about, anyOf: [rest, variable] };
}
