/** The configuration of one destination, by the schema of its backend. */

import { isError, messageOf, ReplicationError, type ConfigIssue } from '../error.ts';
import { HOST_KEYS } from './host-keys.ts';
import type { ConfigSchema } from './schema.ts';
import { parseURL } from './url.ts';
import { isMap, validate } from './validate.ts';

/** The part of a backend that concerns its configuration. */
export interface Configurable<Config> {
  readonly scheme: string;
  readonly schema: ConfigSchema<Config & { readonly path: string }>;
  fromURL(url: URL): unknown;
}

/** Result of `parseConfig`. */
export interface ParsedConfig<Config> {
  /** All keys except the replica's path. Equal configs share a Destination. */
  readonly config: Config;
  /** The path of this replica below the destination. */
  readonly path: string;
}

/** Keys that are read here or by the host, not by the backend. */
const IGNORED_KEYS = ['type', 'name', 'url'];

/**
 * Parses a destination as it is written in YAML. A `url` is replaced by the keys that `fromURL` returns; keys
 * beside it override them. Throws CONFIG_INVALID with every issue and its path.
 */
export function parseConfig<Config>(
  backend: Configurable<Config>,
  input: unknown,
): ParsedConfig<Config> {
  const { scheme: what, schema } = backend;
  const url = isMap(input) && input['url'] !== undefined ? readURL(backend, input) : undefined;
  const merged = url?.keys === undefined ? input : { ...url.keys, ...(input as object) };
  const result = validate(schema, merged, {
    what,
    ignored: IGNORED_KEYS,
    suggested: HOST_KEYS,
  });
  const wrongURL = url?.issues ?? [];
  if (result.kind === 'invalid' || wrongURL.length > 0) {
    const found = result.kind === 'invalid' ? result.issues : [];
    // Keys that a valid URL would have set are not reported as missing.
    const issues =
      wrongURL.length === 0
        ? found
        : [...wrongURL, ...found.filter(({ message }) => !/ is missing\b/.test(message))];
    const lines = issues.map(({ message }) => message).join('; ');
    throw new ReplicationError('CONFIG_INVALID', `read the configuration of ${what}: ${lines}`, {
      issues,
    });
  }
  const { path, ...config } = result.value;
  return { config: config as Config, path };
}

interface ReadURL {
  readonly keys?: object | undefined;
  readonly issues: readonly ConfigIssue[];
}

function readURL(
  backend: Pick<Configurable<unknown>, 'fromURL'>,
  { url, path }: Readonly<Record<string, unknown>>,
): ReadURL {
  if (path !== undefined && path !== null) return wrong('cannot be given together with path');
  if (typeof url !== 'string') return wrong('must be text');
  try {
    return { keys: backend.fromURL(parseURL(url)) as object, issues: [] };
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return wrong(messageOf(error));
    throw error;
  }
}

function wrong(message: string): ReadURL {
  return { issues: [{ path: ['url'], message: `url ${message}` }] };
}
