/** Converts scalars without a type in the schema, as YAML does. */

import { type JSONSchema, isMap, propertiesOf, typesOf } from '@sluice/core/config';
import type { Path } from './problems.ts';
import type { Section } from './section.ts';

type IsPlain = (path: Path) => boolean;

/** Converts unquoted booleans and numbers if the schema has no type for their key. */
export function natural(
  section: Section,
  keys: Readonly<Record<string, JSONSchema>>,
  path: Path,
  isPlain: IsPlain,
): Section {
  return Object.fromEntries(
    Object.entries(section).map(([key, value]) => [
      key,
      naturalValue(value, keys[key] ?? {}, [...path, key], isPlain),
    ]),
  );
}

function naturalValue(value: unknown, json: JSONSchema, path: Path, isPlain: IsPlain): unknown {
  if (isMap(value)) return natural(value, propertiesOf(json) ?? {}, path, isPlain);
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      naturalValue(item, json.items ?? {}, [...path, index], isPlain),
    );
  }
  if (typeof value !== 'string' || typesOf(json).size > 0 || !isPlain(path)) return value;
  if (/^(true|false)$/.test(value)) return value === 'true';
  return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(value) ? Number(value) : value;
}
