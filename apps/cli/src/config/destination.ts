/** One destination of a database: which backend, what it makes of its keys, what it is called. */

import {
  isError,
  isSecret,
  ReplicationError,
  type ConfigIssue,
  parseConfig,
} from '@sluice/core/backend';
import { isOwnType } from '../backends.ts';
import { loadBackend, splitURL, type AnyBackend } from '../load-backend.ts';
import type { Secrets } from '../secrets.ts';
import { hasControlCharacter } from '../control-characters.ts';
import type { MapNode } from './document.ts';
import { withCredentials } from './credentials.ts';
import { spell, type Issues, type Path } from './issues.ts';
import type { DestinationConfig } from './model.ts';
import { commonKeysOf, defaultsFor, inputOf, keysOfType, naturalInput } from './replica-keys.ts';
import type { Environment } from '../shell.ts';
import { Values } from './values.ts';

export interface ReplicaContext {
  /** Of the configuration: packages are looked for from there. */
  readonly folder: string;
  /** What stands at the top. */
  readonly defaults: Values;
  readonly issues: Issues;
  readonly secrets: Secrets;
  readonly environment: Environment;
}

export interface ReadReplica {
  readonly destination: Omit<DestinationConfig, 'name'>;
  readonly path: Path;
  /** undefined where it has to be given one. */
  readonly name: string | undefined;
  readonly syncIntervalMs: number | undefined;
  readonly snapshotIntervalMs: number | undefined;
  readonly notes: Values['notes'];
}

/** undefined where something is wrong with it: the issues tell what. */
export async function readReplica(
  node: MapNode,
  path: Path,
  context: ReplicaContext,
): Promise<ReadReplica | undefined> {
  const { issues, defaults } = context;
  const written = typeOf(node);
  const isOwn = isOwnType(written);
  const isPackage = /[@+-]/.test(written);
  const keys = isPackage ? commonKeysOf(node) : keysOfType(written);
  const before = issues.all.length;
  const values = new Values(isPackage ? onlyKeys(node, keys) : node, path, keys, issues);
  const destination = await attempt(path, issues, async () => {
    const label = values.text('name');
    if (label !== undefined && hasControlCharacter(label)) {
      throw invalid(
        `name ${JSON.stringify(label)} holds a line break or another control character`,
      );
    }
    const type = values.text('type');
    const url = values.text('url');
    const split = url === undefined ? undefined : splitURL(url);
    if (split !== undefined && type !== undefined && type !== split.type) {
      throw invalid(`type is ${type}, and url begins with ${split.type}://: leave type out`);
    }
    if (split !== undefined && values.text('path') !== undefined) {
      throw invalid('path cannot be given together with url: put it into the url');
    }
    const name = split?.type ?? type ?? 'file';
    const backend = await loadBackend(name, context.folder);
    const own = isOwn ? inputOf(values, keys) : naturalInput(node);
    const fromURL = split === undefined ? {} : (backend.fromURL(split.url) as object);
    const at = split === undefined ? { type: name, ...pathOf(values) } : {};
    const input = { ...defaultsFor(name, defaults), ...fromURL, ...own, ...at };
    const whole = withCredentials(name, input, context.environment);
    return parseWith(backend, name, whole, context.secrets);
  });
  if (destination === undefined || issues.all.length > before) return undefined;
  return {
    destination,
    path,
    name: values.text('name'),
    syncIntervalMs: values.number('sync-interval') ?? defaults.number('sync-interval'),
    snapshotIntervalMs: values.number('snapshot-interval') ?? defaults.number('snapshot-interval'),
    notes: values.notes,
  };
}

/** A destination by URL, as on a command line. CONFIG_INVALID with what is wrong. */
export async function destinationFromURL(
  text: string,
  folder: string,
  secrets: Secrets,
  environment: Environment = {},
): Promise<DestinationConfig> {
  const { type, url } = splitURL(text);
  const backend = await loadBackend(type, folder);
  const input = withCredentials(type, backend.fromURL(url) as object, environment);
  return { name: type, ...parseWith(backend, type, input, secrets) };
}

function parseWith(
  backend: AnyBackend,
  type: string,
  input: unknown,
  secrets: Secrets,
): Omit<DestinationConfig, 'name'> {
  const { config, path } = parseConfig(backend, input);
  collectSecrets(config, secrets);
  const description = backend.describe(config, path);
  const place = description.place ?? description.target;
  return { ...description, type, backend, config, path, place };
}

/** The type as far as it can be told before anything is checked. */
function typeOf(node: MapNode): string {
  const textAt = (name: string): string | undefined => {
    const value = node.entries.get(name)?.value;
    return value?.kind === 'text' ? value.text : undefined;
  };
  const url = textAt('url');
  const scheme = url === undefined ? undefined : /^([^:]*):\/\//.exec(url)?.[1];
  return scheme ?? textAt('type') ?? 'file';
}

function pathOf(values: Values): { path?: string } {
  const path = values.text('path');
  return path === undefined ? {} : { path };
}

function onlyKeys(node: MapNode, keys: readonly { readonly name: string }[]): MapNode {
  const known = [...node.entries].filter(([name]) =>
    keys.some((key) => key.name === name || key.name.startsWith(`${name}.`)),
  );
  return { ...node, entries: new Map(known) };
}

/** What `work` throws of CONFIG_INVALID becomes issues below `path`. */
async function attempt<Result>(
  path: Path,
  issues: Issues,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const found: readonly ConfigIssue[] = error.issues ?? [{ path: [], message: error.message }];
    for (const issue of found) {
      issues.add([...path, ...issue.path], `${spell(path)}: ${issue.message}`);
    }
    return undefined;
  }
}

function collectSecrets(value: unknown, secrets: Secrets): void {
  if (isSecret(value)) secrets.add(value.reveal());
  else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) collectSecrets(inner, secrets);
  }
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
