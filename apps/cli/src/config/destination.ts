/** One destination of a database: which backend, what it says to its keys, what it is called. */

import { isError, ReplicationError, type ConfigIssue } from '@sluice/core/backend';
import { loadBackend, splitURL } from '../backends.ts';
import { COMMON_REPLICA_KEYS, S3_DEFAULT_KEYS } from './keys.ts';
import type { DestinationConfig } from './model.ts';
import { isMap, ScopeReader } from './scope.ts';

export interface ReplicaContext {
  /** Folder of the configuration file: third-party packages are looked for from there. */
  readonly folder: string;
  /** Keys at the top that are defaults here. */
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly issues: ConfigIssue[];
}

export interface ReadReplica {
  readonly destination: DestinationConfig;
  readonly syncIntervalMs: number | undefined;
  readonly snapshotIntervalMs: number | undefined;
}

/** Reads a replica of the configuration; what is wrong goes to the issues. */
export async function readReplica(
  input: unknown,
  path: readonly (string | number)[],
  context: ReplicaContext,
): Promise<ReadReplica | undefined> {
  const { issues } = context;
  if (!isMap(input)) {
    issues.push({ path, message: `${path.join('.')} must be a map of keys` });
    return undefined;
  }
  const others = Object.keys(input); // what is not common is the backend's to judge
  const reader = new ScopeReader('replica', input, path, issues, others);
  const own = Object.fromEntries(
    Object.entries(input).filter(([key]) => !COMMON_REPLICA_KEYS.includes(key)),
  );
  const durations = {
    syncIntervalMs: reader.durationMs('sync-interval', SYNC_INTERVAL_MS_MIN),
    snapshotIntervalMs: reader.durationMs('snapshot-interval', 1),
  };
  reader.durationMs('retention', 0);
  reader.durationMs('retention-check-interval', 0);
  try {
    const destination = await readDestination(own, context);
    return { destination: { ...destination, name: reader.text('name') ?? '' }, ...durations };
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const found = error.issues ?? [{ path: [], message: error.message }];
    for (const issue of found)
      issues.push({ path: [...path, ...issue.path], message: issue.message });
    return undefined;
  }
}

const SYNC_INTERVAL_MS_MIN = 10;

/** A destination by URL, as on a command line. CONFIG_INVALID with what is wrong. */
export async function destinationFromURL(text: string, folder: string): Promise<DestinationConfig> {
  if (!text.includes('://')) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      `"${text}" is no URL: write s3://bucket/path or file:///folder`,
    );
  }
  const { type, url } = splitURL(text);
  const backend = await loadBackend(type, folder);
  const { config, path } = backend.parse(backend.fromURL(url));
  return { name: type, type, target: toTarget(type, { url: text }, path), backend, config, path };
}

async function readDestination(
  own: Readonly<Record<string, unknown>>,
  context: ReplicaContext,
): Promise<DestinationConfig> {
  const { url, type: given, ...rest } = own;
  if (typeof url === 'string') {
    if (rest['path'] !== undefined) {
      throw new ReplicationError('CONFIG_INVALID', 'path cannot be given together with url', {
        issues: [{ path: ['path'], message: 'path cannot be given together with url' }],
      });
    }
    const split = splitURL(url);
    const backend = await loadBackend(split.type, context.folder);
    const fromURL = backend.fromURL(split.url);
    const input = { ...defaultsFor(split.type, context), ...(fromURL as object), ...rest };
    const { config, path } = backend.parse(withoutName(input));
    return {
      name: '',
      type: split.type,
      target: toTarget(split.type, own, path),
      backend,
      config,
      path,
    };
  }
  const type = typeof given === 'string' ? given : 'file';
  const backend = await loadBackend(type, context.folder);
  const input = { ...defaultsFor(type, context), type, ...rest };
  const { config, path } = backend.parse(withoutName(input));
  return { name: '', type, target: toTarget(type, own, path), backend, config, path };
}

function defaultsFor(type: string, context: ReplicaContext): Record<string, unknown> {
  if (type !== 's3') return {};
  const entries = S3_DEFAULT_KEYS.map((key) => [key, context.defaults[key]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function withoutName(input: Record<string, unknown>): Record<string, unknown> {
  const { name: _, ...rest } = input;
  return rest;
}

/** What a person calls it: no user, no password, no query. */
function toTarget(type: string, own: Readonly<Record<string, unknown>>, path: string): string {
  const { url, bucket, endpoint } = own;
  if (typeof url === 'string') {
    const bare = url.split('?')[0] ?? url;
    return bare.replace(/\/\/[^/@]*@/, '//');
  }
  const at = typeof endpoint === 'string' ? ` at ${endpoint.replace(/\/\/[^/@]*@/, '//')}` : '';
  if (typeof bucket === 'string') return `${type}://${bucket}/${path}${at}`;
  return `${type}://${path}`;
}
