/**
 * The replicator: `Replication` and the engine of core, in one thread. Messages between them take some
 * milliseconds, as between two threads.
 */

import type { Engine } from '../../../packages/core/src/database/engine.ts';
import type { DatabaseOptions } from '../../../packages/core/src/database/options.ts';
import type { Random as CoreRandom } from '../../../packages/core/src/random.ts';
import type { Replication } from '../../../packages/core/src/replicate/replication.ts';
import type { DatabaseStatus } from '../../../packages/core/src/replicate/status/status.ts';
import type { EngineLink, WatchOrder } from '../../../packages/core/src/replicate/watch-pool.ts';
import type { EngineEvent } from '../../../packages/core/src/database/events.ts';
import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import type { TimerClock } from '../../../packages/core/src/store/timers.ts';
import type { FileSystem } from '../../../packages/core/src/file-system.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { RECIPIENT } from '../ports/age-file.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import { filesOf, type Disk } from '../ports/disk.ts';
import type { Policy } from '../promises.ts';
import { SimulatedProcess } from '../ports/process.ts';
import type { VirtualTime } from '../ports/virtual-time.ts';

/** The replica in each bucket. */
export const ROOT = 'app';
const ALIVE_INTERVAL_MS = 500;
const MESSAGE_MS_MAX = 3;

/** Wrappers around the ports, in which a test plants errors. */
export interface Wrappers {
  readonly client?: (client: ReplicaClient, process: SimulatedProcess) => ReplicaClient;
  readonly files?: (files: FileSystem) => FileSystem;
  /** Filters the events of the engine. */
  readonly passes?: (event: EngineEvent) => boolean;
}

/** The machine of a replicator that shares its destinations with others. */
export interface Host {
  readonly name: string;
  readonly clock: TimerClock;
  readonly lease: { readonly ttlMs: number };
  readonly foreign: 'refuse' | 'take over';
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface ReplicatorInput {
  readonly core: Core;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly disk: Disk;
  readonly buckets: readonly Bucket[];
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly policy: Policy;
  readonly wrappers: Wrappers;
  /** Default: the only one. */
  readonly host?: Host | undefined;
  readonly onLog: (level: LogLevel, message: string) => void;
  readonly onCrash: (error: unknown) => void;
}

export class Replicator {
  readonly process: SimulatedProcess;
  /** Whether the wall clock was set back before it started: it cannot know how old staged files are. */
  readonly doubtsAges: boolean;
  /** TXIDs of the files that were staged before the database was opened last. */
  foundTXIDs: ReadonlySet<bigint> = new Set();
  readonly #input: ReplicatorInput;
  readonly #replication: Replication;
  /** Why it could not start. */
  refusal: Error | undefined;
  #isClosing = false;
  #hasClosed = false;

  constructor(input: ReplicatorInput) {
    this.#input = input;
    this.doubtsAges = input.time.wasSetBack;
    this.process = new SimulatedProcess('replicator', input.time, input.random);
    this.#replication = this.process.run(() => this.#create());
  }

  get isDead(): boolean {
    return this.process.isDead;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Whether it has ended by itself. */
  get hasClosed(): boolean {
    return this.#hasClosed;
  }

  start(): void {
    void this.process.run(async () => {
      try {
        await this.#replication.start();
      } catch (error) {
        this.refusal = error instanceof Error ? error : new Error(String(error));
      }
    });
  }

  status(): DatabaseStatus {
    return this.process.run(() => this.#replication.status());
  }

  /** Calls `onDone` with the TXID that everything committed until now has, if it is known. */
  sync(onDone: (txid: bigint | undefined) => void): void {
    void this.process.run(async () => {
      onDone(await this.#replication.sync().catch(() => undefined));
    });
  }

  snapshot(): string {
    return this.process.run(() => this.#replication.snapshot());
  }

  /** A clean end: a last sync, then a close. The process is dead afterwards. */
  close(onDone: (complete: readonly string[]) => void): void {
    this.#isClosing = true;
    void this.process.run(async () => {
      const report = await this.#replication.drain({
        shutdownSyncTimeoutMs: 5_000,
        shutdownSyncIntervalMs: 500,
      });
      await this.#replication.close();
      const complete = report.destinations.filter((each) => each.complete === 'complete');
      onDone(report.healthy ? complete.map(({ name }) => name) : []);
      this.#hasClosed = true;
      this.process.kill();
    });
  }

  get #clock(): TimerClock {
    return this.#input.host?.clock ?? this.#input.time.clock;
  }

  #create(): Replication {
    const { core, random, disk, buckets, options, wrappers, host, onLog, onCrash } = this.#input;
    const files = filesOf(disk, this.process);
    const log = (level: LogLevel) => (message: string) => {
      if (!this.isDead) onLog(level, message);
    };
    const ports = {
      clock: this.#clock,
      random: toCoreRandom(random),
      files: wrappers.files?.(files) ?? files,
    };
    const kernel = core.createKernel();
    const [debug, info, warn, error] = [log('debug'), log('info'), log('warn'), log('error')];
    const logger = { debug, info, warn, error };
    return new core.Replication({
      options: core.completeOptions(options),
      targets: buckets.map((bucket) => this.#toTarget(bucket)),
      watch: (order, listen) => this.#watch(order, listen, ports),
      merge: (order) => core.mergeFiles(order, { files: ports.files, kernel }),
      ownership: core.ownershipsOf({
        ...{ ...ports, logger, foreign: host?.foreign ?? 'refuse' },
        options: core.completeOptions(options),
        machine: { host: host?.name ?? 'app-1', machine: undefined },
      }),
      logger,
      ...ports,
      onLost: (error) => {
        if (!this.isDead) onCrash(error);
      },
      onProgress: () => undefined,
    });
  }

  #toTarget(bucket: Bucket) {
    const { core, random, wrappers, policy, host } = this.#input;
    const { retentionMs, l0RetentionMs, levels } = policy;
    const bare = bucket.clientFor(this.process);
    const client = wrappers.client?.(bare, this.process) ?? bare;
    const destination = new core.Destination(client, {
      clock: this.#clock,
      random: () => random.next(),
      encryption: bucket.isEncrypted ? new core.Encryption({ recipients: [RECIPIENT] }) : undefined,
    });
    const replica = {
      client: destination.replica(ROOT),
      unsettled: destination.unsettled(ROOT),
      capabilities: destination.capabilities,
      fencing: destination.fencing,
    };
    return {
      name: bucket.name,
      type: 'memory',
      target: `memory://${bucket.name}`,
      open: async () => replica,
      lease: host?.lease,
      retention: { retentionMs, l0RetentionMs, topLevel: levels.length },
      snapshotIntervalMs: bucket.snapshotIntervalMs,
    };
  }

  /** Does what `WatchPool` and the worker do, in this thread. */
  #watch(
    { options, sentEverywhere, memory }: WatchOrder,
    listen: (event: EngineEvent) => void,
    ports: { clock: TimerClock; random: CoreRandom; files: FileSystem },
  ): EngineLink {
    const { core, wrappers } = this.#input;
    const gauges = new core.Gauges(memory);
    const toMain = this.#channel();
    const toWorker = this.#channel();
    const engine: Engine = new core.Engine({
      options,
      sentEverywhere,
      kernel: core.createKernel(),
      emit: (event) => {
        const copy = structuredClone(event);
        if (copy.kind === 'opened' && copy.after === 'start') {
          this.foundTXIDs = new Set(copy.staged.map(({ file }) => file.maxTXID));
        }
        if (wrappers.passes?.(copy) !== false) toMain(() => listen(copy));
      },
      ...ports,
      gauges,
      tailBytesMax: options.tailBytesMax,
    });
    const alive = (): void => gauges.set('aliveAt', this.#clock.monotonic());
    const timer = setInterval(alive, ALIVE_INTERVAL_MS);
    toWorker(() => engine.start());
    const call = async <T>(work: () => Promise<T>): Promise<T> =>
      await new Promise<T>((resolve, reject) => {
        const answer = (settle: () => void): void => toMain(settle);
        toWorker(() => {
          work().then(
            (value) => answer(() => resolve(value)),
            (error: Error) => answer(() => reject(error)),
          );
        });
      });
    const { ReplicationError } = core;
    return {
      begin: (order) => toWorker(() => engine.begin(order)),
      image: (floor, why) => toWorker(() => engine.image({ floor, why })),
      snapshot: () => toWorker(() => engine.snapshot()),
      reopen: (why) =>
        toWorker(() => engine.reopen(new ReplicationError('STAGING_FAILED', String(why)))),
      sync: () => call(() => engine.sync()),
      expectSync: () => toWorker(() => engine.expectSync()),
      async close() {
        await call(() => engine.close());
        clearInterval(timer);
      },
    };
  }

  /** Delivers messages in order, each after a short time. */
  #channel(): (message: () => void) => void {
    const { time, random } = this.#input;
    let last = 0;
    return (message) => {
      last = Math.max(last, time.nowMs + random.next() * MESSAGE_MS_MAX);
      time.start(this.process, last - time.nowMs, message);
    };
  }
}

export function toCoreRandom(random: Random): CoreRandom {
  const half = (): bigint => BigInt(random.int(0, 2 ** 32 - 1));
  return { fraction: () => random.next(), bits64: () => (half() << 32n) | half() };
}
