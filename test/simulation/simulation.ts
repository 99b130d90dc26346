/**
 * One run of the simulation: draws steps of the application, the replicator, faults and checks from one
 * seed, until a claim is false or the steps are done. At the end everything works again, and everything
 * must become healthy and complete.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { toTXID } from '../../packages/core/src/ltx/txid.ts';
import type { RestoreTarget } from '../../packages/core/src/restore/plan/listing.ts';
import type { OptionalActor } from './actors/optional.ts';
import type { BucketCondition } from './ports/bucket.ts';
import { Broken, type Invariant } from './claims.ts';
import { OptionalActors } from './optional-actors.ts';
import type { DiskCondition } from './ports/disk.ts';
import { drawStep, type Situation, type StepName } from './steps.ts';
import { World, type WorldOptions } from './world.ts';
import type { VirtualTime } from './ports/virtual-time.ts';

export interface RunOptions extends WorldOptions {
  readonly steps?: number | undefined;
  /** Exactly these optional actors. Otherwise the seed decides. */
  readonly actors?: readonly OptionalActor[] | undefined;
  /** Called with the time of this run, which the timers of its processes use. */
  readonly onTime: (time: VirtualTime) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly broken: { readonly invariant: Invariant | 'crash'; readonly why: string } | undefined;
  readonly trace: readonly string[];
  readonly restores: number;
  readonly states: number;
  readonly kills: number;
}

const STEPS = 80;
const PAUSES_MS = [0, 20, 300, 1_500, 1_500, 8_000, 40_000];
const BURST_COMMITS_MAX = 40;
const DISK_FAULTS: readonly DiskCondition[] = ['full', 'broken', 'flaky'];
const BUCKET_FAULTS: readonly BucketCondition[] = ['slow', 'flaky', 'down', 'hangs', 'stale'];
const CLOCK_STEPS_MS = [-3_600_000, -2_000, 2_000, 3_600_000, 86_400_000 * 400];
const IDLE_MS = [120_000, 1_200_000, 4_000_000, 4_000_000, 12_000_000, 108_000_000];
/** An hour of grace, and some minutes to list and to decide. */
const READER_MS_MAX = 3_300_000;
/** Some runs end with hours in which everything works. */
const AGING_CHANCE = 0.4;
const AGING_MS = 2 * 3_600_000;
/** The last part of a run: a lost object is found by the hourly listing. */
const HEALING_MS_MAX = 3_900_000;
const HEALING_STEP_MS = 10_000;
const CLOSE_MS_MAX = 300_000;

export async function simulate(options: RunOptions): Promise<RunReport> {
  const folder = fs.mkdtempSync(path.join(scratchFolder(), 'sluice-simulation-'));
  const world = new World(options, folder);
  const { core, seed, actors } = options;
  const optional = new OptionalActors({ world, core, seed, folder, actors });
  options.onTime(world.time);
  let broken: RunReport['broken'];
  try {
    await world.begin();
    const run = new Run(world, optional);
    for (let step = 0; step < (options.steps ?? STEPS); step++) await run.step();
    await run.heal();
    await optional.finish();
  } catch (error) {
    broken = describe(error);
    world.note(`broken: ${broken?.why}`);
  } finally {
    optional.end();
    world.end();
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return {
    seed: options.seed,
    broken,
    trace: world.trace,
    restores: world.restorer.count,
    states: world.ledger.newest?.index ?? 0,
    kills: world.kills,
  };
}

function describe(error: unknown): RunReport['broken'] {
  if (error instanceof Broken) return { invariant: error.invariant, why: error.message };
  return { invariant: 'crash', why: error instanceof Error ? String(error.stack) : String(error) };
}

/** In memory where possible: only processes die, not the machine. */
export function scratchFolder(): string {
  return fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
}

class Run {
  readonly #world: World;
  readonly #optional: OptionalActors;
  #copy: Uint8Array | undefined;

  constructor(world: World, optional: OptionalActors) {
    this.#world = world;
    this.#optional = optional;
  }

  async step(): Promise<void> {
    const { random } = this.#world;
    const name = drawStep(random, this.#situation());
    const what = await this.#do(name);
    if (what !== undefined) this.#world.note(`${name}: ${what}`);
    await this.#world.pass(random.pick(PAUSES_MS));
    await this.#optional.step();
  }

  #situation(): Situation {
    const { application, replicator, disk } = this.#world;
    const open = application.isInTransaction ? 'in a transaction' : 'open';
    const up = replicator?.isClosing === true ? 'closing' : 'up';
    return {
      application: application.isOpen ? open : 'closed',
      replicator: replicator === undefined ? 'down' : up,
      disk: disk.condition === 'works' ? 'works' : 'fails',
    };
  }

  async #do(name: StepName): Promise<string | undefined> {
    const world = this.#world;
    const { application, random } = world;
    switch (name) {
      case 'application starts':
        return application.start();
      case 'small commit':
        return application.commit('small');
      case 'large commit':
        return application.commit('large');
      case 'burst of commits':
        return await world.burst(random.int(10, BURST_COMMITS_MAX));
      case 'rollback':
        return application.rollBack();
      case 'stay in a transaction':
        return application.stayInTransaction();
      case 'end the transaction':
        return application.end();
      case 'delete':
        return application.delete();
      case 'vacuum':
        return application.vacuum();
      case 'schema change':
        return application.changeSchema();
      case 'checkpoint':
        return application.checkpoint();
      case 'application ends':
        return random.chance(0.6) ? application.close() : application.kill();
      case 'keep copies':
        this.#copy = application.pages();
        for (const bucket of world.buckets) if (random.chance(0.5)) bucket.keepCopy();
        if (random.chance(0.5)) await world.disk.keepCopy();
        return 'of the database, and of some buckets and the staging folder';
      case 'replace the database':
        return this.#copy && application.replace(this.#copy, world.replicator ? 'up' : 'down');
      case 'delete files of SQLite':
        return this.#deleteFiles();
      case 'staging loses files':
        world.claims.txidsMayRepeat();
        return await world.disk.loseFiles();
      case 'replicator starts':
        return world.startReplicator();
      case 'replicator is killed':
        return await world.crash();
      case 'replicator closes':
        return await world.close();
      case 'sync':
        return world.sync();
      case 'snapshot':
        return world.replicator?.snapshot();
      case 'bucket changes':
        return this.#changeBucket();
      case 'bucket loses objects':
        return this.#damageBucket();
      case 'disk fails':
        world.disk.condition = random.pick(DISK_FAULTS);
        return world.disk.condition;
      case 'disk works':
        world.disk.condition = 'works';
        return 'again';
      case 'wall clock steps': {
        const byMs = random.pick(CLOCK_STEPS_MS);
        world.time.stepWallClock(byMs);
        return `by ${byMs} ms`;
      }
      case 'hours pass': {
        const ms = random.pick(IDLE_MS);
        await world.idle(ms);
        return `${ms / 60_000} minutes`;
      }
      case 'a reader lists':
        return await this.#listForLater();
      case 'verify':
        await world.verify();
        return 'every claim holds';
    }
  }

  /** A reader lists a bucket, and plans its newest state or another promised one. */
  async #listForLater(): Promise<string | undefined> {
    const { random, buckets, claims, promises, readers, time } = this.#world;
    const bucket = random.pick(buckets);
    const promised = promises.promised(bucket);
    if (!claims.counts(bucket) || promised.length === 0) return undefined;
    const state = random.chance(0.5) ? undefined : random.pick(promised);
    const target: RestoreTarget =
      state === undefined ? { kind: 'latest' } : { kind: 'txid', txid: toTXID(BigInt(state.txid)) };
    const waitMs = random.int(0, READER_MS_MAX);
    await readers.list(bucket, { target, hash: state?.hash, now: time.nowMs, waitMs });
    return `${bucket.name}, TXID ${state?.txid ?? 'latest'}, and reads in ${Math.round(waitMs / 60_000)} minutes`;
  }

  #changeBucket(): string {
    const { random, buckets } = this.#world;
    const bucket = random.pick(buckets);
    const isFine = bucket.condition === 'works' && random.chance(0.7);
    bucket.become(isFine ? random.pick(BUCKET_FAULTS) : 'works');
    return `${bucket.name} ${bucket.condition}`;
  }

  #damageBucket(): string {
    const { random, buckets } = this.#world;
    const bucket = random.pick(buckets);
    const how = random.pick(['emptied', 'rolled back'] as const);
    if (how === 'emptied') bucket.empty();
    else bucket.rollBack();
    return `${bucket.name} is ${how}`;
  }

  /** While no process has the database open. The WAL only if the database is whole without it. */
  #deleteFiles(): string | undefined {
    const { application, path: file, random, replicator } = this.#world;
    if (application.isOpen || replicator !== undefined) return undefined;
    const isWAL = random.chance(0.5) && isWhole(file);
    const suffixes = isWAL ? ['-shm', '-wal'] : ['-shm'];
    for (const suffix of suffixes) fs.rmSync(`${file}${suffix}`, { force: true });
    return `${suffixes.join(', ')}; ${application.start()}`;
  }

  /** Everything works from now on: within an hour, every destination must have everything. */
  async heal(): Promise<void> {
    const world = this.#world;
    const { application, disk, buckets, time } = world;
    world.note('everything works from now on');
    disk.condition = 'works';
    for (const bucket of buckets) bucket.become('works');
    const closing = world.replicator;
    if (closing?.isClosing === true) {
      await time.advance(CLOSE_MS_MAX, () => closing.isDead);
      if (!closing.isDead) throw new Broken('I4 continues', 'the replicator does not end');
      await world.bury();
    }
    if (!application.isOpen) world.note(`application starts: ${application.start()}`);
    if (application.isInTransaction) world.note(application.end());
    if (world.replicator === undefined) world.startReplicator();
    world.note(application.commit('small'));
    const lastCommitAt = time.nowMs;
    while (!this.#isComplete(lastCommitAt)) {
      if (time.nowMs - lastCommitAt > HEALING_MS_MAX) throw this.#notComplete();
      await world.pass(HEALING_STEP_MS);
    }
    for (const bucket of buckets) world.claims.complete(bucket, world.ledger.newest?.index ?? 0);
    for (const bucket of buckets) world.promises.verifyLevels(bucket);
    await world.verify();
    world.note('every destination is complete');
    const isDeleting = world.policy.retentionMs !== Infinity;
    if (isDeleting && world.random.chance(AGING_CHANCE)) await this.#age();
  }

  /** Everything works, and a commit is made now and then, until what the history had before is too old. */
  async #age(): Promise<void> {
    const world = this.#world;
    const { retentionMs, l0RetentionMs } = world.policy;
    const intervals = world.buckets.map((bucket) => world.promises.snapshotIntervalOf(bucket));
    const snapshotIntervalMs = Math.max(...intervals);
    const end = world.time.nowMs + Math.max(retentionMs + 2 * snapshotIntervalMs, l0RetentionMs);
    const commitEveryMs = Math.min(AGING_MS, Math.max(AGING_MS / 4, retentionMs / 4));
    world.note('everything becomes old');
    while (world.time.nowMs < end + AGING_MS) {
      world.note(world.application.commit('small'));
      await world.idle(commitEveryMs);
    }
    await world.idle(AGING_MS);
    for (const bucket of world.buckets) {
      world.promises.verifyAges(bucket, commitEveryMs);
      world.promises.verifyLevels(bucket);
    }
    await world.verify();
    world.note('what is too old is deleted');
  }

  /** Whether the status says that everything committed until `at` is everywhere. */
  #isComplete(at: number): boolean {
    const { buckets, claims, replicator, time } = this.#world;
    const status = replicator?.status();
    if (status === undefined || !status.healthy) return false;
    return (
      buckets.every((bucket) => claims.counts(bucket)) &&
      status.facts.destinations.every(
        ({ isCurrent, confirmedAgeMs }) => isCurrent && time.nowMs - confirmedAgeMs > at,
      )
    );
  }

  #notComplete(): Broken {
    const { state, error, destinations } = this.#world.replicator?.status() ?? {};
    const facts = JSON.stringify({ state, error, destinations });
    return new Broken('I4 continues', `not complete after an hour: ${facts}`);
  }
}

/** Whether the database file alone is a database. */
function isWhole(file: string): boolean {
  let database: Database.Database | undefined;
  try {
    database = new Database(fs.readFileSync(file));
    return database.pragma('quick_check', { simple: true }) === 'ok';
  } catch {
    return false;
  } finally {
    database?.close();
  }
}
