/**
 * Chaos: an application with a ledger, `sluice replicate` with three destinations on real servers behind
 * toxiproxy, faults on at most two of them at a time, and kills. One seed decides the schedule. After a kill,
 * each destination restores alone to what it has confirmed. At the end all have the last row, `sluice
 * repair` mends what was skipped, and requests, staging and memory are within limits.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@sluice/core';
import { Acknowledgements } from './chaos/acknowledgements.ts';
import { writeConfiguration } from './chaos/configuration.ts';
import { exceeded, STAGING_BYTES_MAX, writesMax, type Effort } from './chaos/limits.ts';
import { begin, end } from './chaos/network.ts';
import { repair } from './chaos/repair.ts';
import { ChaosReplicator } from './chaos/replicator.ts';
import { compareWithDatabase, verifyDestination } from './chaos/restores.ts';
import { faultyMs, scheduleOf, type Fault, type Kill, type Schedule } from './chaos/schedule.ts';
import { startServers, type ChaosDestination, type ChaosServers } from './chaos/servers.ts';
import { until } from '../support/wait.ts';
import { Application } from './kill-loop/application.ts';

/** Longest pause between two bursts of transactions: some 25 transactions per second. */
const PAUSE_MS = 200;
const PAGE_SIZE = 4096;
const POLL_MS = 100;
/** How often problems are looked for between two steps. */
const STEP_MS_MAX = 500;
const FIRST_MS_MAX = 60_000;
/** From the end of the last fault until all destinations have everything. */
const CATCH_UP_MS_MAX = 120_000;
/** A run without acknowledgements would pass. */
const ACKNOWLEDGEMENTS_MIN = 3;

export interface ChaosOptions {
  readonly seed: number;
  readonly lengthMs: number;
  /** 'forgetful': one destination confirms writes that it did not make. */
  /** `staging-max-bytes`. If it is small, a destination whose fault takes long gets a full snapshot. */
  readonly stagingBytesMax?: number | undefined;
  readonly planted?: 'forgetful' | undefined;
  readonly onEvent?: ((event: string) => void) | undefined;
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly broken: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly kills: number;
  /** Restores of one destination that were compared with the ledger. */
  readonly restores: number;
  readonly acknowledgements: {
    readonly count: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  readonly catchUpSeconds: number | undefined;
  readonly destinations: readonly {
    readonly name: string;
    readonly writes: number;
    readonly writesMax: number;
    /** undefined: not counted. */
    readonly otherRequests: number | undefined;
    readonly faultSeconds: number;
    /** Moments that the others had, and `sluice repair` copied. */
    readonly lacking: number;
  }[];
  /** Full snapshots after the first that took the place of increments. */
  readonly laterSnapshots: number;
  readonly stagedMiBMax: number;
  readonly residentMiBMax: number;
  /** Log lines of level WARN and ERROR. */
  readonly warnings: number;
  readonly errors: number;
}

export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-chaos-'));
  const servers = await startServers();
  const run = new ChaosRun(options, folder, servers);
  try {
    return await run.play();
  } finally {
    await run.close();
    await servers.stop();
    if (process.env['SLUICE_KEEP'] === undefined) fs.rmSync(folder, { recursive: true });
  }
}

interface Step {
  readonly atMs: number;
  readonly play: () => Promise<void>;
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #folder: string;
  readonly #destinations: readonly ChaosDestination[];
  readonly #schedule: Schedule;
  readonly #database: string;
  readonly #staging: string;
  readonly #attempted: string;
  readonly #configuration: string;
  readonly #application: Application;
  readonly #replicator: ChaosReplicator;
  readonly #acknowledgements: Acknowledgements;
  readonly #broken: string[] = [];
  #began = performance.now();
  #kills = 0;
  #restores = 0;
  #catchUpMs: number | undefined;
  #effortAtEnd: Effort | undefined;
  #writesAtEnd: readonly number[] = [];
  #lacking: Readonly<Record<string, number>> = {};

  constructor(options: ChaosOptions, folder: string, { destinations }: ChaosServers) {
    this.#options = options;
    this.#folder = folder;
    this.#destinations = destinations;
    this.#schedule = scheduleOf(options.seed, options.lengthMs, destinations.length);
    this.#database = path.join(folder, 'app.db');
    this.#staging = path.join(folder, 'staging');
    this.#attempted = path.join(folder, 'attempted');
    this.#configuration = path.join(folder, 'sluice.yml');
    this.#application = new Application(() => this.#database, this.#attempted, PAGE_SIZE, PAUSE_MS);
    this.#replicator = new ChaosReplicator({
      configuration: this.#configuration,
      staging: this.#staging,
      log: path.join(folder, 'replicator.log'),
      requests: path.join(folder, 'requests'),
    });
    this.#acknowledgements = new Acknowledgements(this.#database, this.#staging);
  }

  async play(): Promise<ChaosReport> {
    writeConfiguration(this.#configuration, {
      ...{ database: this.#database, staging: this.#staging },
      destinations: this.#destinations,
      stagingBytesMax: this.#stagingBytesMax,
      forgetful: this.#options.planted === 'forgetful' ? 's3' : undefined,
    });
    await this.#application.start(this.#options.seed);
    this.#replicator.start();
    await this.#waitForAll(FIRST_MS_MAX); // before that there is nothing to lose
    this.#acknowledgements.start();
    this.#began = performance.now();
    await this.#playSchedule();
    if (this.#broken.length === 0) await this.#finish();
    return this.#report();
  }

  async close(): Promise<void> {
    await this.#acknowledgements.stop();
    await Promise.all([this.#replicator.kill(), this.#application.kill()]);
  }

  // --- the schedule -----------------------------------------------------------------------------

  async #playSchedule(): Promise<void> {
    const { faults, kills } = this.#schedule;
    const changes = faults.flatMap((fault) => [
      { atMs: fault.fromMs, play: () => this.#beginFault(fault) },
      { atMs: fault.untilMs, play: () => this.#endFault(fault) },
    ]);
    await Promise.all([
      this.#playAll(changes),
      this.#playAll(kills.map((kill) => ({ atMs: kill.atMs, play: () => this.#kill(kill) }))),
    ]);
  }

  /** In order of time. Stops at the first broken promise. */
  async #playAll(steps: readonly Step[]): Promise<void> {
    for (const { atMs, play } of steps.toSorted((a, b) => a.atMs - b.atMs)) {
      while (this.#nowMs < atMs) {
        await sleep(Math.min(atMs - this.#nowMs, STEP_MS_MAX));
        this.#broken.push(
          ...this.#replicator.takeProblems(),
          ...this.#acknowledgements.takeProblems(),
        );
        if (this.#broken.length > 0) return;
      }
      await play();
    }
  }

  get #nowMs(): number {
    return performance.now() - this.#began;
  }

  async #beginFault(fault: Fault): Promise<void> {
    const destination = this.#at(fault.destination);
    const seconds = (fault.untilMs - fault.fromMs) / 1_000;
    this.#tell(`${destination.name}: ${fault.kind} for ${seconds} s`);
    await begin(destination.proxy, fault);
  }

  async #endFault(fault: Fault): Promise<void> {
    await end(this.#at(fault.destination).proxy, fault);
  }

  async #kill({ victims, next, seed, when }: Kill): Promise<void> {
    // On a busy machine the process may need seconds to start.
    const hasAnswered = (): boolean =>
      this.#acknowledgements.lastAt > this.#replicator.startedAt ||
      this.#nowMs > this.#options.lengthMs ||
      this.#broken.length > 0;
    if (when === 'after an answer') await until('it has answered', hasAnswered, Infinity);
    if (this.#nowMs > this.#options.lengthMs || this.#broken.length > 0) return;
    this.#kills += 1;
    this.#tell(`kill of the ${victims}, ${next}`);
    const isBoth = victims === 'replicator and application';
    await Promise.all([this.#replicator.kill(), ...(isBoth ? [this.#application.kill()] : [])]);
    if (next === 'verify') await this.#verifyAll();
    if (isBoth) await this.#application.start(seed);
    this.#replicator.start();
  }

  /** After a kill: what a destination has confirmed, it has. */
  async #verifyAll(): Promise<void> {
    const claims = this.#destinations.map(({ name }) => this.#acknowledgements.of(name));
    const found = await Promise.all(
      this.#destinations.map((destination, index) =>
        verifyDestination(destination, {
          folder: this.#folder,
          reported: claims[index],
          readAttempted: () => this.#readAttempted(),
        }),
      ),
    );
    this.#restores += found.length;
    this.#broken.push(...found.filter((why) => why !== undefined));
  }

  // --- the end ----------------------------------------------------------------------------------

  async #finish(): Promise<void> {
    await this.#acknowledgements.stop();
    await this.#application.order({ kind: 'pause' });
    this.#tell('the network works again');
    const beganAt = performance.now();
    try {
      await this.#waitForAll(CATCH_UP_MS_MAX);
    } catch (error) {
      this.#broken.push(`not all caught up: ${messageOf(error)}`);
      return;
    }
    this.#catchUpMs = performance.now() - beganAt;
    await this.#verifyAll();
    for (const destination of this.#destinations) {
      const why = await compareWithDatabase(destination, this.#folder, this.#database);
      if (why !== undefined) this.#broken.push(why);
    }
    const problem = await this.#replicator.stop();
    if (problem !== undefined) this.#broken.push(problem);
    this.#effortAtEnd = this.#effort();
    const { stagedBytesMax, residentBytesMax } = this.#replicator;
    this.#writesAtEnd = this.#destinations.map((each) => this.#writes(each));
    const writes = this.#destinations.map(({ name }, index) => ({
      ...{ name, count: this.#writesAtEnd[index] ?? 0 },
    }));
    const stagingBytesMax = this.#stagingBytesMax;
    const measured = { writes, stagingBytesMax, stagedBytesMax, residentBytesMax };
    this.#broken.push(...exceeded(measured, this.#effortAtEnd));
    await this.#checkRepair(); // it writes too
    const { length } = this.#acknowledgements.tookMs;
    if (length < ACKNOWLEDGEMENTS_MIN) this.#broken.push(`only ${length} acknowledgements`);
  }

  /**
   * Nothing is damaged, lost, or in conflict. A destination lacks moments only if it was behind when a full snapshot
   * took the place of staged files. Then a repair copies them from the others.
   */
  async #checkRepair(): Promise<void> {
    const found = await repair(this.#configuration, 'dry-run');
    this.#broken.push(...found.problems);
    this.#lacking = found.lacking;
    if (found.code === 0) return;
    if (this.#replicator.laterSnapshots() === 0) {
      this.#broken.push(`sluice repair -dry-run: ${found.output}`);
      return;
    }
    for (const mode of ['mend', 'dry-run'] as const) {
      const { code, output } = await repair(this.#configuration, mode);
      if (code !== 0) this.#broken.push(`sluice repair, ${mode}: ${output}`);
    }
  }

  get #stagingBytesMax(): number {
    return this.#options.stagingBytesMax ?? STAGING_BYTES_MAX;
  }

  // --- helpers ----------------------------------------------------------------------------------

  /** Until all commits so far are at all destinations. The replicator may just have been started. */
  async #waitForAll(timeoutMs: number): Promise<void> {
    const calls = new Acknowledgements(this.#database, this.#staging);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        await calls.wait('all', timeoutMs);
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  #readAttempted(): ReadonlySet<string> {
    return new Set(fs.readFileSync(this.#attempted, 'utf8').split('\n'));
  }

  #at(index: number): ChaosDestination {
    const destination = this.#destinations[index];
    if (destination === undefined) throw new Error(`no destination ${index}`);
    return destination;
  }

  #writes({ countWrites, proxy }: ChaosDestination): number {
    return countWrites?.() ?? this.#replicator.requestsTo(proxy.port).writes;
  }

  #effort(): Effort {
    return {
      runMs: this.#nowMs,
      starts: this.#replicator.starts,
      acknowledgements: this.#acknowledgements.tookMs.length + this.#acknowledgements.refused,
      faults: this.#schedule.faults,
    };
  }

  #tell(event: string): void {
    const seconds = (this.#nowMs / 1_000).toFixed(1);
    this.#options.onEvent?.(`${seconds} s: ${event}`);
  }

  #report(): ChaosReport {
    const { faults } = this.#schedule;
    const took = this.#acknowledgements.tookMs.toSorted((a, b) => a - b);
    const quantile = (share: number): number =>
      Math.round(took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0);
    const counts: Record<string, number> = {};
    for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1;
    const effort = this.#effortAtEnd ?? this.#effort();
    return {
      seed: this.#options.seed,
      seconds: Math.round(effort.runMs / 1_000),
      broken: this.#broken,
      faults: counts,
      kills: this.#kills,
      restores: this.#restores,
      acknowledgements: { count: took.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99) },
      catchUpSeconds:
        this.#catchUpMs === undefined ? undefined : Math.round(this.#catchUpMs / 100) / 10,
      destinations: this.#destinations.map((destination, index) => ({
        name: destination.name,
        writes: this.#writesAtEnd[index] ?? this.#writes(destination),
        writesMax: writesMax(effort, index),
        otherRequests:
          destination.countWrites === undefined
            ? this.#replicator.requestsTo(destination.proxy.port).others
            : undefined,
        faultSeconds: Math.round(faultyMs(faults, index) / 1_000),
        lacking: this.#lacking[destination.name] ?? 0,
      })),
      laterSnapshots: this.#replicator.laterSnapshots(),
      stagedMiBMax: mebibytes(this.#replicator.stagedBytesMax),
      residentMiBMax: mebibytes(this.#replicator.residentBytesMax),
      warnings: this.#replicator.logged('WARN').length,
      errors: this.#replicator.logged('ERROR').length,
    };
  }
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / 1024 / 1024) * 10) / 10;
}
