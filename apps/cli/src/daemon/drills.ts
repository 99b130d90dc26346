/**
 * Drills every destination on its schedule while the replicator runs (drill-runner.ts). A drill never delays replication, and its failure changes no exit code.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { loggerFor, systemClock, type Replicator } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import { formatDuration } from '@sluice/core/config';
import type { Config } from '../config/model.ts';
import { removeUnusedCopies } from '../drilling/kept.ts';
import { DrillPlan, lastDrillOf, type DrillJob } from './drill-plan.ts';
import { toPlace, type DrillRunner } from './drill-runner.ts';

export interface BackgroundDrillsOptions {
  /** Those that are replicated now. */
  readonly databases: () => Config['databases'];
  readonly runner: DrillRunner;
  readonly status: Replicator['status'];
  readonly logger: Logger;
}

/** Longest sleep: then times that could not be recorded yet are recorded. */
const SLEEP_MS_MAX = 60_000;
/** When to look again at a destination that nothing was sent to yet. */
const NOTHING_SENT_MS = 60_000;

export class BackgroundDrills {
  readonly #options: BackgroundDrillsOptions;
  readonly #stop = new AbortController();
  /** Aborted when other databases are replicated, so that a sleep ends. */
  #changed = new AbortController();
  /** The drill that runs. */
  #current: { readonly job: DrillJob; readonly abort: AbortController } | undefined;
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
      const signal = AbortSignal.any([this.#stop.signal, abort.signal]);
      await this.#options.runner.run(job, 'schedule', signal);
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

  #loggerOf({ database }: Pick<DrillJob, 'database'>): Logger {
    return loggerFor(this.#options.logger, database.options.path);
  }
}
