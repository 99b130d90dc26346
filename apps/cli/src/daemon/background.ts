/** What runs beside replication: the drills and the scrubs of the databases that are replicated now. */

import fs from 'node:fs';
import type { Replicator } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { Destinations } from '../destinations.ts';
import type { ConfigFile } from '../drilling/order.ts';
import { BackgroundScrubs, type DamageReport } from '../scrubbing/background.ts';
import type { Environment } from '../shell.ts';
import type { DatabaseSet } from './database-set.ts';
import type { BackgroundDrills } from './drills.ts';

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

export class Background {
  readonly #options: BackgroundOptions;
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
    await this.#scrubs?.release(path);
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#updating;
    await Promise.all([this.#drills?.close(), this.#scrubs?.close()]);
  }

  /** With the first database that has one. */
  async #startDrills(): Promise<void> {
    const { databases, configFile, source, environment, replicator, logger } = this.#options;
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
    if (this.#state === 'closed') return;
    this.#drills = new BackgroundDrills({
      databases: () =>
        databases.replicated.filter((each) => isInFile(databases, each.options.path)),
      config: configFile,
      environment,
      status: () => replicator.status(),
      logger,
    });
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
