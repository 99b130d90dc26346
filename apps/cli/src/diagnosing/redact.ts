/**
 * A configuration without secrets, for a support bundle. Shown are only values of keys that are known in their section,
 * and known to be no secret; of URLs, what comes before the query. A reference such as $NAME is shown, as it is no value.
 * Comments are left out. So this also works for a file that is not valid.
 */

import { isMap, jsonSchemaOf, propertiesOf, type JSONSchema } from '@sluice/core/config';
import { parse } from 'yaml';
import { OWN_TYPES } from '../backends.ts';
import { keysOfBackend } from '../config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../config/schema.ts';
import { loadBackend } from '../load-backend.ts';
import { bareURL } from '../secrets.ts';

const REDACTED = '[redacted]';
/** Commands and the addresses of notifications may contain secrets, and encryption has nothing that helps. */
const HIDDEN: ReadonlySet<string> = new Set([
  'age',
  'encryption',
  'exec',
  'heartbeat',
  'heartbeat-url',
  'notify',
]);
/** Described by the schema of their items. */
const LISTS: ReadonlySet<string> = new Set(['dbs', 'replica', 'replicas']);
const REFERENCE = /^\$(?:\w+|\{\w+\})$/;

/** What is known about a key: its own keys, if it is a section. */
interface Known {
  readonly keys: ReadonlyMap<string, Known>;
}

export async function redactConfiguration(text: string): Promise<unknown> {
  const known = await knownKeys();
  try {
    return redact(parse(text, { logLevel: 'silent' }), known);
  } catch {
    return 'it is not YAML';
  }
}

function redact(value: unknown, known: Known | undefined): unknown {
  if (known === undefined) return REDACTED;
  if (Array.isArray(value)) return value.map((each) => redact(each, known));
  if (isMap(value)) {
    const entries = Object.entries(value).map(([name, each]) => {
      const inner = known.keys.get(name);
      return [inner === undefined ? REDACTED : name, redact(each, inner)];
    });
    return Object.fromEntries(entries) as unknown;
  }
  if (typeof value !== 'string') return value;
  return REFERENCE.test(value) ? value : bareURL(value);
}

async function knownKeys(): Promise<Known> {
  const backends = await Promise.all(OWN_TYPES.map(async (type) => await loadBackend(type, '/')));
  const ofBackends = backends.flatMap((backend) => Object.entries(keysOfBackend(backend) ?? {}));
  const replica = sectionOf({
    ...Object.fromEntries(ofBackends),
    ...propertiesOf(jsonSchemaOf(REPLICA)),
  });
  const database = sectionOf(propertiesOf(jsonSchemaOf(DATABASE)), { replica, replicas: replica });
  const top = propertiesOf(jsonSchemaOf(TOP));
  // Keys of destinations are allowed at the top, as defaults.
  return sectionOf(top, { ...Object.fromEntries(replica.keys), dbs: database });
}

/** `more`: sections that the schema does not describe, and keys that it lacks. */
function sectionOf(
  properties: Readonly<Record<string, JSONSchema>> = {},
  more: Readonly<Record<string, Known>> = {},
): Known {
  const keys = new Map(Object.entries(more));
  for (const [name, json] of Object.entries(properties)) {
    if (json.writeOnly === true || HIDDEN.has(name)) keys.delete(name);
    else if (!LISTS.has(name)) keys.set(name, sectionOf(propertiesOf(json.items ?? json)));
  }
  return { keys };
}
