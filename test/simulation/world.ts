/** Everything that one run simulates, and how its replicator lives and dies. */

import path from 'node:path';
import type { DatabaseStatus } from '../../packages/core/src/replicate/status/status.ts';
import { defaultMetaPath } from '../../packages/core/src/replicate/replicate.ts';
import { randomFrom, type Random } from '../../packages/core/test/support/random.ts';
import { Application } from './actors/application.ts';
import { Bucket } from './ports/bucket.ts';
import { Broken, ClaimBook } from './claims.ts';
import type { Core } from './ports/core.ts';
import { Disk } from './ports/disk.ts';
import { Ledger } from './actors/ledger.ts';
import { Replicator, type ReplicatorInput, type Wrappers } from './actors/replicator.ts';
import { PromiseBook, type Policy } from './promises.ts';
import { Restorer } from './actors/restorer.ts';
import { SlowReaders } from './actors/slow-reader.ts';
import { fileNameOf, Truth } from './actors/truth.ts';
import { readStored } from './secrecy.ts';
import { VirtualTime } from './ports/virtual-time.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly core: Core;
  readonly wrappers?: Wrappers | undefined;
  /** Default: the seed decides. */
  readonly buckets?: number | undefined;
  readonly policy?: Policy | undefined;
  readonly tuning?: Tuning | undefined;
  /** Called with each line of the trace, and each line of the log of the replicator. */
  readonly onLine?: ((line: string) => void) | undefined;
}

const MAX_LAG_MS = 10_000;
/** While hours pass, the machine sleeps for up to this long. */
const LEAP_MS_MAX = 1_800_000;
const AWAKE_MS = 8_000;
/** When an idle database is closed. Drawn from a generator of its own: the steps are the same with each of them. */
const IDLE_CLOSE_MS = [300, 1_500, 10_000, 300_000, 0];
const IDLE_MASK = 0x51d3_a94b;
const CRASH_CALLS_MAX = 60;
/** Within this time a replicator that is to be killed makes a call. */
const CRASH_MS_MAX = 30_000;
/** Timers that a replicator may start per second, on average. More is a busy loop. */
const TIMERS_PER_SECOND_MAX = 400;
const TIMERS_AT_ONCE = 2_000;
/** After these errors a destination is tried again only after minutes. */
const LONG_WAITS: ReadonlySet<string> = new Set(['REPLICA_CONFLICT', 'REPLICA_NOT_LISTED']);
/** While something fails, there is a warning at least this often. */
const SILENCE_MS_MAX = 900_000;

/** What core logs when a check of its own finds a wrong decision or a wrong file. */
export const OWN_FAULT: RegExp = /please report this|^left out TXID/;

export interface Tuning extends Readonly<Record<string, number>> {
  readonly syncIntervalMs: number;
  readonly stagingMaxBytes: number;
}

export class World {
  readonly random: Random;
  readonly time: VirtualTime = new VirtualTime();
  readonly ledger: Ledger = new Ledger();
  readonly disk: Disk;
  readonly buckets: readonly Bucket[];
  readonly application: Application;
  readonly restorer: Restorer;
  readonly claims: ClaimBook;
  readonly truth: Truth = new Truth();
  /** Options of the replicator. */
  readonly tuning: Tuning;
  readonly policy: Policy;
  readonly promises: PromiseBook;
  readonly readers: SlowReaders;
  readonly path: string;
  readonly trace: string[] = [];
  readonly errors: Error[] = [];
  kills = 0;
  readonly #options: WorldOptions;
  readonly #folder: string;

  #replicator: Replicator | undefined;
  /** Since when the replicator has followed the database with a disk that works. */
  #steadySince = Infinity;
  /** Since when nothing fails, or when a warning was last logged. */
  #toldAt = 0;

  constructor(options: WorldOptions, folder: string) {
    const { core, seed, buckets, policy, tuning } = options;
    const random = randomFrom(seed);
    const { time, ledger } = this;
    this.#options = options;
    this.#folder = folder;
    this.random = random;
    this.path = path.join(folder, 'app.db');
    time.onError = (error) => this.errors.push(toError(error));
    this.disk = new Disk(random, defaultMetaPath(this.path));
    this.buckets = ['red', 'green', 'blue']
      .slice(0, buckets ?? random.int(2, 3))
      .map((name) => new Bucket(name, { core, time, random }));
    this.application = new Application(this.path, { time, random, ledger });
    this.restorer = new Restorer({ core, ledger, folder });
    this.policy = policy ?? drawPolicy(random);
    this.promises = new PromiseBook({
      truth: this.truth,
      ledger,
      time,
      policy: this.policy,
      buckets: this.buckets,
    });
    this.readers = new SlowReaders(this.restorer);
    this.#observe();
    this.claims = new ClaimBook({
      ledger,
      restorer: this.restorer,
      time,
      maxLagMs: MAX_LAG_MS,
      buckets: this.buckets,
      promises: this.promises,
    });
    this.tuning = tuning ?? {
      syncIntervalMs: random.pick([50, 1_000, 1_000, 5_000]),
      checkpointIntervalMs: random.pick([0, 2_000, 60_000]),
      minCheckpointPageCount: random.pick([5, 50, 1_000]),
      truncatePageN: random.pick([40, 400, 121_359]),
      stagingMaxBytes: random.pick([100_000, 1_000_000, 2 ** 30]),
      tailBytesMax: random.pick([20_000, 200_000, 2 ** 24]),
      snapshotIntervalMs: this.policy.snapshotIntervalMs,
      idleCloseMs: randomFrom(seed ^ IDLE_MASK).pick(IDLE_CLOSE_MS),
    };
  }

  get replicator(): Replicator | undefined {
    return this.#replicator;
  }

  /** Passes a line of the log of a replicator on. */
  log(level: string, message: string): void {
    this.#options.onLine?.(`${this.#stamp()}   ${level} ${message}`);
  }

  /** Adds a line to the trace. */
  note(what: string): void {
    const line = `${this.#stamp()} ${what.replaceAll(`${this.#folder}/`, '').replaceAll(this.#folder, '.')}`;
    this.trace.push(line);
    this.#options.onLine?.(line);
  }

  async begin(): Promise<void> {
    await this.disk.prepare();
    this.note(`buckets: ${this.buckets.length}, ${JSON.stringify(this.tuning)}`);
    this.note(`policy: ${JSON.stringify(this.policy)}`);
    this.note(`application starts: ${this.application.start()}`);
    this.startReplicator();
  }

  end(): void {
    this.#replicator?.process.kill();
    if (this.application.isOpen) this.application.kill();
  }

  /** Options of a replicator of this database. */
  optionsFor(file: string): ReplicatorInput['options'] {
    const { levels } = this.policy;
    const busyTimeoutMs = 1; // SQLite waits in real time
    return { path: file, maxLagMs: MAX_LAG_MS, busyTimeoutMs, ...this.tuning, levels };
  }

  startReplicator(): string {
    const { core, wrappers = {} } = this.#options;
    const replicator = new Replicator({
      core,
      time: this.time,
      random: this.random,
      disk: this.disk,
      buckets: this.buckets,
      options: this.optionsFor(this.path),
      policy: this.policy,
      wrappers,
      onLog: (level, message) => {
        if (OWN_FAULT.test(message)) this.errors.push(new Broken('no fault of its own', message));
        if (level === 'warn' || level === 'error') this.#toldAt = this.time.nowMs;
        this.log(level, message);
      },
      onCrash: (error) => this.errors.push(toError(error)),
    });
    this.#replicator = replicator;
    replicator.start();
    return 'started';
  }

  /** Lets time pass, and checks what the status claims. */
  async pass(ms: number): Promise<void> {
    const { fired } = this.time;
    const startedAt = this.time.nowMs;
    await this.time.advance(ms, () => this.#replicator?.isDead === true);
    const passedMs = this.time.nowMs - startedAt;
    const count = this.time.fired - fired;
    if (count > TIMERS_AT_ONCE + (TIMERS_PER_SECOND_MAX * passedMs) / 1_000) {
      throw new Broken('no busy loop', `${count} timers in ${Math.round(passedMs)} ms`);
    }
    await this.bury();
    this.#throwErrors();
    const status = this.#record();
    for (const bucket of this.buckets) this.promises.verify(bucket);
    if ((await this.readers.read(this.time.nowMs)) > 0) this.note('slow readers have read');
    const replicator = this.#replicator;
    if (status === undefined || replicator === undefined) return;
    const steadyMs = this.time.nowMs - this.#steadySince;
    for (const bucket of this.buckets) {
      this.claims.verifyLag(status, bucket, replicator, this.truth);
      this.claims.verifyDelivery(status, bucket, steadyMs);
      this.claims.verifyContents(status, bucket);
    }
  }

  /** Hours pass. The machine sleeps most of the time, and works for some seconds in between. */
  async idle(ms: number): Promise<void> {
    const end = this.time.nowMs + ms;
    while (this.time.nowMs < end && this.#replicator?.isDead !== true) {
      const leftMs = Math.min(end, this.time.nowMs + this.random.int(60_000, LEAP_MS_MAX));
      const leapMs = Math.min(leftMs - this.time.nowMs, this.readers.nextInMs(this.time.nowMs));
      this.time.leap(Math.max(0, leapMs));
      this.#steadySince = Infinity;
      this.#toldAt = this.time.nowMs;
      await this.pass(AWAKE_MS);
    }
  }

  /** Many small transactions, one soon after the other. */
  async burst(commits: number): Promise<string> {
    const pauseMs = this.random.pick([30, 300, 1_200]);
    for (let count = 0; count < commits && this.#replicator?.isDead !== true; count++) {
      this.application.commit('small');
      await this.pass(this.random.int(0, 2 * pauseMs));
    }
    return `state ${this.ledger.newest?.index}`;
  }

  /** Checks every claim by restores. */
  async verify(): Promise<void> {
    const status = this.#record();
    for (const bucket of this.buckets) {
      const pick = <T>(values: readonly T[]): T => this.random.pick(values);
      await this.claims.verify(bucket, pick);
      const replicator = this.#replicator;
      await this.promises.restoreSome(bucket, this.restorer, pick);
      if (status === undefined || replicator === undefined) continue;
      await this.claims.verifyHealth(status, bucket, replicator);
    }
  }

  /** Kills the replicator at one of its next calls, while the application commits. */
  async crash(): Promise<string | undefined> {
    const replicator = this.#replicator;
    if (replicator === undefined) return undefined;
    if (this.random.chance(0.85)) {
      replicator.process.killAfter(this.random.int(1, CRASH_CALLS_MAX));
      if (this.application.isOpen) this.note(`meanwhile: ${this.application.commit('small')}`);
      await this.time.advance(CRASH_MS_MAX, () => replicator.isDead);
    }
    replicator.process.kill();
    return await this.bury();
  }

  /** Ends a replicator that is dead. What was not durable on its disk may be lost. */
  async bury(): Promise<string | undefined> {
    const replicator = this.#replicator;
    if (replicator === undefined || !replicator.isDead) return undefined;
    await this.time.advance(0);
    replicator.process.kill();
    this.#replicator = undefined;
    if (replicator.hasClosed) return undefined;
    this.kills += 1;
    const isPowerLoss = this.random.chance(0.5);
    if (isPowerLoss) this.disk.powerLoss();
    this.note(
      `the replicator dies at ${replicator.process.killedAt}${isPowerLoss ? ', and its disk loses power' : ''}`,
    );
    await this.verify();
    return 'every claim holds';
  }

  /** The replicator begins a last sync. */
  async close(): Promise<string> {
    const replicator = this.#replicator;
    const index = this.ledger.newest?.index ?? 0;
    replicator?.close((complete) => {
      this.note(`the replicator has closed; complete: ${complete.join(', ')}`);
      for (const bucket of this.buckets) {
        if (complete.includes(bucket.name)) this.claims.complete(bucket, index);
      }
    });
    await this.time.advance(this.random.int(0, 5_000), () => replicator?.isDead === true);
    return 'begins';
  }

  sync(): string {
    const replicator = this.#replicator;
    const index = this.ledger.newest?.index ?? 0;
    replicator?.sync((txid) => {
      if (txid !== undefined) this.claims.synced(txid, index);
      if (!replicator.isDead) this.note(`state ${index} is staged: TXID ${txid ?? 'unknown'}`);
    });
    return `state ${index}`;
  }

  /** Learns of every file that is staged, written or deleted. */
  #observe(): void {
    const attempt = (check: () => void): void => {
      try {
        check();
      } catch (error) {
        this.errors.push(toError(error));
      }
    };
    this.disk.onNamed = (file, bytes) => {
      const name = fileNameOf(file);
      if (name?.level === 0) this.truth.staged(name.max, bytes, this.time.nowMs);
    };
    for (const bucket of this.buckets) {
      const verify = (): void => {
        if (!this.claims.counts(bucket)) return;
        this.promises.verifyPlan(bucket);
        this.promises.verify(bucket);
      };
      bucket.onStored = (key, bytes) => {
        attempt(() => {
          this.promises.stored(bucket, key, readStored(bucket, key, bytes));
          verify();
        });
      };
      bucket.onDeleted = () => attempt(verify);
    }
  }

  #throwErrors(): void {
    const [error] = this.errors;
    if (error !== undefined) throw error;
  }

  #record(): DatabaseStatus | undefined {
    const replicator = this.#replicator;
    if (replicator === undefined || replicator.isDead || replicator.isClosing) {
      this.#steadySince = Infinity;
      this.#toldAt = this.time.nowMs;
      return undefined;
    }
    if (replicator.refusal !== undefined) {
      throw new Broken('I4 continues', `it cannot start: ${replicator.refusal.message}`);
    }
    const status = replicator.status();
    this.claims.record(status, this.buckets, replicator);
    const waits = status.destinations.some(({ lastError }) =>
      LONG_WAITS.has(lastError?.code ?? ''),
    );
    const isSteady = status.state === 'following' && this.disk.condition === 'works' && !waits;
    this.#steadySince = isSteady ? Math.min(this.#steadySince, this.time.nowMs) : Infinity;
    this.#requireWarnings(status);
    return status;
  }

  /** Nothing is retried forever in silence. */
  #requireWarnings({ error, destinations }: DatabaseStatus): void {
    const failing = destinations.find(({ state }) => state === 'failing');
    if (error === undefined && failing === undefined) this.#toldAt = this.time.nowMs;
    if (this.time.nowMs - this.#toldAt <= SILENCE_MS_MAX) return;
    const why = error?.message ?? failing?.lastError?.message;
    throw new Broken('I4 continues', `fails without a warning: ${why}`);
  }

  #stamp(): string {
    return (this.time.nowMs / 1_000).toFixed(3);
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Short windows and lives, so that hours are enough to see everything age. */
function drawPolicy(random: Random): Policy {
  const intervals = random.pick([
    [2_000, 10_000, 60_000],
    [2_000, 10_000],
    [30_000, 300_000, 3_600_000],
  ]);
  return {
    levels: intervals.map((intervalMs, index) => ({ level: index + 1, intervalMs })),
    retentionMs: random.pick([300_000, 3_600_000, 24 * 3_600_000]),
    l0RetentionMs: random.pick([0, 300_000, 1_800_000]),
    snapshotIntervalMs: random.pick([20_000, 3_600_000, 24 * 3_600_000]),
  };
}
