/** One of two hosts that replicate to the same destinations, each with a database and a staging folder of its own. */

import type { DatabaseOptions } from '../../../packages/core/src/database/options.ts';
import type { TimerClock } from '../../../packages/core/src/store/timers.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import type { Disk } from '../ports/disk.ts';
import { throughNetwork } from '../ports/network.ts';
import type { SimulatedProcess } from '../ports/process.ts';
import type { VirtualTime } from '../ports/virtual-time.ts';
import type { Policy } from '../promises.ts';
import type { Terms } from '../terms.ts';
import type { Application } from './application.ts';
import type { Ledger } from './ledger.ts';
import { Replicator, type LogLevel } from './replicator.ts';

export interface WriterInput {
  readonly name: string;
  readonly core: Core;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly disk: Disk;
  readonly application: Application;
  readonly ledger: Ledger;
  readonly buckets: readonly Bucket[];
  readonly policy: Policy;
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly ttlMs: number;
  readonly network: SimulatedProcess;
  readonly terms: Terms;
  readonly onLog: (level: LogLevel, message: string) => void;
  readonly onCrash: (error: unknown) => void;
}

/** Calls until it is killed. */
const CRASH_CALLS_MAX = 60;
const CRASH_MS_MAX = 30_000;
const CLOSE_MS_MAX = 300_000;

export class Writer {
  readonly name: string;
  readonly application: Application;
  readonly ledger: Ledger;
  readonly clock: HostClock;
  readonly #input: WriterInput;
  #replicator: Replicator | undefined;

  constructor(input: WriterInput) {
    this.#input = input;
    this.name = input.name;
    this.application = input.application;
    this.ledger = input.ledger;
    this.clock = new HostClock(input.time);
  }

  /** The replicator that runs, stopped or not. */
  get replicator(): Replicator | undefined {
    if (this.#replicator?.isDead === true) this.#bury(this.#replicator);
    return this.#replicator;
  }

  /** Whether its replicator runs and answers. */
  get isAwake(): boolean {
    const { replicator } = this;
    if (replicator === undefined || replicator.isClosing) return false;
    return replicator.process.heldUntilMs <= this.#input.time.nowMs;
  }

  start(foreign: 'refuse' | 'take over'): string {
    const { core, time, random, disk, buckets, policy, options, ttlMs, network, terms } =
      this.#input;
    const { onLog, onCrash } = this.#input;
    const wrap = (name: string, process: SimulatedProcess) => {
      const bucket = buckets.find((each) => each.name === name);
      if (bucket === undefined) throw new Error(`no bucket has the name ${name}`);
      return throughNetwork({
        ...{ bucket, random, process, network },
        onBegin: (key, bytes) => terms.begins(bucket, key, bytes, process),
      });
    };
    this.#replicator = new Replicator({
      ...{ core, time, random, disk, buckets, policy, options, onLog, onCrash },
      wrappers: { client: ({ name }, process) => wrap(name, process) },
      host: { name: this.name, clock: this.clock, lease: { ttlMs }, foreign },
    });
    terms.started(this.#replicator.process, this.name, foreign);
    this.#replicator.start();
    return `starts${foreign === 'take over' ? ', and takes over' : ''}`;
  }

  /** Kills it at one of its next calls, or at once. */
  async kill(how: 'at a call' | 'now'): Promise<string> {
    const { time, random } = this.#input;
    const { replicator } = this;
    if (replicator === undefined) return 'is down';
    if (how === 'at a call') {
      replicator.process.killAfter(random.int(1, CRASH_CALLS_MAX));
      await time.advance(CRASH_MS_MAX, () => replicator.isDead);
    }
    await time.advance(0); // file operations that have begun end first
    replicator.process.kill();
    this.#bury(replicator);
    return `is killed at ${replicator.process.killedAt}`;
  }

  /** A clean end. */
  async close(): Promise<string> {
    const { replicator } = this;
    replicator?.close(() => undefined);
    await this.#input.time.advance(CLOSE_MS_MAX, () => replicator?.isDead ?? true);
    return replicator?.isDead === false ? 'does not end' : 'has closed';
  }

  /** It does nothing for this long. */
  hold(ms: number, how: 'stopped' | 'suspended'): string {
    const { replicator } = this;
    if (replicator === undefined) return 'is down';
    this.#input.time.hold(replicator.process, ms, how);
    if (how === 'suspended') this.clock.standStill(ms);
    return `is ${how} for ${ms} ms`;
  }

  #bury(replicator: Replicator): void {
    replicator.process.kill();
    this.#replicator = undefined;
  }
}

/** The clocks of a host. The monotonic one stands still while its machine is suspended. */
class HostClock implements TimerClock {
  readonly #time: VirtualTime;
  #stoodStillMs = 0;
  #steppedMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  now(): number {
    return this.#time.clock.now() + this.#steppedMs;
  }

  monotonic(): number {
    return this.#time.clock.monotonic() - this.#stoodStillMs;
  }

  after(ms: number, callback: () => void): () => void {
    return this.#time.clock.after(ms, callback);
  }

  standStill(ms: number): void {
    this.#stoodStillMs += ms;
  }

  stepWallClock(byMs: number): void {
    this.#steppedMs += byMs;
  }
}
