/**
 * One database with its application, its replicator, and two destinations: what an epoch runs, and
 * what actors lay hands on.
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
import { judgeLive, type Live } from './judge.ts';
import { readTotals } from './ledger.ts';
import { ReplicatorProcess } from './replicator-process.ts';
import type { HostArguments } from './replicator-host.ts';
import { SmallVolume } from './small-volume.ts';

const CORE = path.resolve(import.meta.dirname, '../../../packages/core/dist');
const PAGE_SIZES = [512, 1024, 4096, 8192] as const;
const DAY_MS = 24 * 3_600_000;
/** A large transaction of the application is larger. */
const TAIL_BYTES_MAX = 256 * 1024;
const VOLUME_BYTES = 24 * 1024 * 1024;
const LOOK_EVERY_MS = 20;
/** After whatever an actor did, what is committed is replicated again within this. */
const PATIENCE_MS = 60_000;

export interface SetupOptions {
  readonly folder: string;
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Whether the replicator is given a symbolic link to the database. */
  readonly path: 'plain' | 'symlink';
  readonly stagingVolume: 'plain' | 'small';
  /** Instead of PATIENCE_MS. */
  readonly patienceMs?: number | undefined;
}

export interface Destination {
  readonly folder: string;
  fault: Fault;
}

/** One run of a replicator, from its start to its end. */
interface Life {
  readonly number: number;
  readonly process: ReplicatorProcess;
}

export class Setup {
  readonly folder: string;
  readonly random: Random;
  readonly pageSize: number;
  /** The database file. */
  database: string;
  /** The path that the replicator is told: the same, or a symbolic link to it. */
  readonly watched: string;
  readonly staging: string;
  readonly volume: SmallVolume | undefined;
  readonly application: Application;
  readonly claims: Claims = new Claims();
  readonly copies: Copies;
  readonly destinations: readonly Destination[];
  /** Added to the wall clock of the replicator, when it starts. */
  clockOffsetMs = 0;
  era = 1;
  /**
   * Another file lies beside the log and the wal-index of the one before: SQLite itself may mix them,
   * now or when it is written to next.
   */
  mayBeMixed = false;
  /** Codes of errors that the replicator may well report in this round. */
  readonly mayReport: Set<string> = new Set();
  /** What was done to it in this round. */
  readonly story: string[] = [];
  readonly #options: SetupOptions;
  readonly #settings: HostArguments['options'];
  readonly #tried: string;
  #lives: Life[] = [];
  #life = 0;

  constructor(options: SetupOptions, random: Random) {
    const { folder } = options;
    this.#options = options;
    this.folder = folder;
    this.random = random;
    this.pageSize = random.pick(PAGE_SIZES);
    this.database = path.join(folder, 'app.db');
    this.watched = this.#toWatched();
    this.#tried = path.join(folder, 'tried');
    this.application = new Application(() => this.database, this.#tried, this.pageSize);
    this.copies = new Copies(path.join(folder, 'copies'));
    const volume = path.join(folder, 'volume');
    this.volume =
      options.stagingVolume === 'small' ? SmallVolume.mount(volume, VOLUME_BYTES) : undefined;
    this.staging = path.join(this.volume?.folder ?? folder, 'staging');
    this.#settings = {
      metaPath: this.staging,
      syncIntervalMs: random.pick([50, 200, 1_000]),
      snapshotIntervalMs: random.pick([1_000, DAY_MS]),
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
    const process = this.#lives.at(-1)?.process;
    return process?.hasEnded === false ? process : undefined;
  }

  /** The number of the life that a replicator has which is started next. */
  get nextLife(): number {
    return this.#life + 1;
  }

  /** What the replicators of this round have told, the one before the next included. */
  get events(): HostEvent[] {
    return this.#lives.flatMap(({ process }) => process.events);
  }

  beginRound(): void {
    this.#lives = [];
    this.mayReport.clear();
    this.application.forgetKills();
    this.story.length = 0;
    this.mayBeMixed = false;
  }

  /** `faults` are those of this life only. */
  startReplicator(faults: readonly (Fault | undefined)[] = []): void {
    this.#life += 1;
    const process = new ReplicatorProcess(this.#hostArguments(`report-${this.#life}`, faults));
    this.#lives.push({ number: this.#life, process });
  }

  /** One beside the other, of the same database. */
  startSecond(): ReplicatorProcess {
    return new ReplicatorProcess(this.#hostArguments(`report-${this.#life}-second`, []));
  }

  async killReplicator(): Promise<void> {
    await this.replicator?.kill();
    this.#note();
  }

  /** Gives what is wrong with how it ended. */
  async stopReplicator(): Promise<string | undefined> {
    const why = await this.replicator?.stop();
    this.#note();
    return why;
  }

  /** The running replicator's events, once they satisfy `isEnough`; undefined where that takes too long. */
  async untilTold(
    isEnough: (events: readonly HostEvent[]) => boolean,
    timeoutMs: number,
  ): Promise<readonly HostEvent[] | undefined> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const events = this.#lives.at(-1)?.process.events ?? [];
      if (isEnough(events)) return events;
      await sleep(LOOK_EVERY_MS);
    }
    return undefined;
  }

  /** Destinations that do not fail or delay on purpose. */
  get sound(): number[] {
    const all = [...this.destinations.keys()];
    return all.filter((index) => this.destinations[index]?.fault === 'none');
  }

  /** Destinations that the last replicator brought up to date as it stopped. */
  get drained(): number[] {
    const events = this.#lives.at(-1)?.process.events ?? [];
    const claims = events.filter(({ by }) => by === 'drain');
    return claims.flatMap(({ destination }) => (destination === undefined ? [] : [destination]));
  }

  moveClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
    this.replicator?.send({ kind: 'clock', offsetMs });
  }

  /** Until every sound destination is said to have what is committed now. Gives why it never was. */
  async untilReplicated(): Promise<string | undefined> {
    const timeoutMs = this.#options.patienceMs ?? PATIENCE_MS;
    const totals = readTotals(this.database);
    if (totals === undefined) return 'the live database has no ledger';
    const hasAll = (events: readonly HostEvent[]): boolean =>
      this.sound.every((index) => {
        const reported = reportedOf(events, index);
        return reported !== undefined && !isOlder(reported, totals);
      });
    const isOver = (events: readonly HostEvent[]): boolean =>
      hasAll(events) || events.some(({ code }) => code === DIED) || this.application.sawCorruption;
    const events = (await this.untilTold(isOver, timeoutMs)) ?? [];
    if (hasAll(events)) return undefined;
    const said = this.events.filter(({ kind }) => kind !== 'replicated').slice(-4);
    const last = said.map(({ message }) => message).join(' | ');
    return `what was committed was not replicated within ${timeoutMs} ms; it last said: ${last}`;
  }

  // --- files ------------------------------------------------------------------------------------

  readTried(): ReadonlySet<string> {
    return new Set(fs.readFileSync(this.#tried, 'utf8').split('\n'));
  }

  /** The database as SQLite shows it now. */
  live(): Live {
    return judgeLive(this.database, () => this.readTried());
  }

  get triedFile(): string {
    return this.#tried;
  }

  /** Whether a log with frames lies there. Looked at from a process that has no lock to lose. */
  get hasLog(): boolean {
    const wal = fs.statSync(`${this.database}-wal`, { throwIfNoEntry: false });
    return wal !== undefined && wal.size > 32;
  }

  async end(): Promise<void> {
    await Promise.all([this.killReplicator(), this.application.kill()]);
    this.volume?.unmount();
  }

  #note(): void {
    for (const { number, process } of this.#lives) {
      this.claims.note(number, process.events, this.destinations.length);
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
