/**
 * Two writers: after a run, a second host begins to replicate an older copy of the database to the same
 * destinations. Both use a lease. Each is killed, closed, stopped for longer than its lease, or suspended; their wall
 * clocks step, and the destinations fail. `terms.ts` checks each request.
 *
 * Each destination must always restore to a state of one of the two, and to the newest one that its owner has
 * confirmed. When a writer ends and everything works, the other one follows in time.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Random } from '../../packages/core/test/support/random.ts';
import { defaultMetaPath } from '../../packages/core/src/replicate/replicate.ts';
import { Application } from './actors/application.ts';
import { Ledger } from './actors/ledger.ts';
import { Writer, type WriterInput } from './actors/writer.ts';
import { Broken } from './claims.ts';
import type { BucketCondition } from './ports/bucket.ts';
import type { Core } from './ports/core.ts';
import { OneHistory } from './one-history.ts';
import { Disk } from './ports/disk.ts';
import { SimulatedProcess } from './ports/process.ts';
import { Terms } from './terms.ts';
import { OWN_FAULT, type World } from './world.ts';
import { WritersWatch } from './writers-watch.ts';

const TTLS_MS = [3_000, 10_000, 30_000];
const STEPS = 28;
const PAUSES_MS = [0, 50, 300, 1_500, 4_000];
const FAULTS: readonly BucketCondition[] = ['slow', 'flaky', 'down', 'hangs'];
const WALL_STEPS_MS = [-3_600_000, -5_000, 5_000, 3_600_000];
const BACK_MS = -3_600_000;
const COPY_CHANCE = 0.1;
const TAKE_OVER_CHANCE = 0.08;
const CLOSE_MS_MAX = 300_000;
/** Until two writers know each other: lists, retries and pauses after failures. */
const READY_MS_MAX = 600_000;
/** A release is followed within two seconds. Then the destination is listed and written to. */
const RELEASED_MS_MAX = 2_500;
/** A lease that has ended is seen with the next read of the owner. */
const ENDED_MS_MAX = 2_500;
const COMPLETE_MS_MAX = 3_900_000;

type StepName =
  | 'commit'
  | 'start'
  | 'kill'
  | 'close'
  | 'hold'
  | 'restart'
  | 'wall clock steps'
  | 'bucket changes'
  | 'snapshot'
  | 'fail over'
  | 'overlap'
  | 'verify';

const WEIGHTS: Readonly<Record<StepName, number>> = {
  commit: 20,
  start: 10,
  kill: 4,
  close: 4,
  hold: 9,
  restart: 3,
  'wall clock steps': 2,
  'bucket changes': 5,
  snapshot: 2,
  'fail over': 3,
  overlap: 3,
  verify: 4,
};

export interface WritersInput {
  readonly world: World;
  readonly core: Core;
  readonly random: Random;
  readonly folder: string;
  readonly onLine: (level: string, message: string) => void;
}

export class Writers {
  readonly #input: WritersInput;
  readonly #terms: Terms;
  readonly #ttlMs: number;
  readonly #network: SimulatedProcess;
  readonly #how: 'stopped' | 'suspended';
  #copy: Uint8Array | undefined;
  readonly #watch: WritersWatch;
  #history: OneHistory | undefined;

  constructor(input: WritersInput) {
    const { world, random } = input;
    this.#input = input;
    this.#terms = new Terms(world.time, (error) => world.errors.push(error));
    this.#watch = new WritersWatch(world, this.#terms);
    this.#ttlMs = random.pick(TTLS_MS);
    this.#network = new SimulatedProcess('network', world.time, random);
    // A clock that is set back while the machine is suspended hides how long that was.
    this.#how = random.pick(['stopped', 'suspended']);
  }

  /** Between two steps of the run: keeps a copy of the database for the second host. */
  keepCopy(): void {
    const { world, random } = this.#input;
    if (world.application.isOpen && random.chance(COPY_CHANCE)) {
      this.#copy = Uint8Array.from(world.application.pages());
    }
  }

  async run(): Promise<void> {
    const { world, random } = this.#input;
    world.note(`two writers with a lease of ${this.#ttlMs} ms; they may be ${this.#how}`);
    await this.#begin();
    for (let step = 0; step < STEPS; step++) {
      const writer = random.pick(this.#watch.writers);
      await this.#step(writer, this.#draw());
      await this.#watch.pass(random.pick([...PAUSES_MS, this.#ttlMs / 3, this.#ttlMs]));
    }
    await this.#finish(random.pick(this.#watch.writers));
  }

  end(): void {
    for (const { replicator, application } of this.#watch.writers) {
      replicator?.process.kill();
      if (application.isOpen) application.kill();
    }
  }

  /** The first host goes on with the database, the staging folder and the destinations of the run. */
  async #begin(): Promise<void> {
    const { world, core, random, folder } = this.#input;
    const { time, buckets } = world;
    await world.close();
    await time.advance(CLOSE_MS_MAX, () => world.replicator?.isDead ?? true);
    await world.bury();
    for (const bucket of buckets) {
      bucket.onDeleted = () => undefined;
      bucket.onStored = (key, bytes) => this.#terms.arrived(bucket, key, bytes);
      const owner = bucket.store.objects.get('app/sluice-owner.json');
      if (owner !== undefined) this.#terms.arrived(bucket, 'app/sluice-owner.json', owner.bytes);
    }
    world.disk.onNamed = () => undefined;
    const file = path.join(folder, 'other', 'app.db');
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, this.#copy ?? world.application.pages());
    const disk = new Disk(random, defaultMetaPath(file));
    await disk.prepare();
    const ledger = new Ledger();
    const other = new Application(file, { time, random, ledger });
    world.note(`the other database: ${other.start()}`);
    const shared = {
      ...{ core, time, random, buckets },
      ...{ policy: world.policy, ttlMs: this.#ttlMs, network: this.#network, terms: this.#terms },
      onCrash: (error: unknown) => {
        world.errors.push(error instanceof Error ? error : new Error(String(error)));
      },
    };
    const { application } = world;
    this.#watch.writers = [
      this.#writer(
        'one',
        { ...shared, disk: world.disk, application, ledger: world.ledger },
        world.path,
      ),
      this.#writer('two', { ...shared, disk, application: other, ledger }, file),
    ];
    this.#history = new OneHistory({
      world,
      core,
      folder,
      writers: this.#watch.writers,
      terms: this.#terms,
    });
    const [first, second] = this.#watch.writers;
    world.note(`one ${first?.start('refuse')}`);
    await this.#watch.until('the first writer owns every bucket', READY_MS_MAX, () =>
      this.#watch.ownsAll(first),
    );
    world.note(`two ${second?.start('refuse')}`);
  }

  #writer(
    name: string,
    input: Omit<WriterInput, 'name' | 'options' | 'onLog'>,
    file: string,
  ): Writer {
    const { world, onLine } = this.#input;
    const options = world.optionsFor(file);
    const onLog: WriterInput['onLog'] = (level, message) => {
      if (OWN_FAULT.test(message)) world.errors.push(new Broken('no fault of its own', message));
      onLine(level, `${name}: ${message}`);
    };
    return new Writer({ ...input, name, options, onLog });
  }

  #draw(): StepName {
    const entries = Object.entries(WEIGHTS) as [StepName, number][];
    let left = this.#input.random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'verify';
  }

  async #step(writer: Writer, name: StepName): Promise<void> {
    const what = await this.#do(writer, name);
    if (what !== undefined) this.#input.world.note(`${writer.name} ${what}`);
  }

  async #do(writer: Writer, name: StepName): Promise<string | undefined> {
    const { random, world } = this.#input;
    const isAwake = writer.replicator === undefined || writer.isAwake;
    switch (name) {
      case 'commit':
        return isAwake || this.#how === 'stopped' ? writer.application.commit('small') : undefined;
      case 'start':
        if (writer.replicator !== undefined) return undefined;
        return writer.start(random.chance(TAKE_OVER_CHANCE) ? 'take over' : 'refuse');
      case 'kill':
        return await writer.kill(random.chance(0.5) && isAwake ? 'at a call' : 'now');
      case 'close':
        return writer.isAwake ? await this.#close(writer) : undefined;
      case 'restart':
        if (!writer.isAwake) return undefined;
        await this.#close(writer);
        return writer.start('refuse');
      case 'hold':
        return writer.isAwake ? await this.#hold(writer) : undefined;
      case 'wall clock steps': {
        const byMs = random.pick(WALL_STEPS_MS);
        if (this.#how === 'suspended' && byMs < 0) return undefined;
        writer.clock.stepWallClock(byMs);
        return `has its clock stepped by ${byMs} ms`;
      }
      case 'bucket changes': {
        const bucket = random.pick(world.buckets);
        bucket.become(bucket.condition === 'works' ? random.pick(FAULTS) : 'works');
        world.note(`${bucket.name} ${bucket.condition}`);
        return undefined;
      }
      case 'snapshot':
        return writer.isAwake ? writer.replicator?.snapshot() : undefined;
      case 'fail over':
        await this.#failOver();
        return undefined;
      case 'overlap':
        await this.#overlap();
        return undefined;
      case 'verify':
        await this.#history?.verify();
        return undefined;
    }
  }

  /** It is stopped while it has something to send. */
  async #hold(writer: Writer): Promise<string> {
    const { random, world } = this.#input;
    const ttlMs = this.#ttlMs;
    const ms = random.int(1, 2 * random.pick([ttlMs / 4, ttlMs, 2 * ttlMs]));
    world.note(`${writer.name} ${writer.application.commit('small')}`);
    await this.#watch.pass(random.int(0, 400));
    if (this.#how === 'stopped' && random.chance(0.5)) writer.clock.stepWallClock(BACK_MS);
    const what = writer.hold(ms, this.#how);
    if (!random.chance(0.7)) return what;
    world.note(`${writer.name} ${what}`);
    await this.#watch.pass(ms + ttlMs / 3);
    return 'goes on';
  }

  async #close(writer: Writer): Promise<string> {
    const what = await writer.close();
    if (writer.replicator !== undefined) throw new Broken('I4 continues', `${writer.name} ${what}`);
    return what;
  }

  /** Everything works, and one of the two owns every bucket. The other one is down. */
  async #withOwner(): Promise<readonly [Writer, Writer]> {
    const { random, world } = this.#input;
    for (const bucket of world.buckets) bucket.become('works');
    const order = random.chance(0.5) ? this.#watch.writers : [...this.#watch.writers].toReversed();
    const [first, second] = order as [Writer, Writer];
    await second.kill('now');
    await first.kill('now');
    world.note(`${first.name} ${first.start('refuse')}`);
    const ownsAll = (): boolean => this.#watch.ownsAll(first);
    await this.#watch.until(`${first.name} owns every bucket`, READY_MS_MAX, ownsAll);
    return [first, second];
  }

  /** One begins while the other one still writes, and then ends: an overlapping deployment. */
  async #overlap(): Promise<void> {
    const { random, world } = this.#input;
    const [first, second] = await this.#withOwner();
    world.note(`${first.name} ${first.application.commit('small')}`);
    await this.#watch.pass(random.int(0, 10_000));
    world.note(`${second.name} ${second.start('refuse')}`);
    for (let count = random.int(1, 4); count > 0; count--) {
      world.note(`${first.name} ${first.application.commit('small')}`);
      await this.#watch.pass(random.int(0, 60));
    }
    world.note(`${first.name} ${await this.#close(first)}`);
    for (let count = 0; count < 12; count++) {
      await this.#history?.verify();
      await this.#watch.pass(random.int(0, 400));
    }
  }

  /** The owner of every bucket ends while the other one waits, and everything works. */
  async #failOver(): Promise<void> {
    const { random, world } = this.#input;
    const [first, second] = await this.#withOwner();
    const all = (writer: Writer) => (): boolean => this.#watch.ownsAll(writer);
    world.note(`${second.name} ${second.start('refuse')}`);
    await this.#watch.until(`${second.name} waits`, READY_MS_MAX, () => this.#watch.waits(second));
    for (const { clock } of this.#watch.writers) {
      if (random.chance(0.3)) clock.stepWallClock(-BACK_MS);
      await this.#watch.pass(random.int(0, this.#ttlMs));
    }
    if (random.chance(0.5)) {
      world.note(`${first.name} ${await first.kill('now')}`);
      const limitMs = this.#ttlMs + ENDED_MS_MAX;
      await this.#watch.until(`${second.name} follows a dead writer`, limitMs, all(second));
    } else {
      world.note(`${first.name} ${await this.#close(first)}`);
      await this.#watch.until(`${second.name} follows a clean end`, RELEASED_MS_MAX, all(second));
    }
    world.note(`${second.name} owns every bucket`);
  }

  /** One writer is left, and everything works. */
  async #finish(last: Writer): Promise<void> {
    const { world } = this.#input;
    for (const bucket of world.buckets) bucket.become('works');
    for (const writer of this.#watch.writers) await writer.kill('now');
    world.note(`${last.name}, the last writer, ${last.start('refuse')}`);
    world.note(last.application.commit('small'));
    const index = last.ledger.newest?.index ?? 0;
    const committedAt = world.time.nowMs;
    const isComplete = (): boolean => {
      const status = last.replicator?.status();
      return (
        this.#watch.ownsAll(last) &&
        status?.healthy === true &&
        status.facts.destinations.every(
          ({ isCurrent, confirmedAgeMs }) =>
            isCurrent && world.time.nowMs - confirmedAgeMs > committedAt,
        )
      );
    };
    await this.#watch.until(`${last.name} is complete`, COMPLETE_MS_MAX, isComplete);
    await this.#history?.verifyAll({ writer: last, index });
    const takenOver = this.#terms.count;
    world.note(
      `every bucket restores to the state ${index} of ${last.name}, after ${takenOver} take-overs`,
    );
  }
}
