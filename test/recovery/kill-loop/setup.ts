/**
 * One database with its application, its replicator and two destinations. Epochs run it, actors act
 * on it.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Fault } from '../faults.ts';
import { Application } from './application.ts';
import { Claims } from './claims.ts';
import { Copies } from './copies.ts';
import { DIED, isOlder, reportedOf, type HostEvent } from './events.ts';
import { verifyLive, type Live } from './verify.ts';
import { readTotals } from './ledger.ts';
import { ReplicatorProcess } from './replicator-process.ts';
import type { HostArguments } from './replicator-host.ts';
import { SmallVolume } from './small-volume.ts';

const CORE = path.resolve(import.meta.dirname, '../../../packages/core/dist');
const PAGE_SIZES = [512, 1024, 4096, 8192] as const;
const DAY_MS = 24 * 3_600_000;
/** Smaller than a large transaction of the application. */
const TAIL_BYTES_MAX = 256 * 1024;
const VOLUME_BYTES = 24 * 1024 * 1024;
const POLL_MS = 20;
/** Maximum time until all commits are replicated again after an act. */
const TIMEOUT_MS = 60_000;

export interface SetupOptions {
  readonly folder: string;
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Whether the replicator gets the database's path or a symbolic link to it. */
  readonly path: 'plain' | 'symlink';
  readonly stagingVolume: 'plain' | 'small';
  /** Instead of TIMEOUT_MS. */
  readonly timeoutMs?: number | undefined;
}

export interface Destination {
  readonly folder: string;
  fault: Fault;
}

/** One run of a replicator, from its start to its end. */
interface Run {
  readonly number: number;
  readonly process: ReplicatorProcess;
}

export class Setup {
  readonly folder: string;
  readonly random: Random;
  readonly pageSize: number;
  /** The database file. */
  database: string;
  /** The path in the replicator's configuration: the database, or a symbolic link to it. */
  readonly watched: string;
  readonly staging: string;
  readonly volume: SmallVolume | undefined;
  readonly application: Application;
  readonly claims: Claims = new Claims();
  readonly copies: Copies;
  readonly destinations: readonly Destination[];
  /** Offset of the replicator's wall clock. */
  clockOffsetMs = 0;
  era = 1;
  /**
   * Whether the database file was replaced beside the WAL and wal-index of the old one: SQLite itself may
   * mix them, now or at the next write.
   */
  mayBeMixed = false;
  /** Codes of errors that the replicator may report in this round. */
  readonly allowedErrors: Set<string> = new Set();
  /** Acts of this round, for the report. */
  readonly story: string[] = [];
  readonly #options: SetupOptions;
  readonly #settings: HostArguments['options'];
  readonly #attempted: string;
  #runs: Run[] = [];
  #run = 0;

  constructor(options: SetupOptions, random: Random) {
    const { folder } = options;
    this.#options = options;
    this.folder = folder;
    this.random = random;
    this.pageSize = random.pick(PAGE_SIZES);
    this.database = path.join(folder, 'app.db');
    this.watched = this.#toWatched();
    this.#attempted = path.join(folder, 'attempted');
    this.application = new Application(() => this.database, this.#attempted, this.pageSize);
    this.copies = new Copies(path.join(folder, 'copies'));
    const volume = path.join(folder, 'volume');
    this.volume =
      options.stagingVolume === 'small' ? SmallVolume.mount(volume, VOLUME_BYTES) : undefined;
    this.staging = path.join(this.volume?.folder ?? folder, 'staging');
    this.#settings = {
      metaPath: this.staging,
      syncIntervalMs: random.pick([50, 200, 1_000]),
      snapshotIntervalMs: random.pick([1_000, DAY_MS]),
      // A database that is closed hides some planted errors.
      ...(options.src === undefined && {
        idleCloseMs: random.pick([50, 300_000]),
        checkpointIntervalMs: random.pick([100, 60_000]),
      }),
      stagingMaxBytes: random.pick([400_000, 1_000_000_000]),
      minCheckpointPageCount: random.pick([50, 1_000]),
      pageEncoding: random.pick(['block', 'frame']),
      tailBytesMax: TAIL_BYTES_MAX,
    };
    this.destinations = [
      { folder: path.join(folder, 'a'), fault: 'none' },
      { folder: path.join(folder, 'b'), fault: random.pick(['none', 'none', 'slow', 'failing']) },
    ];
  }

  // --- the replicator ---------------------------------------------------------------------------

  get replicator(): ReplicatorProcess | undefined {
    const process = this.#runs.at(-1)?.process;
    return process?.hasEnded === false ? process : undefined;
  }

  /** Number of the next run. */
  get nextRun(): number {
    return this.#run + 1;
  }

  /** Events of all runs of this round. */
  get events(): HostEvent[] {
    return this.#runs.flatMap(({ process }) => process.events);
  }

  beginRound(): void {
    this.#runs = [];
    this.allowedErrors.clear();
    this.application.forgetKills();
    this.story.length = 0;
    this.mayBeMixed = false;
  }

  /** Starts a run. `faults` apply to this run only. */
  startReplicator(faults: readonly (Fault | undefined)[] = []): void {
    this.#run += 1;
    const process = new ReplicatorProcess(this.#hostArguments(`report-${this.#run}`, faults));
    this.#runs.push({ number: this.#run, process });
  }

  /** Starts a second replicator of the same database. */
  startSecond(): ReplicatorProcess {
    return new ReplicatorProcess(this.#hostArguments(`report-${this.#run}-second`, []));
  }

  async killReplicator(): Promise<void> {
    await this.replicator?.kill();
    this.#recordClaims();
  }

  /** Returns the problem if the replicator did not exit cleanly. */
  async stopReplicator(): Promise<string | undefined> {
    const why = await this.replicator?.stop();
    this.#recordClaims();
    return why;
  }

  /** Waits until the replicator's events satisfy `isEnough`. Returns undefined after the timeout. */
  async waitForEvents(
    isEnough: (events: readonly HostEvent[]) => boolean,
    timeoutMs: number,
  ): Promise<readonly HostEvent[] | undefined> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const events = this.#runs.at(-1)?.process.events ?? [];
      if (isEnough(events)) return events;
      await sleep(POLL_MS);
    }
    return undefined;
  }

  /** Destinations without an injected fault. */
  get sound(): number[] {
    const all = [...this.destinations.keys()];
    return all.filter((index) => this.destinations[index]?.fault === 'none');
  }

  /** Destinations that were complete when the last run stopped. */
  get drained(): number[] {
    const events = this.#runs.at(-1)?.process.events ?? [];
    const claims = events.filter(({ by }) => by === 'drain');
    return claims.flatMap(({ destination }) => (destination === undefined ? [] : [destination]));
  }

  moveClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
    this.replicator?.send({ kind: 'clock', offsetMs });
  }

  /** Waits for claims that all healthy destinations have all current commits. Returns the problem if any. */
  async waitUntilReplicated(): Promise<string | undefined> {
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    const totals = readTotals(this.database);
    if (totals === undefined) return 'the live database has no ledger';
    const hasAll = (events: readonly HostEvent[]): boolean =>
      this.sound.every((index) => {
        const reported = reportedOf(events, index);
        return reported !== undefined && !isOlder(reported, totals);
      });
    const isOver = (events: readonly HostEvent[]): boolean =>
      hasAll(events) || events.some(({ code }) => code === DIED) || this.application.sawCorruption;
    const events = (await this.waitForEvents(isOver, timeoutMs)) ?? [];
    if (hasAll(events)) return undefined;
    const logged = this.events.filter(({ kind }) => kind !== 'replicated').slice(-4);
    const last = logged.map(({ message }) => message).join(' | ');
    return `not all commits were replicated within ${timeoutMs} ms; last messages: ${last}`;
  }

  // --- files ------------------------------------------------------------------------------------

  readAttempted(): ReadonlySet<string> {
    return new Set(fs.readFileSync(this.#attempted, 'utf8').split('\n'));
  }

  /** The database as SQLite shows it now. */
  live(): Live {
    return verifyLive(this.database, () => this.readAttempted());
  }

  get attemptedFile(): string {
    return this.#attempted;
  }

  /** Whether there is a WAL with frames. This process has no locks that a look could drop. */
  get hasLog(): boolean {
    const wal = fs.statSync(`${this.database}-wal`, { throwIfNoEntry: false });
    return wal !== undefined && wal.size > 32;
  }

  async end(): Promise<void> {
    await Promise.all([this.killReplicator(), this.application.kill()]);
    this.volume?.unmount();
  }

  #recordClaims(): void {
    for (const { number, process } of this.#runs) {
      this.claims.record(number, process.events, this.destinations.length);
    }
  }

  #hostArguments(name: string, faults: readonly (Fault | undefined)[]): HostArguments {
    return {
      code: this.#options.src ?? CORE,
      database: this.watched,
      options: this.#settings,
      reportFile: path.join(this.folder, name),
      destinations: this.destinations.map(({ folder, fault }, index) => ({
        folder,
        fault: faults[index] ?? fault,
      })),
      clockOffsetMs: this.clockOffsetMs,
    };
  }

  #toWatched(): string {
    if (this.#options.path === 'plain') return this.database;
    const link = path.join(this.folder, 'link.db');
    fs.symlinkSync('app.db', link);
    return link;
  }
}
