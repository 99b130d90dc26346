/** The commands that a running replicator accepts through the control socket of the process. */

import {
  refuseWarmCopy,
  type ControlCommands,
  type DatabaseReport,
  type InfoAnswer,
  type Replicator,
} from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { problemBeside } from '../config/directory.ts';
import { checkTogether } from '../config/together.ts';
import type { DatabaseConfig } from '../config/model.ts';
import {
  parseDatabaseInput,
  parseDatabasesInput,
  parseRegisterInput,
  parseReloadInput,
  parseResetInput,
  type DatabasesInput,
  type EndAnswer,
  type ListAnswer,
  type ListedDatabase,
  type RegisterAnswer,
  type RegisterInput,
  type ResetAnswer,
  type ResetInput,
  type SnapshotAnswer,
  type StartAnswer,
} from '../controlling/answers.ts';
import { resetDatabase } from '../controlling/reset-database.ts';
import { databaseAt } from '../select.ts';
import type { Background } from './background.ts';
import type { DatabaseSet, Member } from './database-set.ts';
import { NO_CHANGES } from './diff.ts';
import { drill, repair } from './proof-commands.ts';
import type { Reloads } from './reload.ts';

export interface ProcessCommandsContext {
  readonly replicator: Replicator;
  readonly databases: DatabaseSet;
  readonly reloads: Reloads;
  readonly background: Background;
  readonly info: () => InfoAnswer;
  /** A database and its URLs, as on a command line. CONFIG_INVALID if they are invalid. */
  readonly readURLs: (path: string, urls: readonly string[]) => Promise<DatabaseConfig>;
  readonly logger: Logger;
}

export function processCommands(context: ProcessCommandsContext): ControlCommands {
  const { reloads } = context;
  return {
    info: async () => context.info(),
    list: async () => list(context),
    start: async (input) => start(context, parseDatabaseInput('start', input)),
    stop: async (input) => stop(context, parseDatabaseInput('stop', input)),
    register: async (input) => register(context, parseRegisterInput(input)),
    unregister: async (input) => unregister(context, parseDatabaseInput('unregister', input)),
    snapshot: async (input) => snapshot(context, parseDatabasesInput('snapshot', input)),
    reset: async (input) => reset(context, parseResetInput(input)),
    drill: async (input, signal, report) => drill(context, input, signal, report),
    repair: async (input, signal, report) => repair(context, input, signal, report),
    reload: async (input) =>
      reloads.reload(parseReloadInput(input).dry_run === true ? 'dry run' : 'apply'),
  };
}

function list({ databases, replicator }: ProcessCommandsContext): ListAnswer {
  const states = new Map(replicator.status().map((status) => [status.path, status]));
  return { databases: databases.all.map((member) => toListed(member, states)) };
}

function toListed(
  { config, origin, state, error }: Member,
  states: ReadonlyMap<string, ReturnType<Replicator['status']>[number]>,
): ListedDatabase {
  const { path } = config.options;
  const replication = states.get(path);
  const successes = replication?.destinations.flatMap((each) => each.lastSuccessAt ?? []) ?? [];
  return {
    path,
    status: state,
    origin,
    state: replication?.state,
    txid: replication?.txid,
    healthy: replication?.healthy,
    last_sync_at: successes.sort().at(-1),
    destinations: config.destinations.map(({ name }) => name),
    error: error?.message,
  };
}

async function start(
  { databases }: ProcessCommandsContext,
  { path }: DatabasesInput & { readonly path: string },
): Promise<StartAnswer> {
  const started = await databases.start(path);
  return { path, status: started === 'already' ? 'already_running' : 'started' };
}

async function stop(
  { databases, logger }: ProcessCommandsContext,
  input: DatabasesInput & { readonly path: string },
): Promise<EndAnswer> {
  const { path } = input;
  if (input.dry_run === true) {
    const { state } = databases.get(path, 'stop');
    return { path, status: state === 'stopped' ? 'already_stopped' : 'would_stop' };
  }
  const before = databases.find(path);
  const state = before?.state;
  const report = await databases.stop(path, toDrain(input));
  const isEnded = state === 'stopped' || state === 'stopping';
  if (report === undefined && isEnded) return { path, status: 'already_stopped' };
  logger.info('stopped by a command: it is not replicated until "sluice start"', { db: path });
  return { path, status: 'stopped', ...describeEnd(report, before) };
}

async function unregister(
  { databases, logger }: ProcessCommandsContext,
  input: DatabasesInput & { readonly path: string },
): Promise<EndAnswer> {
  const { path } = input;
  // A command that is repeated succeeds. A path that is mistyped does not: its database would stay replicated.
  const found = databases.find(path);
  if (found === undefined && databases.isUnregistered(path)) {
    return { path, status: 'already_unregistered' };
  }
  const member = found ?? databases.get(path, 'unregister');
  if (input.dry_run === true) return { path, status: 'would_unregister' };
  const isStopped = member.state === 'stopped';
  const report = await databases.unregister(path, toDrain(input));
  logger.info('unregistered by a command: it is no longer replicated', { db: path });
  return { path, status: 'unregistered', ...describeEnd(report, isStopped ? undefined : member) };
}

function toDrain({ timeout_ms: ms }: DatabasesInput): { shutdownSyncTimeoutMs?: number } {
  return ms === undefined ? {} : { shutdownSyncTimeoutMs: ms };
}

/** Without a report there was no last sync: the database could not be replicated. */
function describeEnd(
  report: DatabaseReport | undefined,
  member: Member | undefined,
): Pick<EndAnswer, 'txid' | 'complete' | 'behind'> {
  if (report === undefined) {
    const enabled = (member?.config.destinations ?? []).filter((each) => each.enabled !== false);
    return { txid: undefined, complete: [], behind: enabled.map(({ name }) => name) };
  }
  const { txid, destinations } = report;
  const namesOf = (wanted: 'complete' | 'behind'): string[] =>
    destinations.filter(({ complete }) => complete === wanted).map(({ name }) => name);
  return { txid, complete: namesOf('complete'), behind: namesOf('behind') };
}

async function register(
  context: ProcessCommandsContext,
  input: RegisterInput,
): Promise<RegisterAnswer> {
  const { databases, reloads, readURLs, logger } = context;
  const { path, urls } = input;
  const wanted = urls === undefined ? await inFile(reloads, path) : await readURLs(path, urls);
  const destinations = wanted.destinations.map(({ name, target }) => ({ name, target }));
  const check = (): 'new' | 'known' => {
    const member = databases.find(path);
    if (member !== undefined) {
      requireSame(member.config, wanted);
      return 'known';
    }
    const named = databases.all.filter(({ origin }) => origin !== 'directory');
    checkTogether([...named.map(({ config }) => config), wanted], 'the replicator');
    const problem = urls && problemBeside(wanted, reloads.config.directories);
    if (problem !== undefined) throw new ReplicationError('CONFIG_INVALID', `register ${problem}`);
    return 'new';
  };
  await refuseWarmCopyOf(databases, path);
  if (input.dry_run === true) {
    return {
      path,
      status: check() === 'known' ? 'already_registered' : 'would_register',
      destinations,
    };
  }
  let found: 'new' | 'known' = 'new';
  await databases.change(async () => {
    found = check();
    if (found === 'known') return NO_CHANGES;
    const origin = urls === undefined ? undefined : ('registered' as const);
    return { ...NO_CHANGES, added: [wanted], origin };
  });
  if (found !== 'new') return { path, status: 'already_registered', destinations };
  const error = databases.find(path)?.error;
  if (error !== undefined) {
    await databases.remove(path);
    throw error;
  }
  logger.info('registered by a command', { db: path, destinations });
  return { path, status: 'registered', destinations };
}

/** A database that is open here must not be opened once more: that drops the locks of SQLite. */
async function refuseWarmCopyOf(databases: DatabaseSet, path: string): Promise<void> {
  if (databases.find(path) === undefined) await refuseWarmCopy(path);
}

async function inFile(reloads: Reloads, path: string): Promise<DatabaseConfig> {
  const config = await reloads.read();
  const found = databaseAt(config, path);
  if (found !== undefined) return found;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `register ${path}: ${config.source} does not have it; give a destination with -replica URL, or add it there`,
  );
}

function requireSame(before: DatabaseConfig, wanted: DatabaseConfig): void {
  const targetsOf = ({ destinations }: DatabaseConfig): string =>
    destinations
      .map(({ target }) => target)
      .sort()
      .join(', ');
  if (targetsOf(before) === targetsOf(wanted)) return;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `register ${before.options.path}: it is replicated to ${targetsOf(before)}; unregister it first, or run "sluice reload"`,
  );
}

async function snapshot(
  { databases, replicator }: ProcessCommandsContext,
  { path: only }: DatabasesInput,
): Promise<SnapshotAnswer[]> {
  if (only !== undefined) databases.get(only, 'snapshot');
  const paths =
    only === undefined ? databases.replicated.map(({ options }) => options.path) : [only];
  return await Promise.all(
    paths.map(async (path) => {
      const { snapshot } = await replicator.execute({ kind: 'snapshot', path });
      return { path, snapshot };
    }),
  );
}

async function reset(
  { databases, logger }: ProcessCommandsContext,
  input: ResetInput,
): Promise<ResetAnswer> {
  const { path } = input;
  const member = databases.get(path, 'reset');
  const running = member.state !== 'stopped';
  if (input.dry_run === true) return await resetDatabase(member.config, input, running);
  const answer = await databases.whileStopped(path, async () =>
    resetDatabase(member.config, input, running),
  );
  const { files, bytes } = answer;
  logger.info('reset by a command: a full snapshot follows', { db: path, files, bytes });
  return answer;
}
