/** One thread for the merges of all databases. It is started for a merge, and ends when there are no more. */

import { ReplicationError } from '../../error.ts';
import { Thread, threadScript } from '../../threads/thread.ts';
import type { MergeOrder, StagedMerge } from './merge-files.ts';

export interface MergeService {
  readonly merge: { readonly request: MergeOrder; readonly answer: StagedMerge };
}

/** A busy database merges every 30 s, and starting a thread costs about 50 ms of processor time. */
const IDLE_MS_MAX = 120_000;

export class MergeThread {
  #thread: Thread<MergeService> | undefined;
  /** Merges run one at a time, so that their memory is bounded. */
  #running: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Rejects with the error of the merge, or of the thread if it crashed. */
  readonly merge = async (order: MergeOrder): Promise<StagedMerge> => {
    this.#waiting += 1;
    clearTimeout(this.#idleTimer);
    const merging = this.#running.then(() => this.#merge(order));
    this.#running = merging.catch(() => undefined); // the caller gets the error
    try {
      return await merging;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#isClosed) {
        this.#idleTimer = setTimeout(() => void this.#end(), IDLE_MS_MAX);
        this.#idleTimer.unref();
      }
    }
  };

  /** A running merge is abandoned. Its temporary file is removed at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    await this.#end();
  }

  async #merge(order: MergeOrder): Promise<StagedMerge> {
    if (this.#isClosed) throw new ReplicationError('REPLICA_CLOSED', 'the replicator is closed');
    this.#thread ??= this.#start();
    return await this.#thread.call('merge', order);
  }

  #start(): Thread<MergeService> {
    const thread = new Thread<MergeService>(threadScript(import.meta.url, 'merge-worker'), {
      onEnd: () => {
        if (this.#thread === thread) this.#thread = undefined; // the next merge starts another
      },
    });
    return thread;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.close();
  }
}
