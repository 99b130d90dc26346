/**
 * Drills every destination on its schedule while the replicator runs: one at a time, each in a process of its
 * own. A drill never delays replication, and its failure changes no exit code.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  loggerFor,
  recordDrill,
  systemClock,
  unfinishedDrill,
  type Replicator,
} from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import { formatDuration } from '@sluice/core/config';
import type { Config, DestinationConfig } from '../config/model.ts';
import { CERTIFICATE_NAME } from '../drilling/certificate.ts';
import { metaPathOf } from '../drilling/drill-one.ts';
import type { ConfigFile, DrillAnswer } from '../drilling/order.ts';
import { idOf, keptFolderOf, removeUnusedCopies, type KeptPlace } from '../drilling/kept.ts';
import { runDrill } from '../drilling/run-drill.ts';
import { Scratch } from '../drilling/scratch.ts';
import type { Environment } from '../shell.ts';
import { toLogLine } from './drill-log.ts';
import { DrillPlan, lastDrillOf, type DrillJob } from './drill-plan.ts';

export interface BackgroundDrillsOptions {
  /** Those that are replicated now. */
  readonly databases: () => Config['databases'];
  readonly config: ConfigFile;
  readonly environment: Environment;
  readonly status: Replicator['status'];
  readonly logger: Logger;
}

/** Longest sleep: then times that could not be recorded yet are recorded. */
const SLEEP_MS_MAX = 60_000;
/** A drill that runs longer than its interval is named as often, but not more often than this. */
const LATE_MS_MIN = 60_000;
/** The longest interval of a timer. */
const TIMER_MS_MAX: number = 2 ** 31 - 1;
/** When to look again at a destination that nothing was sent to yet. */
const NOTHING_SENT_MS = 60_000;

export class BackgroundDrills {
  readonly #options: BackgroundDrillsOptions;
  readonly #stop = new AbortController();
  /** Aborted when other databases are replicated, so that a sleep ends. */
  #changed = new AbortController();
  /** The drill that runs. */
  #current: { readonly job: DrillJob; readonly abort: AbortController } | undefined;
  /** Destinations whose refusal of the certificate was logged. */
  readonly #refused = new Set<DestinationConfig>();
  readonly #running: Promise<void>;

  constructor(options: BackgroundDrillsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Other databases are replicated, or have other settings. A drill of one that is gone is ended. */
  update(): void {
    const current = this.#current;
    const isGone =
      current !== undefined && !this.#options.databases().includes(current.job.database);
    if (isGone) current.abort.abort(new Error('the database is no longer replicated so'));
    this.#changed.abort();
  }

  /** Kills a drill that is running, and removes its copy. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the replicator ends'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { databases, logger } = this.#options;
    const { signal } = this.#stop;
    try {
      const plan = await DrillPlan.create(databases(), systemClock, logger);
      for (const job of plan.jobs) this.#announce(job);
      await this.#removeUnusedCopies(plan);
      for (;;) {
        if (this.#changed.signal.aborted) await this.#replan(plan);
        const next = plan.next();
        await plan.record();
        const waitMs = next === undefined ? SLEEP_MS_MAX : next.dueMs - systemClock.monotonic();
        if (next !== undefined && waitMs <= 0) await this.#drillNext(plan, next);
        else await this.#sleep(Math.min(waitMs, SLEEP_MS_MAX));
        signal.throwIfAborted();
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.error(
        `drills have stopped: ${messageOf(error)}; restart the replicator, or run "sluice drill" from a timer`,
      );
    }
  }

  async #replan(plan: DrillPlan): Promise<void> {
    this.#changed = new AbortController(); // before the look
    const added = await plan.update(this.#options.databases());
    for (const job of added) this.#announce(job);
    if (added.length > 0) await this.#removeUnusedCopies(plan);
  }

  async #sleep(ms: number): Promise<void> {
    const stop = this.#stop.signal;
    const signal = AbortSignal.any([stop, this.#changed.signal]);
    await sleep(ms, undefined, { signal }).catch(() => stop.throwIfAborted());
  }

  #announce({ destination, settings: { everyMs }, dueMs, ...job }: DrillJob): void {
    const inMs = Math.max(0, dueMs - systemClock.monotonic());
    const next = formatDuration(Math.round(inMs / 1_000) * 1_000);
    const message = `drill of ${destination.name} every ${formatDuration(everyMs)}, first in ${next}`;
    this.#loggerOf(job).info(message);
  }

  async #removeUnusedCopies({ jobs }: DrillPlan): Promise<void> {
    try {
      await removeUnusedCopies(jobs.map(toPlace));
    } catch (error) {
      this.#options.logger.warn(
        `copies of earlier drills that are no longer used may be left: ${messageOf(error)}`,
      );
    }
  }

  async #drillNext(plan: DrillPlan, job: DrillJob): Promise<void> {
    const { everyMs } = job.settings;
    if (!(await this.#isReady(job))) {
      const waitMs = Math.min(everyMs, NOTHING_SENT_MS);
      return await plan.postpone(job, waitMs, 'not recorded');
    }
    // Before the drill: one that takes the machine down is not repeated at the next start.
    await plan.postpone(job, everyMs, 'recorded');
    const abort = new AbortController();
    this.#current = { job, abort };
    try {
      const answer = await this.#drill(job, AbortSignal.any([this.#stop.signal, abort.signal]));
      this.#log(job, answer);
      await this.#keep(job, answer);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      this.#current = undefined;
    }
  }

  /** A new destination has no backup yet. That is no failure of a drill; status shows that it is behind. */
  async #isReady(job: DrillJob): Promise<boolean> {
    if ((await lastDrillOf(job, this.#options.logger)) !== undefined) return true;
    const status = this.#options.status().find(({ path }) => path === job.database.options.path);
    const { name } = job.destination;
    return status?.destinations.find((each) => each.name === name)?.txid !== undefined;
  }

  async #drill(job: DrillJob, signal: AbortSignal): Promise<DrillAnswer> {
    const { config, environment } = this.#options;
    const { database, destination, settings } = job;
    const { name, target } = destination;
    const at = new Date(systemClock.now());
    const onWarning = (message: string): void => this.#loggerOf(job).warn(message);
    const late = setInterval(
      () => onWarning(`a drill of ${name} has been running since ${at.toISOString()}; others wait`),
      Math.min(Math.max(settings.everyMs, LATE_MS_MIN), TIMER_MS_MAX),
    );
    try {
      await using scratch = await Scratch.createNamed(idOf(metaPathOf(database)), settings.scratch);
      return await scratch.use(async (folder) => {
        const { path } = database.options;
        const order = { config, database: path, name, target, settings, folder };
        const keptFolder = keptFolderOf(toPlace(job));
        return await runDrill({ ...order, keptFolder }, { environment, onWarning, signal });
      });
    } catch (error) {
      signal.throwIfAborted();
      return { report: unfinishedDrill(at, error) };
    } finally {
      clearInterval(late);
    }
  }

  #log(job: DrillJob, { report, certificateError }: DrillAnswer): void {
    const { destination } = job;
    const logger = this.#loggerOf(job);
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

  /** For `sluice status` and /metrics. */
  async #keep(job: DrillJob, { report }: DrillAnswer): Promise<void> {
    const { database, destination } = job;
    const { name, target } = destination;
    try {
      await recordDrill(metaPathOf(database), { name, target, startedBy: 'schedule' }, report);
    } catch (error) {
      this.#loggerOf(job).warn(
        `the result of the drill of ${name} is not kept for "sluice status": ${messageOf(error)}`,
      );
    }
  }

  #loggerOf({ database }: Pick<DrillJob, 'database'>): Logger {
    return loggerFor(this.#options.logger, database.options.path);
  }
}

function toPlace({ database, destination, settings }: DrillJob): KeptPlace {
  return { metaPath: metaPathOf(database), destination, settings };
}
