/** A replicator that runs: its databases, what runs beside it, and the commands and signals that change it. */

import {
  describeProcess,
  type ControlCommands,
  type ProcessInfo,
  type Replicator,
} from '@sluice/core';
import { isError, messageOf, ReplicationError } from '@sluice/core/backend';
import type { CommandOrder } from '@sluice/dashboard';
import { readConfigFile } from '../config/load.ts';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { readCommandLine } from '../config/read.ts';
import { withFound } from '../config/scan.ts';
import { processFolders, type ProcessKey } from '../controlling/process-folder.ts';
import type { Destinations } from '../destinations.ts';
import type { DamageReport } from '../scrubbing/background.ts';
import { announceDatabases } from './announce.ts';
import { Background, isFile } from './background.ts';
import { DatabaseSet, type Member } from './database-set.ts';
import { Directories } from './directories.ts';
import { examineElsewhere } from './examine-elsewhere.ts';
import { processCommands } from './process-commands.ts';
import type { DaemonOptions } from './options.ts';
import { runRequested } from './requested-command.ts';
import { openProcessSocket, type ProcessSocket } from './process-socket.ts';
import { Reloads } from './reload.ts';
import type { MissingDatabases } from './restore-missing.ts';
import type { Stop } from './stop.ts';
import { toReplicated } from './targets.ts';

export interface RunningOptions extends DaemonOptions {
  readonly replicator: Replicator;
  readonly connections: Destinations;
  readonly damage: DamageReport;
  readonly info: ProcessInfo;
  readonly missing: Pick<MissingDatabases, 'restore' | 'cancel'>;
}

/** Those of directories are added later, a few at a time. */
export function isOpenAtStart({ directory }: DatabaseConfig, mode: DaemonOptions['mode']): boolean {
  return mode === 'once' || directory === undefined;
}

export class Running {
  readonly databases: DatabaseSet;
  readonly background: Background;
  readonly directories: Directories;
  readonly #options: RunningOptions;
  readonly #reloads: Reloads;
  #socket: ProcessSocket | undefined;
  #commands: ControlCommands | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: RunningOptions) {
    const { config, replicator, connections, damage, logger } = options;
    this.#options = options;
    this.databases = new DatabaseSet({
      replicator,
      databases: config.databases.filter((database) => isOpenAtStart(database, options.mode)),
      toReplicated: (database, ready) => toReplicated(database, connections, damage, ready),
      restoreMissing: (databases) => options.missing.restore(databases),
      release: async (path) => {
        await Promise.all([this.background.release(path), options.missing.cancel(path)]);
      },
      drain: () => {
        const { shutdownSyncTimeoutMs, shutdownSyncIntervalMs } = this.config;
        return { shutdownSyncTimeoutMs, shutdownSyncIntervalMs };
      },
      logger,
    });
    this.background = new Background({
      ...options,
      databases: this.databases,
      source: config.source,
    });
    this.#reloads = new Reloads({
      config,
      read: options.configFile === undefined ? undefined : async () => this.#readConfig(),
      databases: this.databases,
      onConfig: (next) => this.#onConfig(next),
      logger,
    });
    this.directories = new Directories({
      databases: this.databases,
      config: () => this.config,
      examine: examineElsewhere,
      logger,
    });
    this.databases.onChange(() => {
      this.background.update();
      const used = this.databases.all.flatMap(({ config: { destinations } }) => destinations);
      void connections.retain(used);
    });
  }

  /** The configuration that applies now. */
  get config(): Config {
    return this.#reloads.config;
  }

  /** Everything that should be replicated, also directories that cannot be searched. */
  get members(): readonly Member[] {
    return [...this.databases.all, ...this.directories.outside];
  }

  /** The databases among them. */
  get databasesToReport(): readonly Member[] {
    return this.members.filter(({ config }) => config.destinations.length > 0);
  }

  get controlFolder(): string | undefined {
    return this.#socket?.folder;
  }

  /** Accepts commands and SIGHUP. */
  async listen(stop: Stop): Promise<void> {
    const { replicator, info, shell, logger } = this.#options;
    const commands = processCommands({
      replicator,
      databases: this.databases,
      reloads: this.#reloads,
      background: this.background,
      info: () => describeProcess(replicator, info),
      readURLs: async (path, urls) => this.#readURLs(path, urls),
      logger,
    });
    this.#commands = commands;
    const { databases } = this.#options.config;
    this.directories.start(databases.filter(({ directory }) => directory !== undefined));
    const folders = processFolders(this.#key, shell.environment);
    this.#socket = await openProcessSocket(folders, commands, logger);
    stop.onReload(() => {
      this.#reloading = this.#reloading.then(() => this.#reload());
    });
  }

  /** Ends everything except the replicator: nothing changes afterwards. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#commands = undefined;
    await Promise.all([this.databases.close(), this.directories.close(), this.#reloading]);
    await Promise.all([this.#socket?.close(), this.background.close()]);
  }

  /** Runs a command that came over HTTP. DATABASE_BUSY while the process starts and ends. */
  async command(requested: CommandOrder, signal: AbortSignal): Promise<unknown> {
    const commands = this.#commands;
    if (commands === undefined) {
      const why = `run ${requested.command}: the replicator starts, or ends; try again`;
      throw new ReplicationError('DATABASE_BUSY', why);
    }
    return await runRequested({ ...this.#options, commands }, requested, signal);
  }

  get #key(): ProcessKey {
    const { config, configFile } = this.#options;
    return configFile === undefined
      ? { kind: 'database', path: config.databases[0]?.options.path ?? '' }
      : { kind: 'config', file: configFile.file };
  }

  async #readConfig(): Promise<Config> {
    const { configFile, shell } = this.#options;
    if (configFile !== undefined && isFile(configFile.file)) {
      const config = await readConfigFile(configFile, shell);
      const isKnown = (file: string): boolean => this.databases.find(file) !== undefined;
      return await withFound(config, { isKnown, examine: examineElsewhere });
    }
    throw new ReplicationError(
      'CONFIG_INVALID',
      `read the configuration again: ${configFile?.file ?? 'the command line'} does not exist, or is not a file`,
    );
  }

  /** After SIGHUP. */
  async #reload(): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#reloads.reload('apply');
    } catch (error) {
      const code = isError(error) ? error.code : undefined;
      const level = this.#options.configFile === undefined ? 'warn' : 'error';
      logger[level](`SIGHUP: nothing was changed: ${messageOf(error)}`, { code });
    }
  }

  #onConfig(config: Config): void {
    const { logger } = this.#options;
    this.databases.forgetUnregistered();
    const known = new Set(this.databases.wanted.map(({ options }) => options.path));
    announceDatabases(
      config.databases.filter(({ options }) => !known.has(options.path)),
      logger,
    );
    for (const note of config.notes) logger.warn(note);
    this.directories.update();
  }

  async #readURLs(path: string, urls: readonly string[]): Promise<DatabaseConfig> {
    const { environment, secrets } = this.#options.shell;
    const { databases } = await readCommandLine(path, urls, { environment, secrets });
    const [database] = databases;
    if (database !== undefined) return database;
    throw new ReplicationError('CONFIG_INVALID', `register ${path}: name a database`);
  }
}
