/** A configuration file as Litestream 0.3 and 0.5 know it, and ours; strict, with all problems at once. */

import { homedir } from 'node:os';
import path from 'node:path';
import type { ConfigIssue } from '@sluice/core/backend';
import type { DatabaseOptions } from '@sluice/core';
import { LOG_LEVELS, LOG_TYPES } from '../log.ts';
import { readReplica, type ReadReplica, type ReplicaContext } from './destination.ts';
import type { ConfigDocument } from './document.ts';
import { throwIssues } from './document.ts';
import { S3_DEFAULT_KEYS } from './keys.ts';
import type { Config, DatabaseConfig, DestinationConfig } from './model.ts';
import { isMap, ScopeReader } from './scope.ts';

const SHUTDOWN_SYNC_TIMEOUT_MS = 30_000;
const SHUTDOWN_SYNC_INTERVAL_MS = 500;
/** Polls and intervals below this would only burn the processor. */
const INTERVAL_MS_MIN = 10;

export async function parseConfig(document: ConfigDocument, source: string): Promise<Config> {
  const issues: ConfigIssue[] = [];
  const others = ['dbs', ...S3_DEFAULT_KEYS];
  const top = new ScopeReader('global', document.value ?? {}, [], issues, others);
  for (const name of ['snapshot.retention', 'l0-retention', 'l0-retention-check-interval']) {
    top.durationMs(name, 0);
  }
  top.boolean('retention.enabled');
  const defaults = isMap(document.value) ? document.value : {};
  const context = { folder: path.dirname(path.resolve(source)), defaults, issues };
  const snapshotMs = top.durationMs('snapshot.interval', 1);
  const databases = await readDatabases(top.value('dbs'), snapshotMs, context);
  const level = process.env['LOG_LEVEL']?.toLowerCase();
  const config: Config = {
    source,
    databases,
    addr: top.text('addr'),
    exec: top.text('exec'),
    logLevel:
      LOG_LEVELS.find((known) => known === level) ??
      top.oneOf('logging.level', LOG_LEVELS) ??
      'info',
    logType: top.oneOf('logging.type', LOG_TYPES) ?? 'text',
    logTo: top.boolean('logging.stderr') === true ? 'stderr' : 'stdout',
    shutdownSyncTimeoutMs: top.durationMs('shutdown-sync-timeout', 0) ?? SHUTDOWN_SYNC_TIMEOUT_MS,
    shutdownSyncIntervalMs:
      top.durationMs('shutdown-sync-interval', INTERVAL_MS_MIN) ?? SHUTDOWN_SYNC_INTERVAL_MS,
  };
  findClashes(databases, issues);
  throwIssues(document, issues);
  return config;
}

async function readDatabases(
  input: unknown,
  snapshotMs: number | undefined,
  context: ReplicaContext,
): Promise<DatabaseConfig[]> {
  if (!Array.isArray(input) || input.length === 0) {
    const message = 'dbs must be a list of databases, each with a path and its replicas';
    context.issues.push({ path: ['dbs'], message });
    return [];
  }
  const databases: DatabaseConfig[] = [];
  for (const [index, entry] of input.entries()) {
    databases.push(await readDatabase(entry, ['dbs', index], snapshotMs, context));
  }
  return databases;
}

async function readDatabase(
  input: unknown,
  at: readonly (string | number)[],
  snapshotMs: number | undefined,
  context: ReplicaContext,
): Promise<DatabaseConfig> {
  const reader = new ScopeReader('database', input, at, context.issues, []);
  const file = reader.text('path');
  const isRefused = ['dir', 'pattern'].some((name) => reader.value(name) !== undefined);
  if (file === undefined && !isRefused) reader.issue([], `${at.join('.')}: path is missing`);
  reader.durationMs('snapshot.retention', 0);
  const replicas = await readReplicas(reader, at, context);
  const metaPath = reader.text('meta-path');
  const options = {
    path: databasePath(file ?? ''),
    metaPath: metaPath === undefined ? undefined : expandHome(metaPath),
    syncIntervalMs: least(replicas.map((replica) => replica.syncIntervalMs)),
    monitorIntervalMs: reader.durationMs('monitor-interval', INTERVAL_MS_MIN),
    checkpointIntervalMs: reader.durationMs('checkpoint-interval', 0),
    minCheckpointPageCount: reader.number('min-checkpoint-page-count', 1),
    truncatePageN: reader.number('truncate-page-n', 1),
    busyTimeoutMs: reader.durationMs('busy-timeout', 0),
    stagingMaxBytes: reader.sizeBytes('staging-max-bytes'),
    pageEncoding: reader.oneOf('page-encoding', ['block', 'frame']),
    snapshotIntervalMs:
      least(replicas.map((replica) => replica.snapshotIntervalMs)) ??
      reader.durationMs('snapshot.interval', 1) ??
      snapshotMs,
  } satisfies { [Name in keyof DatabaseOptions]: DatabaseOptions[Name] | undefined };
  return {
    options: withoutUndefined(options) as DatabaseConfig['options'],
    restoreIfMissing: reader.boolean('restore-if-db-not-exists') === true ? 'yes' : 'no',
    destinations: nameAll(replicas.map((replica) => replica.destination)),
  };
}

async function readReplicas(
  reader: ScopeReader,
  at: readonly (string | number)[],
  context: ReplicaContext,
): Promise<ReadReplica[]> {
  const one = reader.value('replica');
  const many = reader.value('replicas');
  if (one !== undefined && many !== undefined) {
    reader.issue(['replicas'], 'replicas cannot be given together with replica');
  }
  if (many !== undefined && !Array.isArray(many))
    reader.issue(['replicas'], 'replicas must be a list');
  const list: readonly unknown[] = Array.isArray(many) ? many : [];
  const inputs: [unknown, (string | number)[]][] =
    one === undefined
      ? list.map((entry, index) => [entry, [...at, 'replicas', index]])
      : [[one, [...at, 'replica']]];
  if (inputs.length === 0)
    reader.issue([], `${at.join('.')}: it has no replicas, so it goes nowhere`);
  const replicas: ReadReplica[] = [];
  for (const [input, place] of inputs) {
    const replica = await readReplica(input, place, context);
    if (replica === undefined) continue;
    replicas.push({ ...replica, destination: { ...replica.destination, place } });
  }
  return replicas;
}

/** Names that are given stay; others are their type, numbered from the second on. */
export function nameAll(destinations: readonly DestinationConfig[]): DestinationConfig[] {
  const taken = new Set(destinations.map(({ name }) => name).filter((name) => name !== ''));
  return destinations.map((destination) => {
    if (destination.name !== '') return destination;
    let name = destination.type;
    for (let number = 2; taken.has(name); number++) name = `${destination.type}-${number}`;
    taken.add(name);
    return { ...destination, name };
  });
}

/** Two destinations of one name, two replicas at one place, one database twice. */
function findClashes(databases: readonly DatabaseConfig[], issues: ConfigIssue[]): void {
  const places = new Map<string, string>();
  const paths = new Set<string>();
  for (const [index, database] of databases.entries()) {
    const at = ['dbs', index];
    const { path: file } = database.options;
    if (file !== '' && paths.has(file))
      issues.push({ path: at, message: `${file} is listed twice` });
    paths.add(file);
    const names = new Set<string>();
    for (const destination of database.destinations) {
      const { name, type, path: replica, config, target, place: where = at } = destination;
      if (names.has(name))
        issues.push({ path: where, message: `two destinations are called ${name}` });
      names.add(name);
      const key = JSON.stringify([type, replica, config]);
      const other = places.get(key);
      if (other !== undefined) {
        const message = `${target} is the target of ${other} already: two writers would mix there`;
        issues.push({ path: where, message });
      }
      places.set(key, `${file} (${name})`);
    }
  }
}

function databasePath(written: string): string {
  const bare = written.replace(/^sqlite3?:\/\//, '');
  return bare === '' ? '' : path.resolve(expandHome(bare));
}

export function expandHome(file: string): string {
  return file === '~' || file.startsWith('~/') ? path.join(homedir(), file.slice(1)) : file;
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

function withoutUndefined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
