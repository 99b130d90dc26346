/**
 * A configuration without secrets, for a support bundle. Shown are only values of keys that are known, and known to be
 * no secret; of URLs, what comes before the query. A reference such as $NAME is shown, as it is no value. Comments are
 * left out. So this also works for a file that is not valid.
 */

import { isMap, jsonSchemaOf, propertiesOf, type JSONSchema } from '@sluice/core/config';
import { parse } from 'yaml';
import { OWN_TYPES } from '../backends.ts';
import { keysOfBackend } from '../config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../config/schema.ts';
import { loadBackend } from '../load-backend.ts';
import { bareURL } from '../secrets.ts';

const REDACTED = '[redacted]';
/** Commands may contain secrets, and encryption has nothing that helps. */
const HIDDEN: ReadonlySet<string> = new Set(['exec', 'encryption', 'age', 'identity-command']);
const REFERENCE = /^\$(?:\w+|\{\w+\})$/;

export async function redactConfiguration(text: string): Promise<unknown> {
  const shown = await shownKeys();
  try {
    return redact(parse(text, { logLevel: 'silent' }), undefined, shown);
  } catch {
    return 'it is not YAML';
  }
}

function redact(value: unknown, key: string | undefined, shown: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => redact(each, key, shown));
  if (isMap(value)) {
    const entries = Object.entries(value).map(([name, each]) => [
      shown.has(name) ? name : REDACTED,
      shown.has(name) ? redact(each, name, shown) : REDACTED,
    ]);
    return Object.fromEntries(entries) as unknown;
  }
  if (typeof value !== 'string') return key === undefined ? REDACTED : value;
  if (REFERENCE.test(value)) return value;
  return key === undefined ? REDACTED : bareURL(value);
}

async function shownKeys(): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  const collect = (properties: Readonly<Record<string, JSONSchema>> = {}): void => {
    for (const [name, json] of Object.entries(properties)) {
      if (json.writeOnly === true || HIDDEN.has(name)) continue;
      keys.add(name);
      collect(propertiesOf(json));
    }
  };
  for (const section of [TOP, DATABASE, REPLICA]) collect(propertiesOf(jsonSchemaOf(section)));
  for (const type of OWN_TYPES) collect(keysOfBackend(await loadBackend(type, '/')));
  return keys;
}
