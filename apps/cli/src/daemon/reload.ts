/**
 * Reads the configuration again, and applies what has changed. An invalid configuration changes nothing. Databases
 * that were registered by a command stay; one that was unregistered comes back if the configuration has it.
 */

import { refuseWarmCopy } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import { problemBeside } from '../config/directory.ts';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { checkTogether } from '../config/together.ts';
import type { ReloadAnswer } from '../controlling/answers.ts';
import type { DatabaseSet } from './database-set.ts';
import { diffDatabases, isNoChange, settingsOfStart, type DatabaseChanges } from './diff.ts';

export interface ReloadsOptions {
  readonly config: Config;
  /** Reads the configuration again; undefined if it is a command line. */
  readonly read: (() => Promise<Config>) | undefined;
  readonly databases: DatabaseSet;
  /** Called with the new configuration, before its databases are added. */
  readonly onConfig: (config: Config) => void;
  readonly logger: Logger;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  /** As the process was started. */
  readonly #atStart: Config;
  #config: Config;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#atStart = options.config;
    this.#config = options.config;
  }

  /** The configuration that applies. */
  get config(): Config {
    return this.#config;
  }

  /** The configuration as it is in the file now. CONFIG_INVALID if it is invalid, or there is no file. */
  async read(): Promise<Config> {
    const { read } = this.#options;
    if (read !== undefined) return await read();
    throw new ReplicationError(
      'CONFIG_INVALID',
      'read the configuration again: this replicator was started with a database and URLs, so it has no file',
    );
  }

  /** CONFIG_INVALID, with all problems, if the file is invalid: then nothing has changed. */
  async reload(mode: 'apply' | 'dry run'): Promise<ReloadAnswer> {
    const { databases, logger, onConfig } = this.#options;
    const config = await this.read();
    if (mode === 'dry run') return this.#answer(config, await this.#plan(config), mode);
    let changes: DatabaseChanges | undefined;
    await databases.change(async () => {
      changes = await this.#plan(config);
      this.#config = config;
      onConfig(config);
      return changes;
    });
    const answer = this.#answer(config, changes as DatabaseChanges, mode);
    logReload(answer, logger);
    return answer;
  }

  /** CONFIG_INVALID if a new database is a copy that follows a backup. */
  async #plan(config: Config): Promise<DatabaseChanges> {
    const { databases } = this.#options;
    const written = new Set(config.databases.map(({ options }) => options.path));
    const registered = databases.all
      .filter(({ origin, config: { options } }) => {
        return origin === 'registered' && !written.has(options.path);
      })
      .map((member) => member.config);
    refuseShared(config, registered);
    // A directory that cannot be read says nothing about its databases.
    const silent = new Set(config.unreadable?.map(({ dir }) => dir));
    const kept = databases.wanted.filter(({ directory, options }) => {
      return directory !== undefined && silent.has(directory) && !written.has(options.path);
    });
    const wanted = [...config.databases, ...registered, ...kept];
    const changes = diffDatabases(databases.wanted, wanted);
    for (const { options, directory } of changes.added) {
      if (directory === undefined) await refuseWarmCopy(options.path);
    }
    return changes;
  }

  #answer(config: Config, changes: DatabaseChanges, mode: 'apply' | 'dry run'): ReloadAnswer {
    const { databases } = this.#options;
    const { added, removed, changed, rescheduled, unchanged } = changes;
    const started = [...added, ...changed.map(({ after }) => after)];
    const status = mode === 'dry run' ? 'would_reload' : 'reloaded';
    return {
      config: config.source,
      status: isNoChange(changes) ? 'unchanged' : status,
      added: added.map(pathOf),
      removed: removed.map(pathOf),
      changed: changed.map(({ after }) => pathOf(after)),
      rescheduled: rescheduled.map(({ after }) => pathOf(after)),
      unchanged: unchanged.length,
      needs_restart: settingsOfStart(this.#atStart, config),
      failed: mode === 'dry run' ? [] : started.flatMap((each) => failureOf(databases, each)),
    };
  }
}

/** CONFIG_INVALID if the configuration uses the destination of a database that a command has registered. */
function refuseShared(config: Config, registered: readonly DatabaseConfig[]): void {
  if (registered.length === 0) return;
  const named = config.databases.filter(({ directory }) => directory === undefined);
  checkTogether([...named, ...registered], config.source);
  const problems = registered.map((each) => problemBeside(each, config.directories));
  const [problem] = problems.filter((each) => each !== undefined);
  if (problem !== undefined) {
    throw new ReplicationError('CONFIG_INVALID', `${problem}, or unregister the database`);
  }
}

function failureOf(databases: DatabaseSet, { options }: DatabaseConfig): ReloadAnswer['failed'] {
  const { path } = options;
  const error = databases.find(path)?.error;
  return error === undefined ? [] : [{ path, code: error.code, message: error.message }];
}

function pathOf({ options }: DatabaseConfig): string {
  return options.path;
}

function logReload(answer: ReloadAnswer, logger: Logger): void {
  const { config, status, added, removed, changed, rescheduled, unchanged } = answer;
  const counts = [
    `${added.length} added`,
    `${removed.length} removed`,
    `${changed.length + rescheduled.length} changed`,
    `${unchanged} as before`,
  ];
  const what = status === 'unchanged' ? 'nothing has changed' : counts.join(', ');
  logger.info(`${config} was read again: ${what}`, { added, removed, changed, rescheduled });
  if (answer.needs_restart.length === 0) return;
  logger.warn(
    `${answer.needs_restart.join(', ')} in ${config} has changed, and applies after a restart of this process`,
  );
}
