/**
 * Threads that watch databases, and a link to each watched database. There is one thread per database,
 * up to a maximum; more databases share threads. A thread ends with its last database.
 */

import { availableParallelism } from 'node:os';
import { systemClock } from '../clock.ts';
import type { BeginOrder } from '../database/engine.ts';
import type { EngineEvent } from '../database/events.ts';
import { Gauges } from '../database/gauges.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { messageOf, ReplicationError } from '../error.ts';
import { Thread, threadScript } from '../threads/thread.ts';

/**
 * A thread costs about 18 MB. There may be more threads than cores: a checkpoint or a large transaction
 * blocks its thread for seconds, and the readers of other databases must continue meanwhile.
 */
export const THREADS_MAX = 4;
/** From this number of databases on, which share threads in any case, there is one for each core, but more than one. */
const MANY_DATABASES = 64;
const THREADS_MIN = 2;

/** For this many databases. */
export function threadsFor(databases: number, cores: number = availableParallelism()): number {
  if (databases < MANY_DATABASES) return THREADS_MAX;
  return Math.min(THREADS_MAX, Math.max(THREADS_MIN, cores));
}

/** One watched database, as the main thread sees it. */
export interface EngineLink {
  /** Those of its thread, which have `aliveAt`. undefined: its own gauges have it. */
  readonly thread?: Gauges | undefined;
  begin(order: BeginOrder): void;
  image(floor: bigint, why: string): void;
  snapshot(): void;
  /** Closes the database and opens it again after a pause. */
  reopen(why: unknown): void;
  /** Cuts everything committed. Returns its TXID, or undefined if the database is not followed. */
  sync(): Promise<bigint | undefined>;
  /** A sync will follow soon (Engine.expectSync). */
  expectSync(): void;
  close(): Promise<void>;
}

interface WatchThread {
  readonly thread: Thread<WatchService, WatchEvent>;
  readonly gauges: Gauges;
  readonly listeners: Map<number, (event: EngineEvent) => void>;
}

export class WatchPool {
  readonly #threads = new Set<WatchThread>();
  readonly #onCrash: (error: Error) => void;
  readonly #threadsMax: number;
  #lastDatabase = 0;
  #isClosed = false;

  /** `onCrash`: a thread crashed on a broken invariant. The owner of the pool must stop. */
  constructor(onCrash: (error: Error) => void, threadsMax: number = THREADS_MAX) {
    this.#onCrash = onCrash;
    this.#threadsMax = threadsMax;
  }

  /** Number of running threads. */
  get size(): number {
    return this.#threads.size;
  }

  watch(order: WatchOrder, listen: (event: EngineEvent) => void): EngineLink {
    if (this.#isClosed) throw new ReplicationError('REPLICA_CLOSED', 'the pool is closed');
    const database = ++this.#lastDatabase;
    const watching = this.#leastLoaded();
    const { thread, gauges, listeners } = watching;
    listeners.set(database, listen);
    thread.notify('watch', { database, order });
    return {
      thread: gauges,
      begin: (order) => thread.notify('begin', { database, order }),
      image: (floor, why) => thread.notify('image', { database, floor, why }),
      snapshot: () => thread.notify('snapshot', { database }),
      reopen: (why) => thread.notify('reopen', { database, message: messageOf(why) }),
      sync: () => thread.call('sync', { database }),
      expectSync: () => thread.notify('expectSync', { database }),
      close: async () => {
        await thread.call('close', { database });
        listeners.delete(database);
        if (listeners.size > 0) return;
        this.#threads.delete(watching);
        await thread.close();
      },
    };
  }

  async close(): Promise<'closed'> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map(({ thread }) => thread.close()));
    return 'closed';
  }

  #leastLoaded(): WatchThread {
    const [first, ...others] = this.#threads;
    const least = others.reduce(
      (a, b) => (a !== undefined && a.listeners.size <= b.listeners.size ? a : b),
      first,
    );
    const isFree = least !== undefined && least.listeners.size === 0;
    if (least !== undefined && (isFree || this.#threads.size >= this.#threadsMax)) return least;
    return this.#start();
  }

  #start(): WatchThread {
    const listeners: WatchThread['listeners'] = new Map();
    const gauges = Gauges.create(systemClock.monotonic());
    const data: WatchThreadData = { memory: gauges.memory };
    const thread = new Thread<WatchService, WatchEvent>(
      threadScript(import.meta.url, 'watch-worker'),
      {
        data,
        onEvent: ({ database, event }) => listeners.get(database)?.(event),
        onEnd: this.#onCrash,
      },
    );
    const started = { thread, gauges, listeners };
    this.#threads.add(started);
    return started;
  }
}

// --- messages between the main thread and a thread that watches databases ---

/** The workerData of such a thread. */
export interface WatchThreadData {
  /** Shared memory of the gauges of the thread. */
  readonly memory: SharedArrayBuffer;
}

export interface WatchOrder {
  readonly options: DatabaseOptions;
  /** Every destination has the staged files up to this TXID. */
  readonly sentEverywhere: bigint;
  /** Shared memory of its gauges (database/gauges.ts). */
  readonly memory: SharedArrayBuffer;
}

/** `database`: its number, assigned by the pool. */
interface OfDatabase {
  readonly database: number;
}

interface Call<Request, Answer = void> {
  readonly request: OfDatabase & Request;
  readonly answer: Answer;
}

export interface WatchService {
  readonly watch: Call<{ readonly order: WatchOrder }>;
  readonly begin: Call<{ readonly order: BeginOrder }>;
  readonly image: Call<{ readonly floor: bigint; readonly why: string }>;
  readonly snapshot: Call<object>;
  readonly reopen: Call<{ readonly message: string }>;
  readonly sync: Call<object, bigint | undefined>;
  readonly expectSync: Call<object>;
  readonly close: Call<object>;
}

export interface WatchEvent extends OfDatabase {
  readonly event: EngineEvent;
}
