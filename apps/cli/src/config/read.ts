/** A configuration as Litestream 0.3 and 0.5 know it, and ours: strict, with all problems at once. */

import path from 'node:path';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import { toLogLevel, type LogLevel, type LogType } from '../log.ts';
import type { Environment } from '../shell.ts';
import type { Secrets } from '../secrets.ts';
import { keysOf } from '../surface/keys.ts';
import { findClashes } from './clashes.ts';
import { readDatabase, type ReadDatabase } from './database.ts';
import type { ReplicaContext } from './destination.ts';
import { parseTree, type MapNode, type Node } from './document.ts';
import { Issues, spell } from './issues.ts';
import { findOverlaps } from './overlaps.ts';
import type { Config } from './model.ts';
import { Values } from './values.ts';
import { fillIn, markVariables } from './variables.ts';

const COMMAND_LINE = 'the command line';
/** Litestream's. */
const SHUTDOWN_SYNC_TIMEOUT_MS = 30_000;
const SHUTDOWN_SYNC_INTERVAL_MS = 500;
/** What a timeout of 0 gives: time for one request to be answered. */
const ONE_TRY_MS = 2_000;

export interface ReadOptions {
  /** For messages. */
  readonly source: string;
  /** Where packages of backends are looked for first. */
  readonly folder: string;
  readonly environment: Environment;
  readonly variables: 'expand' | 'leave';
  readonly secrets: Secrets;
}

/** CONFIG_INVALID with everything that is wrong. */
export async function readConfig(text: string, options: ReadOptions): Promise<Config> {
  const { source, environment, secrets } = options;
  const notes: string[] = [];
  const marked = options.variables === 'expand' ? markVariables(text) : { text, variables: [] };
  const root = parseTree(marked.text, source, (written, line) => {
    const at = `${source}:${line}`;
    try {
      return fillIn({ ...marked, text: written }, environment, (name) =>
        notes.push(`${at}: $${name} is not set, and stands for nothing`),
      );
    } catch (error) {
      throw new ReplicationError('CONFIG_INVALID', `${at}: ${messageOf(error)}`, { cause: error });
    }
  });
  const issues = new Issues();
  const top = new Values(asMap(root, issues), [], keysOf('global'), issues);
  const databases = await readDatabases(top.node('dbs'), issues, {
    folder: options.folder,
    defaults: top,
    issues,
    secrets,
    environment,
  });
  findClashes(databases, issues);
  findOverlaps(databases, issues);
  issues.throwAny(root, source, source === COMMAND_LINE ? 'no-lines' : 'lines');
  for (const { path: at, note } of allNotes(top, databases)) notes.push(`${spell(at)}: ${note}`);
  const config: Config = {
    source,
    databases: databases.map(({ config: database }) => database),
    addr: top.text('addr'),
    exec: top.text('exec'),
    log: readLog(top, environment, notes),
    shutdownSyncTimeoutMs:
      top.number('shutdown-sync-timeout') === 0
        ? ONE_TRY_MS
        : (top.number('shutdown-sync-timeout') ?? SHUTDOWN_SYNC_TIMEOUT_MS),
    shutdownSyncIntervalMs: top.number('shutdown-sync-interval') ?? SHUTDOWN_SYNC_INTERVAL_MS,
    notes,
  };
  return config;
}

/** A configuration that comes from a command line: the same, in the words of YAML. */
export async function readCommandLine(
  database: string,
  urls: readonly string[],
  options: Omit<ReadOptions, 'source' | 'folder' | 'variables'>,
): Promise<Config> {
  const text = JSON.stringify({
    dbs: [{ path: database, replicas: urls.map((url) => ({ url })) }],
  });
  const folder = path.resolve();
  return await readConfig(text, { ...options, source: COMMAND_LINE, folder, variables: 'leave' });
}

async function readDatabases(
  node: Node | undefined,
  issues: Issues,
  context: ReplicaContext,
): Promise<ReadDatabase[]> {
  if (node?.kind !== 'list') {
    if (issues.all.length === 0) issues.add([], 'dbs is missing: the list of databases');
    return [];
  }
  if (node.items.length === 0) issues.add(['dbs'], 'dbs is empty: there is nothing to replicate');
  const databases: ReadDatabase[] = [];
  for (const [index, item] of node.items.entries()) {
    const database = await readDatabase(item, ['dbs', index], context);
    if (database !== undefined) databases.push(database);
  }
  return databases;
}

function asMap(root: Node, issues: Issues): MapNode {
  if (root.kind === 'map') return root;
  if (root.kind !== 'nothing') issues.add([], 'it must be a map of keys, with dbs among them');
  return { kind: 'map', line: 1, entries: new Map() };
}

function* allNotes(top: Values, databases: readonly ReadDatabase[]): Iterable<Values['notes'][0]> {
  yield* top.notes;
  for (const database of databases) {
    yield* database.notes;
    for (const replica of database.replicas) yield* replica.notes;
  }
}

function readLog(top: Values, environment: Environment, notes: string[]): Config['log'] {
  const written = environment['LOG_LEVEL'];
  const wished = written === undefined ? undefined : toLogLevel(written);
  if (written !== undefined && written !== '' && wished === undefined) {
    notes.push(`LOG_LEVEL is "${written}", which is no level of ours: passed over`);
  }
  return {
    level: wished ?? (top.text('logging.level') as LogLevel | undefined) ?? 'info',
    type: (top.text('logging.type') as LogType | undefined) ?? 'text',
    to: top.boolean('logging.stderr') === true ? 'stderr' : 'stdout',
  };
}
