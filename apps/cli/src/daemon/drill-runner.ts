/**
 * Drills destinations one at a time, each in a process of its own, whoever asks for it: the schedule or a command. Logs
 * the results, and keeps them for `sluice status` and /metrics.
 */

import {
  loggerFor,
  recordDrill,
  systemClock,
  unfinishedDrill,
  type DrillStart,
} from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DrillSettings } from '../config/fields/drill.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { CERTIFICATE_NAME } from '../drilling/certificate.ts';
import { metaPathOf, toRecorded } from '../drilling/drill-one.ts';
import { idOf, keptFolderOf, type KeptPlace } from '../drilling/kept.ts';
import type { ConfigFile, DrillAnswer, DrillOrder, DrillProgress } from '../drilling/order.ts';
import { runDrill } from '../drilling/run-drill.ts';
import { Scratch } from '../drilling/scratch.ts';
import type { Environment } from '../shell.ts';
import { toLogLine } from './drill-log.ts';
import { Turns } from './turns.ts';

export interface DrillRunnerOptions {
  readonly config: ConfigFile;
  readonly environment: Environment;
  readonly logger: Logger;
}

/** One drill. */
export interface WantedDrill extends Pick<DrillOrder, 'txid' | 'started'> {
  readonly database: DatabaseConfig;
  readonly destination: DestinationConfig;
  readonly settings: DrillSettings;
  readonly onProgress?: ((progress: DrillProgress) => void) | undefined;
}

/** A drill that runs longer than its interval is named as often, but not more often than this. */
const LATE_MS_MIN = 60_000;
/** The longest interval of a timer. */
const TIMER_MS_MAX: number = 2 ** 31 - 1;
/** All drills of the process. */
const ALL = '';

export class DrillRunner {
  readonly #options: DrillRunnerOptions;
  readonly #turns = new Turns();
  /** Destinations whose refusal of the certificate was logged. */
  readonly #refused = new Set<DestinationConfig>();

  constructor(options: DrillRunnerOptions) {
    this.#options = options;
  }

  /** Rejects with the reason of the signal: at once while others run, otherwise when its process has ended. */
  async run(
    wanted: WantedDrill,
    startedBy: DrillStart,
    signal: AbortSignal,
  ): Promise<DrillAnswer['report']> {
    const work = async (): Promise<DrillAnswer['report']> => {
      const answer = await this.#drill(wanted, signal);
      this.#log(wanted, answer);
      await this.#keep(wanted, answer, startedBy);
      return answer.report;
    };
    return await this.#turns.run(ALL, work, signal);
  }

  async #drill(wanted: WantedDrill, signal: AbortSignal): Promise<DrillAnswer> {
    signal.throwIfAborted();
    const { config, environment } = this.#options;
    const { database, destination, settings, txid, started, onProgress } = wanted;
    const { name, target } = destination;
    const at = new Date(systemClock.now());
    const onWarning = (message: string): void => this.#loggerOf(wanted).warn(message);
    const late = setInterval(
      () => onWarning(`a drill of ${name} has been running since ${at.toISOString()}; others wait`),
      Math.min(Math.max(settings.everyMs, LATE_MS_MIN), TIMER_MS_MAX),
    );
    try {
      await using scratch = await Scratch.createNamed(idOf(metaPathOf(database)), settings.scratch);
      return await scratch.use(async (folder) => {
        const { path } = database.options;
        const keptFolder = keptFolderOf(toPlace(wanted));
        const order = { config, database: path, name, target, settings, txid, started, folder };
        const options = { environment, onWarning, onProgress, signal };
        return await runDrill({ ...order, keptFolder }, options);
      });
    } catch (error) {
      signal.throwIfAborted();
      return { report: unfinishedDrill(at, error) };
    } finally {
      clearInterval(late);
    }
  }

  #log(wanted: WantedDrill, { report, certificateError }: DrillAnswer): void {
    const { destination } = wanted;
    const logger = this.#loggerOf(wanted);
    const { name, target } = destination;
    const { level, message, fields } = toLogLine(name, report);
    logger[level](message, { target, ...fields });
    if (certificateError === undefined || this.#refused.has(destination)) return;
    this.#refused.add(destination);
    logger.warn(
      `${name} does not take the result of its drill (${CERTIFICATE_NAME}): ${certificateError}; ` +
        'allow Sluice to write that object; "sluice status" shows the result here',
    );
  }

  async #keep(wanted: WantedDrill, { report }: DrillAnswer, startedBy: DrillStart): Promise<void> {
    const { database, destination, settings } = wanted;
    const { name } = destination;
    try {
      const drill = toRecorded(database, destination, startedBy, settings.integrityCheck);
      await recordDrill(metaPathOf(database), drill, report);
    } catch (error) {
      this.#loggerOf(wanted).warn(
        `the result of the drill of ${name} is not kept for "sluice status": ${messageOf(error)}`,
      );
    }
  }

  #loggerOf({ database }: WantedDrill): Logger {
    return loggerFor(this.#options.logger, database.options.path);
  }
}

/** Where the copy of a drill is kept for the next one. */
export function toPlace({
  database,
  destination,
  settings,
}: Pick<WantedDrill, 'database' | 'destination' | 'settings'>): KeptPlace {
  return { metaPath: metaPathOf(database), destination, settings };
}
