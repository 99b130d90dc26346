/**
 * Scrubs the destinations while the replicator runs: reads every file again, slowly, and has damaged ones mended by
 * a repair from the other destinations, or by a full snapshot.
 *
 * One slice of one destination at a time, within its rate. An error of a destination is logged and tried again later:
 * it changes nothing else.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  isSuperseded,
  lastSentTo,
  loggerFor,
  repair,
  scrubNameOf,
  scrubSlice,
  systemClock,
  type DamagedObject,
  type RepairReport,
  type Replicator,
  type ScrubSlice,
} from '@sluice/core';
import { messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { formatBytes, formatDuration } from '@sluice/core/config';
import type { Config, DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { metaPathOf } from '../drilling/drill-one.ts';
import { toRepairTargets } from '../repairing/targets.ts';
import { ScrubJobs, type ScrubJob } from './jobs.ts';
import {
  afterSlice,
  beginFirstRound,
  beginRound,
  describeGone,
  isCurrent,
  isRoundDue,
  isSnapshotNeeded,
  newlyDamaged,
  remainingMs,
  setDamaged,
} from './rounds.ts';

export interface BackgroundScrubsOptions {
  /** Those that are replicated now. */
  readonly databases: () => Config['databases'];
  /** The connections of the replicator, to mend. */
  readonly connections: Destinations;
  readonly replicator: Pick<Replicator, 'execute'>;
  readonly damage: DamageReport;
  readonly logger: Logger;
}

type ScrubInput = Parameters<typeof scrubSlice>[0];
type Sent = Awaited<ReturnType<typeof lastSentTo>>;

interface Recheck {
  readonly sent: Sent;
  readonly signal: AbortSignal;
}

/** Length of a slice: a restart repeats at most this, and one file. */
const SLICE_MS = 30_000;
/** Longest sleep, because timers have a limit. */
const SLEEP_MS_MAX: number = 24 * 3_600_000;
/** A destination that fails is tried again after this, then after twice as long, up to the maximum. */
const RETRY_MS = 60_000;
const RETRY_MS_MAX = 3_600_000;
/** A snapshot takes its time to be made and sent. One that did not help is not repeated before this. */
const ORDER_AGAIN_MS: number = 6 * 3_600_000;

/** Damaged files by destination, for the health of the replicator. */
export class DamageReport {
  readonly #damaged = new Map<DestinationConfig, readonly DamagedObject[]>();

  set(destination: DestinationConfig, damaged: readonly DamagedObject[]): void {
    this.#damaged.set(destination, damaged);
  }

  /** To be read after the name of the destination; undefined if nothing is damaged. */
  of(destination: DestinationConfig): string | undefined {
    const known = this.#damaged.get(destination) ?? [];
    const [first, ...others] = known.filter(isCurrent);
    if (first === undefined) return undefined;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return `has a damaged file: ${first.object}${more} (${first.code}); run "sluice repair -read-data"`;
  }
}

export class BackgroundScrubs {
  readonly #options: BackgroundScrubsOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #jobs: readonly ScrubJob[] = [];
  /** Aborted when other databases are replicated: the slice or the sleep ends. */
  #changed = new AbortController();
  /** What is scrubbed or mended now. */
  #current: { readonly job: ScrubJob; readonly abort: AbortController } | undefined;
  #step: Promise<void> = Promise.resolve();

  constructor(options: BackgroundScrubsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Other databases are replicated, or have other settings. */
  update(): void {
    this.#changed.abort();
  }

  /**
   * Ends what is done for a database that `databases` no longer has. Afterwards nothing is written to its destinations:
   * they may be those of another database then.
   */
  async release(path: string): Promise<void> {
    this.update();
    const current = this.#current;
    if (current?.job.database.options.path !== path) return;
    current.abort.abort(new Error('the database is no longer replicated'));
    await this.#step;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the replicator ends'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { databases, logger } = this.#options;
    const { signal } = this.#stop;
    try {
      const jobs = await ScrubJobs.create(databases(), systemClock, logger);
      this.#begin(jobs.all, jobs);
      for (;;) {
        if (this.#changed.signal.aborted) {
          this.#changed = new AbortController(); // before the look
          this.#begin(await jobs.update(databases()), jobs);
        }
        const next = jobs.next();
        const waitMs = next === undefined ? SLEEP_MS_MAX : next.dueMs - systemClock.monotonic();
        if (next !== undefined && waitMs <= 0) await this.#stepOf(next, jobs);
        else await this.#sleep(Math.min(waitMs, SLEEP_MS_MAX));
        signal.throwIfAborted();
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.error(
        `the scrub has stopped: ${messageOf(error)}; restart the replicator, or run "sluice repair -read-data" from a timer`,
      );
    }
  }

  #begin(added: readonly ScrubJob[], { all }: ScrubJobs): void {
    this.#jobs = all;
    for (const job of added) {
      this.#announce(job);
      this.#options.damage.set(job.destination, job.record?.damaged ?? []);
    }
  }

  async #sleep(ms: number): Promise<void> {
    const stop = this.#stop.signal;
    const signal = AbortSignal.any([stop, this.#changed.signal]);
    await sleep(ms, undefined, { signal }).catch(() => stop.throwIfAborted());
  }

  #announce(job: ScrubJob): void {
    const { destination, settings, dueMs } = job;
    const inMs = Math.max(0, dueMs - systemClock.monotonic());
    const every = formatDuration(settings.everyMs);
    const rate = formatBytes(settings.bytesPerSecond);
    this.#loggerOf(job).info(
      `scrub of ${destination.name} every ${every}, at most ${rate}/s, next in ${formatDuration(Math.round(inMs / 1_000) * 1_000)}`,
    );
  }

  async #stepOf(job: ScrubJob, jobs: ScrubJobs): Promise<void> {
    const abort = new AbortController();
    this.#current = { job, abort };
    const signal = AbortSignal.any([this.#stop.signal, abort.signal]);
    const step = this.#runStep(job, jobs, signal);
    this.#step = step.catch(() => undefined);
    try {
      await step;
    } finally {
      this.#current = undefined;
    }
  }

  async #runStep(job: ScrubJob, jobs: ScrubJobs, signal: AbortSignal): Promise<void> {
    const { destination, database } = job;
    try {
      await this.#scrub(job, signal);
      job.failures = 0;
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (signal.aborted) return; // released
      const waitMs = Math.min(RETRY_MS * 2 ** job.failures, RETRY_MS_MAX);
      job.failures += 1;
      job.dueMs = systemClock.monotonic() + waitMs;
      this.#loggerOf(job).warn(
        `the scrub of ${destination.name} is interrupted: ${messageOf(error)}; it continues in ${formatDuration(waitMs)}`,
      );
    }
    this.#options.damage.set(destination, job.record?.damaged ?? []);
    await jobs.save(database);
  }

  /** Looks after known damage, then reads a slice if a round is due or under way. */
  async #scrub(job: ScrubJob, signal: AbortSignal): Promise<void> {
    const { database, destination, settings } = job;
    const { bytesPerSecond } = settings;
    const sent = await lastSentTo(metaPathOf(database), destination.target); // before the listing
    await using connections = new Destinations(this.#options.logger, 'read', bytesPerSecond);
    const { client } = await connections.open(destination, signal);
    if (job.record !== undefined && !isRoundDue(job))
      return await this.#recheck(job, { client, sent, signal });
    const record = job.record?.cursor === undefined ? beginRound(job) : job.record;
    const { cursor } = record;
    const { emptyRoot } = sent ?? {};
    const slice = await scrubSlice({ client, cursor, emptyRoot, sliceMs: SLICE_MS, signal });
    await this.#requireSent(job, slice.listed, sent, signal);
    job.record = afterSlice(record, slice);
    job.dueMs = systemClock.monotonic();
    if (slice.damaged.length > 0) await this.#mendFound(job, slice, signal);
    if (slice.cursor === undefined) await this.#endRound(job, slice.listed, signal);
  }

  /**
   * RESTORE_GAP if the destination has lost its newest files: what is left proves nothing, and no damage is gone. Other
   * destinations may have them.
   */
  async #requireSent(
    job: ScrubJob,
    listed: ScrubSlice['listed'],
    sent: Sent,
    signal: AbortSignal,
  ): Promise<void> {
    const highest = listed.reduce((max, { maxTXID }) => (maxTXID > max ? maxTXID : max), 0n);
    if (sent === undefined || sent.txid <= highest) return;
    if (job.database.destinations.length > 1) await this.#mend(job, listed, signal);
    throw new ReplicationError('RESTORE_GAP', describeGone(highest, sent.txid));
  }

  async #mendFound(job: ScrubJob, slice: ScrubSlice, signal: AbortSignal): Promise<void> {
    const known = job.record?.damaged ?? [];
    const found = newlyDamaged(known, slice.damaged);
    this.#logFound(job, found);
    setDamaged(job, [...known, ...found]);
    await this.#mend(job, slice.listed, signal);
  }

  /** Repairs all destinations of the database. Files that are known as damaged at one of them are read whole. */
  async #mend(job: ScrubJob, listed: ScrubSlice['listed'], signal: AbortSignal): Promise<void> {
    const { database, destination } = job;
    const { connections } = this.#options;
    const logger = this.#loggerOf(job);
    const jobs = this.#jobs.filter((each) => each.database === database);
    const known = jobs.flatMap(({ record }) => record?.damaged ?? []);
    const suspects = new Set(known.map(({ object }) => object));
    const report = await repair({
      destinations: await toRepairTargets(database, connections),
      mode: 'mend',
      read: 'ends',
      isSuspect: (file) => suspects.has(scrubNameOf(file)),
      signal,
    });
    for (const { name, why } of report.unanswered) {
      logger.warn(`a repair could not look at ${name}: ${why}; the next one does`);
    }
    for (const { name, copies } of report.destinations) {
      for (const { file, reason, from } of copies) {
        logger.info(`mended ${name}: ${scrubNameOf(file)} was ${reason}, copied from ${from}`);
      }
    }
    this.#logOpen(report, logger);
    for (const each of report.destinations) this.#settle(database, each);
    const own = report.destinations.find(({ name }) => name === destination.name);
    if (own === undefined) return; // it did not answer: its damage stays known
    this.#supersede(job, listed);
    if (isSnapshotNeeded(job, listed) || own.stuckAt !== undefined) await this.#orderSnapshot(job);
  }

  /** What a repair has seen and could not mend, besides damaged files. */
  #logOpen({ destinations, lost, conflicts }: RepairReport, logger: Logger): void {
    for (const { name, failures } of destinations) {
      for (const { file, why } of failures) {
        logger.warn(`${name} does not take ${scrubNameOf(file)}, which it lacks: ${why}`);
      }
    }
    if (lost.length + conflicts.length === 0) return;
    const what = conflicts.length > 0 ? 'two histories' : 'states that no destination can restore';
    logger.error(`a repair found ${what}: run "sluice repair -dry-run" to see which`);
  }

  /** A repair for one destination may find damage at another one. */
  #settle(database: DatabaseConfig, own: RepairReport['destinations'][number]): void {
    const job = this.#jobs.find(
      (each) => each.database === database && each.destination.name === own.name,
    );
    if (job === undefined) return;
    const known = job.record?.damaged ?? [];
    const found = newlyDamaged(known, own.damaged);
    this.#logFound(job, found);
    if (job.record === undefined && found.length > 0) beginFirstRound(job);
    // A file that could not be read again is not mended.
    const still = new Set(
      [...own.stillDamaged, ...own.unread.map(({ file }) => file)].map(scrubNameOf),
    );
    setDamaged(job, [...known, ...found]);
    setDamaged(
      job,
      [...known, ...found].filter(({ object }) => still.has(object)),
    );
    this.#options.damage.set(job.destination, job.record?.damaged ?? []);
  }

  #logFound(job: ScrubJob, found: readonly DamagedObject[]): void {
    const { name } = job.destination;
    for (const { object, code, why } of found) {
      this.#loggerOf(job).error(`${name} has a damaged file: ${object}: ${why}`, { code });
    }
  }

  /** The replicator logs what it makes. */
  async #orderSnapshot(job: ScrubJob): Promise<void> {
    const { database, destination } = job;
    const now = systemClock.monotonic();
    if (now - job.orderedMs < ORDER_AGAIN_MS) return;
    const { path } = database.options;
    const damage = `files at ${destination.name} are damaged, and no destination has them whole`;
    const { snapshot } = await this.#options.replicator.execute({ kind: 'snapshot', path, damage });
    if (snapshot !== 'not following') job.orderedMs = now;
  }

  /** Compares what each destination can restore: a scrub of one does not see what is missing there. */
  async #endRound(job: ScrubJob, listed: ScrubSlice['listed'], signal: AbortSignal): Promise<void> {
    const { database, destination, settings } = job;
    if (database.destinations.length > 1) await this.#mend(job, listed, signal);
    const { record } = job;
    if (record === undefined) return;
    const at = new Date(systemClock.now()).toISOString();
    const lastSuccessAt = record.damaged.some(isCurrent) ? record.lastSuccessAt : at;
    job.record = { ...record, completedAt: at, lastSuccessAt };
    job.dueMs = systemClock.monotonic() + remainingMs(job);
    const { objects, bytes, damaged } = record;
    this.#loggerOf(job).info(
      `scrub of ${destination.name}: ${objects} files, ${formatBytes(bytes)}, ${damaged.length} damaged; next in ${formatDuration(settings.everyMs)}`,
    );
  }

  /** Forgets damage that a full snapshot has made unimportant, or that is gone. */
  async #recheck(
    job: ScrubJob,
    { client, sent, signal }: Pick<ScrubInput, 'client'> & Recheck,
  ): Promise<void> {
    const { record } = job;
    if (record === undefined) return;
    const { emptyRoot } = sent ?? {};
    const listed = await Array.fromAsync(client.listFiles('all', { emptyRoot, signal }));
    await this.#requireSent(job, listed, sent, signal);
    this.#supersede(job, listed);
    if (isSnapshotNeeded(job, listed)) await this.#orderSnapshot(job);
    job.dueMs = systemClock.monotonic() + remainingMs(job);
  }

  #supersede(job: ScrubJob, listed: ScrubSlice['listed']): void {
    const { destination, record } = job;
    if (record === undefined) return;
    const there = new Set(listed.map(scrubNameOf));
    const damaged = record.damaged
      .filter(({ object }) => there.has(object))
      .map((each): DamagedObject => {
        const isLater = isSuperseded(each.object, Date.parse(each.at), listed);
        return isLater ? { ...each, superseded: true } : each;
      });
    const count = (all: readonly DamagedObject[]): number => all.filter(isCurrent).length;
    if (count(damaged) < count(record.damaged)) {
      this.#loggerOf(job).info(
        `${destination.name}: later full snapshots replace damaged files; the newest state can be restored`,
      );
    }
    job.record = { ...record, damaged };
  }

  #loggerOf({ database }: Pick<ScrubJob, 'database'>): Logger {
    return loggerFor(this.#options.logger, database.options.path);
  }
}
