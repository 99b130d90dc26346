/**
 * The schema of one section of a configuration: a Standard Schema from any validator that also provides a JSON
 * Schema.
 */

import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';

/** A Standard Schema with a JSON Schema, for example one made with zod. */
export interface ConfigSchema<Output> {
  readonly '~standard': StandardSchemaV1.Props<unknown, Output> &
    StandardJSONSchemaV1.Props<unknown, Output>;
}

/** The form of a value that the JSON type does not show. For documentation. */
export type ValueKind = 'duration' | 'size' | 'secret' | 'URL' | 'path';

/** The part of JSON Schema (draft-07) that Sluice reads, and Sluice's own keywords. */
export interface JSONSchema {
  readonly type?: string | readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, JSONSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: boolean | JSONSchema | undefined;
  readonly items?: JSONSchema | undefined;
  readonly anyOf?: readonly JSONSchema[] | undefined;
  readonly oneOf?: readonly JSONSchema[] | undefined;
  readonly allOf?: readonly JSONSchema[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly const?: unknown;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly examples?: readonly unknown[] | undefined;
  /** Marks a secret. The CLI also accepts `<key>-file`, the path of a file with the value. */
  readonly writeOnly?: boolean | undefined;
  readonly 'x-kind'?: ValueKind | undefined;
  /** Describes a default that is not a value: "the bucket's". */
  readonly 'x-default'?: string | undefined;
  /** Not a secret, but the CLI accepts `<key>-file` for it too. */
  readonly 'x-file'?: boolean | undefined;
  /** The limits, as a user would write them. */
  readonly 'x-min'?: string | undefined;
  readonly 'x-max'?: string | undefined;
}

/** A configuration may have thousands of sections with a few schemas, and creating a JSON Schema is slow. */
const cache = new WeakMap<ConfigSchema<unknown>, JSONSchema>();

/** The JSON Schema (draft 7) of a schema's input. Cached. */
export function jsonSchemaOf(schema: ConfigSchema<unknown>): JSONSchema {
  const known = cache.get(schema);
  if (known !== undefined) return known;
  const json: JSONSchema = schema['~standard'].jsonSchema.input({ target: 'draft-07' });
  cache.set(schema, json);
  return json;
}

/** The keys of a map, or undefined if it accepts any key. */
export function propertiesOf(json: JSONSchema): Readonly<Record<string, JSONSchema>> | undefined {
  const { additionalProperties: more = false } = json;
  if (more !== false) return undefined;
  const parts = [...(json.allOf ?? []), ...(json.anyOf ?? []), ...(json.oneOf ?? [])];
  const found = [json.properties, ...parts.map(propertiesOf)].filter((map) => map !== undefined);
  return found.length === 0 ? undefined : Object.assign({}, ...found);
}

/** The JSON types that a value may have. Empty if the schema does not say. */
export function typesOf(json: JSONSchema): ReadonlySet<string> {
  const { type = [], enum: values = [] } = json;
  const constant = 'const' in json ? [json.const] : [];
  const parts = [...(json.allOf ?? []), ...(json.anyOf ?? []), ...(json.oneOf ?? [])];
  return new Set([
    ...(typeof type === 'string' ? [type] : type),
    ...[...values, ...constant].map((value) => typeof value),
    ...parts.flatMap((part) => [...typesOf(part)]),
  ]);
}
