/**
 * Validates one section of a configuration and reports all of its problems at once.
 *
 * It works the same with every validator. Unknown keys are errors, reported with the closest known key. A key
 * without a value counts as absent. Text (from YAML, a URL or a variable) is converted to a boolean or a number
 * if the JSON Schema requires one.
 */

import { ReplicationError, type ConfigIssue } from '../error.ts';
import { nearest } from './nearest.ts';
import {
  jsonSchemaOf,
  propertiesOf,
  typesOf,
  type ConfigSchema,
  type JSONSchema,
} from './schema.ts';
import { isSecret } from './secret.ts';
import { show } from './show.ts';

type Path = readonly (string | number)[];

/** Options of `validate`. */
export interface ValidateOptions {
  /** The name of the section, for messages: "s3". */
  readonly what: string;
  /** Keys that are valid, but are not passed to the validator. */
  readonly ignored?: readonly string[] | undefined;
  /** Keys that are read elsewhere before. They are only suggested for a mistyped key. */
  readonly suggested?: readonly string[] | undefined;
}

/** Result of `validate`. Problems are returned, not thrown. */
export type Validated<Output> =
  | { readonly kind: 'valid'; readonly value: Output }
  | { readonly kind: 'invalid'; readonly issues: readonly ConfigIssue[] };

/** Checks a section against its schema, and finds unknown keys. CONFIG_INVALID only if the schema is asynchronous. */
export function validate<Output>(
  schema: ConfigSchema<Output>,
  input: unknown,
  { what, ignored = [], suggested = [] }: ValidateOptions,
): Validated<Output> {
  if (!isMap(input)) {
    const message = `${what} must be a map of keys, not ${show(input)}`;
    return { kind: 'invalid', issues: [{ path: [], message }] };
  }
  const unknown: ConfigIssue[] = [];
  const context = { what, ignored, suggested, path: [], unknown };
  const prepared = prepare(input, jsonSchemaOf(schema), context);
  const result = schema['~standard'].validate(prepared);
  if (result instanceof Promise) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      `read the configuration of ${what}: its schema returned a promise; schemas must be synchronous`,
    );
  }
  const issues = (result.issues ?? []).map((issue) => toIssue(issue, prepared));
  if (result.issues === undefined && unknown.length === 0) {
    return { kind: 'valid', value: result.value };
  }
  return { kind: 'invalid', issues: [...issues, ...unknown] };
}

/** Whether the value is a map of keys: not null, a list or a secret. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isSecret(value);
}

interface Context {
  readonly what: string;
  readonly ignored: readonly string[];
  readonly suggested: readonly string[];
  readonly path: Path;
  readonly unknown: ConfigIssue[];
}

/** The input for the validator. */
function prepare(value: unknown, json: JSONSchema, context: Context): unknown {
  if (isMap(value)) return prepareMap(value, json, context);
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      prepare(item, json.items ?? {}, { ...context, path: [...context.path, index] }),
    );
  }
  return typeof value === 'string' ? fromText(value, typesOf(json)) : value;
}

function prepareMap(
  map: Readonly<Record<string, unknown>>,
  json: JSONSchema,
  { what, ignored, suggested, path, unknown }: Context,
): Readonly<Record<string, unknown>> {
  const properties = propertiesOf(json);
  const known = properties === undefined ? undefined : [...Object.keys(properties), ...ignored];
  const prepared: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(map)) {
    if (ignored.includes(key)) continue;
    const at = [...path, key];
    if (known !== undefined && !known.includes(key)) {
      const meant = nearest(key, path.length === 0 ? [...known, ...suggested] : known);
      const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
      unknown.push({ path: at, message: `${at.join('.')} is not a key of ${what}${hint}` });
    } else if (value !== undefined && value !== null) {
      const inner = properties?.[key] ?? {};
      // Some keys have a text as their short form.
      const isMapOnly = inner.properties !== undefined && !typesOf(inner).has('string');
      const keys = isMapOnly ? Object.keys(inner.properties ?? {}) : undefined;
      if (keys === undefined || isMap(value)) {
        prepared[key] = prepare(value, inner, {
          what: key,
          ignored: [],
          suggested: [],
          path: at,
          unknown,
        });
      } else {
        const message = `${at.join('.')} must be a map of ${keys.join(', ')}`;
        unknown.push({ path: at, message });
      }
    }
  }
  return prepared;
}

/** Returns text unchanged if the schema allows text, or if it is neither a boolean nor a number. */
function fromText(text: string, types: ReadonlySet<string>): unknown {
  if (types.size === 0 || types.has('string')) return text;
  if (types.has('boolean')) {
    if (/^(true|yes|on)$/i.test(text)) return true;
    if (/^(false|no|off)$/i.test(text)) return false;
  }
  const isNumber = types.has('number') || types.has('integer');
  return isNumber && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

interface ValidatorIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

function toIssue({ message, path: given = [] }: ValidatorIssue, input: unknown): ConfigIssue {
  const path = given.map((step) => {
    const key = typeof step === 'object' ? step.key : step;
    return typeof key === 'symbol' ? String(key) : key;
  });
  const where = path.join('.');
  if (where === '' || message.startsWith(where)) return { path, message };
  // Every validator has a different message for a missing key.
  if (isAbsent(input, path) && /undefined|required|was missing/i.test(message)) {
    return { path, message: `${where} is missing` };
  }
  return { path, message: `${where}${/^[A-Z]/.test(message) ? ':' : ''} ${message}` };
}

function isAbsent(input: unknown, path: Path): boolean {
  let value = input;
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step];
  return value === undefined;
}
