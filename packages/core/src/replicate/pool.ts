/** The worker threads that watch databases, and a link to each watched database. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { messageOf, ReplicationError } from '../error.ts';
import type { BeginOrder } from '../database/engine.ts';
import type { EngineEvent, FollowStats } from '../database/events.ts';
import type { WatchOrder, WorkerOrder, WorkerReply, WorkerResult } from './messages.ts';

/**
 * A thread costs some 15 MB. They may be more than there are cores: a checkpoint or a large transaction
 * of one database takes its thread for seconds, and another's reader must move on meanwhile.
 */
const WORKERS_MAX = 4;

/** One watched database, as the main thread sees it. */
export interface EngineLink {
  begin(order: BeginOrder): void;
  image(floor: bigint, why: string): void;
  snapshot(): void;
  /** Lets go of the database and opens it again, after a while. */
  reopen(why: unknown): void;
  /** Cuts what is committed; the TXID that holds it, or undefined where nothing is followed. */
  sync(): Promise<bigint | undefined>;
  stats(): Promise<FollowStats | undefined>;
  close(): Promise<void>;
}

interface Call {
  readonly resolve: (result: WorkerResult) => void;
  readonly reject: (error: Error) => void;
}

type SendOrder = (order: WorkerOrder) => void;

export class WorkerPool {
  readonly #workers: Worker[];
  readonly #listeners = new Map<number, (event: EngineEvent) => void>();
  readonly #calls = new Map<number, Call>();
  #nextDatabase = 0;
  #nextCall = 0;
  #closing = false;

  /** `onCrash`: a worker died of a broken invariant. Whoever runs the pool must stop. */
  constructor(databases: number, onCrash: (error: Error) => void) {
    const count = Math.max(1, Math.min(databases, WORKERS_MAX));
    const file = new URL(`./worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
    this.#workers = Array.from({ length: count }, () => {
      const worker = new Worker(file);
      worker.on('message', (reply: WorkerReply) => this.#receive(reply));
      worker.on('error', (error) => this.#crash(error as Error, onCrash));
      worker.on('exit', (code) => {
        if (!this.#closing) this.#crash(new Error(`a worker exited with code ${code}`), onCrash);
      });
      return worker;
    });
  }

  watch(order: WatchOrder, listen: (event: EngineEvent) => void): EngineLink {
    const database = this.#nextDatabase++;
    const worker = this.#workers[database % this.#workers.length];
    if (worker === undefined) throw new ReplicationError('REPLICA_CLOSED', 'the pool is closed');
    const send: SendOrder = (order) => worker.postMessage(order);
    this.#listeners.set(database, listen);
    send({ kind: 'watch', database, ...order });
    return {
      begin: (order) => send({ kind: 'begin', database, order }),
      image: (floor, why) => send({ kind: 'image', database, floor, why }),
      snapshot: () => send({ kind: 'snapshot', database }),
      reopen: (why) => send({ kind: 'reopen', database, message: messageOf(why) }),
      sync: async () => (await this.#call(send, { kind: 'sync', database })).txid,
      stats: async () => (await this.#call(send, { kind: 'stats', database })).stats,
      close: async () => {
        await this.#call(send, { kind: 'close', database });
        this.#listeners.delete(database);
      },
    };
  }

  async close(): Promise<'closed'> {
    this.#closing = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    return 'closed';
  }

  #call(
    send: SendOrder,
    order: { kind: 'sync' | 'stats' | 'close'; database: number },
  ): Promise<WorkerResult> {
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      send({ ...order, call });
    });
  }

  #receive(reply: WorkerReply): void {
    if (reply.kind === 'event') {
      this.#listeners.get(reply.database)?.(reply.event);
      return;
    }
    const call = this.#calls.get(reply.call);
    this.#calls.delete(reply.call);
    if (reply.kind === 'reply') call?.resolve(reply.result);
    else call?.reject(new ReplicationError(reply.code ?? 'DATABASE_INVALID', reply.message));
  }

  #crash(error: Error, onCrash: (error: Error) => void): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    onCrash(error);
  }
}
