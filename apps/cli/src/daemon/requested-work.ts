/**
 * Work for single databases that commands have asked for, such as a repair. It is aborted when its client has gone, when
 * its database is no longer replicated as it was, and when the process ends.
 */

import { ReplicationError } from '@sluice/core/backend';

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
}

export class RequestedWork {
  readonly #running = new Map<string, Set<Running>>();
  #isClosed = false;

  /** `signal` is that of the client. Rejects with its reason, or with REPLICA_CLOSED if the database goes. */
  async run<Result>(
    path: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    if (this.#isClosed) throw closedError(path, 'the replicator is ending');
    const abort = new AbortController();
    const working = work(AbortSignal.any([signal, abort.signal]));
    const running = { abort, ended: working.catch(() => undefined) };
    const ofPath = this.#running.get(path) ?? new Set();
    this.#running.set(path, ofPath.add(running));
    try {
      return await working;
    } finally {
      ofPath.delete(running);
      if (ofPath.size === 0) this.#running.delete(path);
    }
  }

  /** Resolves when nothing is done for the database any more. */
  async release(path: string): Promise<void> {
    await this.#end(path, 'the database is no longer replicated as it was');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const paths = [...this.#running.keys()];
    await Promise.all(paths.map(async (path) => this.#end(path, 'the replicator is ending')));
  }

  async #end(path: string, why: string): Promise<void> {
    const all = [...(this.#running.get(path) ?? [])];
    for (const { abort } of all) abort.abort(closedError(path, why));
    await Promise.all(all.map(({ ended }) => ended));
  }
}

function closedError(path: string, why: string): ReplicationError {
  return new ReplicationError('REPLICA_CLOSED', `work for ${path} was ended: ${why}`);
}
