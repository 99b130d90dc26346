/**
 * The threads that watch databases, and a link to each watched database. There are as many threads as
 * databases, up to THREADS_MAX: one is started for a database that would share its thread, and ends
 * with the last database that it watches.
 */

import type { BeginOrder } from '../database/engine.ts';
import type { EngineEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { messageOf, ReplicationError } from '../error.ts';
import { Thread, threadScript } from '../threads/thread.ts';

/**
 * A thread costs some 15 MB. They may be more than there are cores: a checkpoint or a large transaction
 * of one database takes its thread for seconds, and another's reader must move on meanwhile.
 */
export const THREADS_MAX = 4;

/** One watched database, as the main thread sees it. */
export interface EngineLink {
  begin(order: BeginOrder): void;
  image(floor: bigint, why: string): void;
  snapshot(): void;
  /** Lets go of the database and opens it again, after a while. */
  reopen(why: unknown): void;
  /** Cuts what is committed; the TXID that holds it, or undefined where nothing is followed. */
  sync(): Promise<bigint | undefined>;
  close(): Promise<void>;
}

interface WatchThread {
  readonly thread: Thread<WatchService, WatchEvent>;
  readonly listeners: Map<number, (event: EngineEvent) => void>;
}

export class WatchPool {
  readonly #threads = new Set<WatchThread>();
  readonly #onCrash: (error: Error) => void;
  #lastDatabase = 0;
  #isClosed = false;

  /** `onCrash`: a thread died of a broken invariant. Whoever runs the pool must stop. */
  constructor(onCrash: (error: Error) => void) {
    this.#onCrash = onCrash;
  }

  /** How many threads run. */
  get size(): number {
    return this.#threads.size;
  }

  watch(order: WatchOrder, listen: (event: EngineEvent) => void): EngineLink {
    if (this.#isClosed) throw new ReplicationError('REPLICA_CLOSED', 'the pool is closed');
    const database = ++this.#lastDatabase;
    const watching = this.#leastLoaded();
    const { thread, listeners } = watching;
    listeners.set(database, listen);
    thread.tell('watch', { database, order });
    return {
      begin: (order) => thread.tell('begin', { database, order }),
      image: (floor, why) => thread.tell('image', { database, floor, why }),
      snapshot: () => thread.tell('snapshot', { database }),
      reopen: (why) => thread.tell('reopen', { database, message: messageOf(why) }),
      sync: () => thread.call('sync', { database }),
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
    if (least !== undefined && (isFree || this.#threads.size >= THREADS_MAX)) return least;
    return this.#start();
  }

  #start(): WatchThread {
    const listeners: WatchThread['listeners'] = new Map();
    const thread = new Thread<WatchService, WatchEvent>(
      threadScript(import.meta.url, 'watch-worker'),
      {
        onEvent: ({ database, event }) => listeners.get(database)?.(event),
        onEnd: this.#onCrash,
      },
    );
    const started = { thread, listeners };
    this.#threads.add(started);
    return started;
  }
}

// --- messages between the main thread and a thread that watches databases ---

export interface WatchOrder {
  readonly options: DatabaseOptions;
  /** Staged files up to this TXID are at every destination. */
  readonly sentEverywhere: bigint;
  /** Of its gauges (database/gauges.ts). */
  readonly memory: SharedArrayBuffer;
}

/** `database`: the number that the pool gave it. */
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
  readonly close: Call<object>;
}

export interface WatchEvent extends OfDatabase {
  readonly event: EngineEvent;
}
