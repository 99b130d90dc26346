/** What runs beside replication: drills, scrubs and repairs of the databases that are replicated now. */

import fs from 'node:fs';
import { loggerFor, type Replicator } from '@sluice/core';
import { ReplicationError, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { ConfigFile, DrillAnswer } from '../drilling/order.ts';
import type { RepairFlags } from '../repairing/flags.ts';
import type { RepairAnswer, RepairProgress } from '../repairing/order.ts';
import { BackgroundScrubs, type DamageReport } from '../scrubbing/background.ts';
import type { Environment } from '../shell.ts';
import type { DatabaseSet } from './database-set.ts';
import type { DrillRunner, WantedDrill } from './drill-runner.ts';
import type { BackgroundDrills } from './drills.ts';
import { RequestedWork } from './requested-work.ts';

export interface BackgroundOptions {
  readonly databases: DatabaseSet;
  /** undefined if the configuration is a command line. */
  readonly configFile: ConfigFile | undefined;
  /** Path of the configuration, for messages. */
  readonly source: string;
  readonly environment: Environment;
  readonly replicator: Replicator;
  readonly connections: Destinations;
  readonly damage: DamageReport;
  readonly logger: Logger;
}

/** A repair that a command has asked for. */
export interface WantedRepair extends RepairFlags {
  readonly database: DatabaseConfig;
  readonly onProgress: (progress: RepairProgress) => void;
}

export class Background {
  readonly #options: BackgroundOptions;
  readonly #requested = new RequestedWork();
  #runner: Promise<DrillRunner> | undefined;
  #drills: BackgroundDrills | undefined;
  #scrubs: BackgroundScrubs | undefined;
  #isWithoutDrills = false;
  #state: 'waiting' | 'runs' | 'closed' = 'waiting';
  #updating: Promise<void> = Promise.resolve();

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#state !== 'waiting') return;
    this.#state = 'runs';
    const { databases, connections, replicator, damage, logger } = this.#options;
    this.#scrubs = new BackgroundScrubs({
      databases: () => databases.replicated,
      ...{ connections, replicator, damage, logger },
    });
    this.update();
    await this.#updating;
  }

  /** Other databases are replicated, or have other settings. */
  update(): void {
    if (this.#state !== 'runs') return;
    this.#scrubs?.update();
    this.#drills?.update();
    this.#updating = this.#updating.then(() => this.#startDrills());
  }

  /** Ends what is done for a database that is no longer replicated. */
  async release(path: string): Promise<void> {
    this.#drills?.update();
    await Promise.all([this.#scrubs?.release(path), this.#requested.release(path)]);
  }

  /** A drill that a command has asked for, in turn with those of the schedule. CONFIG_INVALID if it is not in the file. */
  async drill(wanted: WantedDrill, signal: AbortSignal): Promise<DrillAnswer['report']> {
    const { path } = wanted.database.options;
    const config = this.#fileOf(wanted.database, 'drill');
    return await this.#requested.run(path, signal, async (either) => {
      const runner = await this.#runnerFor(config);
      return await runner.run(wanted, 'command', either);
    });
  }

  /** A repair that a command has asked for, in a process of its own. CONFIG_INVALID if it is not in the file. */
  async repair(
    { database, onProgress, ...flags }: WantedRepair,
    signal: AbortSignal,
  ): Promise<RepairAnswer> {
    const { environment, logger } = this.#options;
    const { path } = database.options;
    const config = this.#fileOf(database, 'repair');
    const { runTask } = await import('../tasks/run-task.ts'); // loaded only if needed
    const onWarning = (message: string): void => loggerFor(logger, path).warn(message);
    return await this.#requested.run(path, signal, async (either) => {
      const order = { config, database: path, ...flags };
      return await runTask<RepairAnswer, RepairProgress>(order, {
        script: new URL('../repairing/repair-worker', import.meta.url),
        name: `repair ${path}`,
        command: 'sluice repair',
        ...{ environment, onWarning, onProgress },
        signal: either,
      });
    });
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#updating;
    await Promise.all([this.#drills?.close(), this.#scrubs?.close(), this.#requested.close()]);
  }

  /** With the first database that has one. */
  async #startDrills(): Promise<void> {
    const { databases, configFile, source, replicator, logger } = this.#options;
    if (this.#drills !== undefined || this.#isWithoutDrills) return;
    if (databases.replicated.every(({ drills }) => Object.keys(drills).length === 0)) return;
    if (configFile === undefined || !isFile(configFile.file)) {
      this.#isWithoutDrills = true;
      logger.warn(
        `there are no drills: their process reads the configuration again, but ${source} is not a file; ` +
          'put the configuration into a file, or run "sluice drill" from a timer',
      );
      return;
    }
    const { BackgroundDrills } = await import('./drills.ts'); // loaded only if needed
    const runner = await this.#runnerFor(configFile);
    if (this.#state === 'closed') return;
    this.#drills = new BackgroundDrills({
      databases: () =>
        databases.replicated.filter((each) => isInFile(databases, each.options.path)),
      runner,
      status: () => replicator.status(),
      logger,
    });
  }

  /** All drills of the process take turns. */
  async #runnerFor(config: ConfigFile): Promise<DrillRunner> {
    const { environment, logger } = this.#options;
    this.#runner ??= import('./drill-runner.ts').then(({ DrillRunner }) => {
      return new DrillRunner({ config, environment, logger });
    });
    return await this.#runner;
  }

  /** CONFIG_INVALID if a process that reads the configuration again does not know the database. */
  #fileOf({ options: { path } }: DatabaseConfig, what: string): ConfigFile {
    const { databases, configFile, source } = this.#options;
    const isKnown = isInFile(databases, path);
    if (configFile !== undefined && isKnown && isFile(configFile.file)) return configFile;
    const why = isKnown ? `${source} is not a file` : 'it was registered by a command';
    throw new ReplicationError(
      'CONFIG_INVALID',
      `${what} ${path}: its process reads the configuration again, but ${why}; put the database into a file, ` +
        'or run this without -running',
    );
  }
}

/** The process of a drill reads the configuration: it does not know a database that a command has registered. */
function isInFile(databases: DatabaseSet, path: string): boolean {
  return databases.find(path)?.origin !== 'registered';
}

/** A pipe can be read only once. */
export function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}
