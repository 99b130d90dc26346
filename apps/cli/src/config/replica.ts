/** Reads one destination of a database: its backend, its name, and the keys for the backend. */

import {
  isError,
  isSecret,
  messageOf,
  parseConfig,
  ReplicationError,
  type ConfigIssue,
} from '@sluice/core/backend';
import { isMap, type JSONSchema } from '@sluice/core/config';
import { isOwnType } from '../backends.ts';
import { loadBackend, splitURL, type AnyBackend } from '../load-backend.ts';
import { bareURL, type Secrets } from '../secrets.ts';
import type { Environment } from '../shell.ts';
import { withCredentials } from './credentials.ts';
import {
  defaultsFor,
  describeFileKey,
  fileKeyOf,
  keysOfBackend,
  canBeInFile,
  typesByKey,
} from './defaults.ts';
import { identitiesOfEnvironment, readEncryption } from './encryption.ts';
import type { DestinationConfig, EncryptionConfig } from './model.ts';
import { natural } from './natural.ts';
import { spell, type Path, type Problems } from './problems.ts';
import { limitsOf } from './fields/limits.ts';
import type { RetentionKeys } from './fields/retention.ts';
import { REPLICA, type ReplicaSection, type TopSection } from './schema.ts';
import { readSection, withoutLitestream, type Note, type Section } from './section.ts';
import { readSecretFile } from './variables.ts';

export interface ReplicaContext {
  /** Folder of the configuration, from which packages are resolved. */
  readonly folder: string;
  /** The top level as written, with defaults for destinations. */
  readonly top: Section;
  readonly intervals: Pick<TopSection, 'sync-interval' | 'snapshot-interval'>;
  /** For destinations without their own. */
  readonly encryption: Pick<TopSection, 'encryption' | 'age'>;
  readonly problems: Problems;
  readonly notes: Note[];
  readonly secrets: Secrets;
  readonly environment: Environment;
  /** Whether the scalar at a path is unquoted. */
  readonly isPlain: (path: Path) => boolean;
  /** Keys whose values are not secret. */
  readonly publicKeys: Set<string>;
}

export interface ReadReplica {
  readonly destination: Omit<DestinationConfig, 'name'>;
  readonly path: Path;
  /** Undefined if the configuration gives none. */
  readonly name: string | undefined;
  readonly syncIntervalMs: number;
  readonly snapshotIntervalMs: number | undefined;
  readonly lease: ReplicaSection['lease'];
  readonly retention: RetentionKeys | undefined;
  readonly validationIntervalMs: number | undefined;
}

const OWN_KEYS = Object.keys(REPLICA.shape);

/** Returns undefined, with problems added, if it is invalid. */
export async function readReplica(
  section: Section,
  path: Path,
  context: ReplicaContext,
): Promise<ReadReplica | undefined> {
  const { problems, notes, intervals } = context;
  const before = problems.count;
  const kind = await findKind(section, path, context);
  const known = new Set(Object.keys(kind?.keys ?? {}));
  const rest =
    kind === undefined
      ? section
      : withoutLitestream(section, path, 'replica', { problems, notes, known, type: kind.type });
  const [common, own] = split(rest);
  const read = readSection(REPLICA, common, path, { problems, what: 'a destination' });
  if (kind === undefined) return undefined;
  const destination = await readDestination(kind, own, path, context);
  const encryption = read && (await readEncryptionOf(read, path, context));
  if (read === undefined || destination === undefined || problems.count > before) return undefined;
  return {
    destination: { ...destination, encryption, enabled: read.enabled, limits: limitsOf(read) },
    path,
    name: read.name,
    syncIntervalMs: read['sync-interval'] ?? intervals['sync-interval'],
    snapshotIntervalMs: read['snapshot-interval'] ?? intervals['snapshot-interval'],
    lease: read.lease,
    retention: read.retention,
    validationIntervalMs: read['validation-interval'],
  };
}

async function readEncryptionOf(
  read: ReplicaSection,
  path: Path,
  context: ReplicaContext,
): Promise<EncryptionConfig | undefined> {
  const hasOwn = read.encryption !== undefined || read.age !== undefined;
  return hasOwn
    ? await readEncryption(read, path, context)
    : await readEncryption(context.encryption, [], context);
}

/** A destination given by URL on a command line. CONFIG_INVALID if it is invalid. */
export async function destinationFromURL(
  text: string,
  folder: string,
  secrets: Secrets,
  environment: Environment = {},
): Promise<DestinationConfig> {
  const { type, url } = splitURL(text);
  const backend = await loadBackend(type, folder);
  const input = withCredentials(type, readURL(backend, url, bareURL(text)) as object, environment);
  const identities = identitiesOfEnvironment(environment, secrets);
  const encryption = identities.length === 0 ? undefined : { recipients: [], identities };
  return { name: type, ...describe(backend, type, input, secrets), encryption };
}

interface Kind {
  readonly type: string;
  readonly backend: AnyBackend;
  /** The keys from the URL. */
  readonly fromURL: Section;
  readonly place: Section;
  /** undefined: any key. */
  readonly keys: Readonly<Record<string, JSONSchema>> | undefined;
}

async function findKind(
  section: Section,
  path: Path,
  { folder, problems }: ReplicaContext,
): Promise<Kind | undefined> {
  const { type, url, path: place } = section;
  const written = url !== null && url !== undefined;
  // Other types are refused by the schema.
  if (written && typeof url !== 'string') return undefined;
  if (type !== null && type !== undefined && typeof type !== 'string') return undefined;
  return await attempt(written ? [...path, 'url'] : path, path, problems, async () => {
    const target = written ? splitURL(url) : undefined;
    if (target !== undefined && typeof type === 'string' && type !== target.type) {
      throw invalid(`type is ${type}, but url starts with ${target.type}://: remove type`);
    }
    if (target !== undefined && place !== undefined && place !== null) {
      throw invalid('path and url cannot be used together: put the path into url');
    }
    const name = target?.type ?? (typeof type === 'string' ? type : 'file');
    const backend = await loadBackend(name, folder);
    return {
      type: name,
      backend,
      fromURL: target === undefined ? {} : (readURL(backend, target.url, 'url') as Section),
      place: target === undefined && typeof place === 'string' ? { path: place } : {},
      keys: keysOfBackend(backend),
    };
  });
}

function readURL(backend: AnyBackend, url: URL, subject: string): unknown {
  try {
    return backend.fromURL(url);
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    throw invalid(`${subject} ${messageOf(error)}`);
  }
}

async function readDestination(
  kind: Kind,
  own: Section,
  path: Path,
  context: ReplicaContext,
): Promise<Omit<DestinationConfig, 'name'> | undefined> {
  const { top, problems, environment, secrets } = context;
  const { backend, type, keys } = kind;
  addPublicKeys(kind, context);
  const wanted = await withoutKeysOfOthers(kind, own, path, context);
  const defaults = keys === undefined ? {} : defaultsFor(top, keys);
  const given = {
    ...kind.fromURL,
    ...natural(withValues(wanted, keys), keys ?? {}, path, context.isPlain),
  };
  const origin = (key: string): Path => {
    const fileKey = fileKeyOf(key);
    if (fileKey in wanted) return [...path, fileKey];
    const isDefault = !(key in given) && (key in defaults || fileKey in defaults);
    return isDefault ? [fileKey in defaults ? fileKey : key] : [...path, key];
  };
  return await attempt(path, path, problems, async () => {
    const ours = readFiles(given, keys ?? {});
    const theirs = Object.fromEntries(
      Object.entries(readFiles(defaults, keys ?? {})).filter(([key]) => !(key in ours)),
    );
    const input = withCredentials(type, { ...theirs, ...ours, ...kind.place }, environment);
    try {
      return describe(backend, type, input, secrets);
    } catch (error) {
      if (!isError(error, 'CONFIG_INVALID') || error.issues === undefined) throw error;
      for (const { path: at, message } of error.issues) {
        const [key, ...below] = at;
        const where = typeof key === 'string' ? [...origin(key), ...below] : path;
        problems.add(where, `${spell(path)}: ${message}`);
      }
      return undefined;
    }
  });
}

/** Removes known keys without a value, so their defaults apply. Unknown keys remain, to be refused. */
function withValues(section: Section, keys: Kind['keys']): Section {
  const isGiven = ([key, value]: [string, unknown]): boolean =>
    value !== null || (keys !== undefined && !(key in keys));
  return Object.fromEntries(Object.entries(section).filter(isGiven));
}

/** Keys of other types are refused with a message that names those types. */
async function withoutKeysOfOthers(
  { type, keys }: Kind,
  own: Section,
  path: Path,
  { folder, problems }: ReplicaContext,
): Promise<Section> {
  const isUnknown = (key: string): boolean => keys !== undefined && !(key in keys);
  if (!isOwnType(type) || !Object.keys(own).some(isUnknown)) return own;
  const types = await typesByKey(folder);
  const rest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(own)) {
    const others = isUnknown(key) ? types.get(key) : undefined;
    if (others === undefined) rest[key] = value;
    else if (value !== null) {
      const at = [...path, key];
      problems.add(at, `${spell(at)}: is a key of ${others.join(', ')}, not of ${type}; remove it`);
    }
  }
  return rest;
}

/** Reads the values of `<key>-file`. CONFIG_INVALID if a file cannot be read, or both keys are given. */
function readFiles(given: Section, keys: Readonly<Record<string, JSONSchema>>): Section {
  const input: Record<string, unknown> = { ...given };
  for (const [key, json] of Object.entries(keys)) {
    const fileKey = fileKeyOf(key);
    const file = given[fileKey];
    if (!canBeInFile(json) || typeof file !== 'string' || isOfBackend(keys, fileKey)) continue;
    if (given[key] !== undefined && given[key] !== null) {
      throw invalid(`${fileKey} and ${key} cannot be used together`);
    }
    delete input[fileKey];
    input[key] = readSecretFile(file, fileKey);
  }
  return input;
}

/** Whether the backend itself has the key, and reads the file. */
function isOfBackend(keys: Readonly<Record<string, JSONSchema>>, fileKey: string): boolean {
  const base = fileKey.slice(0, -'-file'.length);
  return keys[fileKey]?.description !== describeFileKey(base);
}

function describe(
  backend: AnyBackend,
  type: string,
  input: unknown,
  secrets: Secrets,
): Omit<DestinationConfig, 'name'> {
  for (const [key, json] of Object.entries(keysOfBackend(backend) ?? {})) {
    const value = isMap(input) ? input[key] : undefined;
    if (json.writeOnly === true && typeof value === 'string') secrets.add(value);
  }
  const { config, path } = parseConfig(backend, input);
  collectSecrets(config, secrets);
  const description = backend.describe(config, path);
  const place = description.place ?? description.target;
  return { ...description, type, backend, config, path, place, secrets };
}

function addPublicKeys({ keys = {} }: Kind, { publicKeys }: ReplicaContext): void {
  for (const [key, json] of Object.entries(keys)) if (!canBeInFile(json)) publicKeys.add(key);
}

/** Separates the common keys from the keys of the backend. */
function split(section: Section): [common: Section, own: Section] {
  const entries = Object.entries(section);
  return [
    Object.fromEntries(entries.filter(([key]) => OWN_KEYS.includes(key))),
    Object.fromEntries(entries.filter(([key]) => !OWN_KEYS.includes(key))),
  ];
}

/** Turns a CONFIG_INVALID of `work` into problems at `at`, whose messages start with `path`. */
async function attempt<Result>(
  at: Path,
  path: Path,
  problems: Problems,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const found: readonly ConfigIssue[] = error.issues ?? [{ path: [], message: error.message }];
    for (const issue of found)
      problems.add([...at, ...issue.path], `${spell(path)}: ${issue.message}`);
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
