/** Deletes by keys: many in one request where the store can, else some at once. */

import { isError, type ReplicationError } from '../error.ts';
import type { KeyedCall, KeyFailure, KeyedStore } from './keyed-store.ts';

/** Half of what a destination has on its way: what is new is more urgent than what is old. */
const DELETES_AT_ONCE = 8;

export interface FailedDelete extends KeyFailure {
  /** Whether the message is of this key, or of a request for many. */
  readonly of: 'key' | 'request';
}

/** Of one destination: it remembers that a server knows no batches. */
export class KeyedDeletes {
  readonly #store: KeyedStore;
  #batches: KeyedStore['batches'];

  constructor(store: KeyedStore) {
    this.#store = store;
    this.#batches = store.batches;
  }

  /** Tries all, and returns what may still be there. What is gone already is no failure. */
  async delete(keys: readonly string[], call: KeyedCall): Promise<FailedDelete[]> {
    const atOnce = this.#batches?.keysMax ?? keys.length;
    const failed: FailedDelete[][] = [];
    for (let index = 0; index < keys.length; index += atOnce) {
      failed.push(await this.#deleteSome(keys.slice(index, index + atOnce), call));
    }
    return failed.flat();
  }

  async #deleteSome(keys: readonly string[], call: KeyedCall): Promise<FailedDelete[]> {
    if (this.#batches === undefined) return await this.#deleteEach(keys, call);
    try {
      const failures = await this.#batches.delete(keys, call);
      return failures.map((failure) => ({ ...failure, of: 'key' }));
    } catch (error) {
      if (!isOfRequest(error)) throw error;
      const { code, message } = error;
      if (code !== 'REPLICA_UNSUPPORTED') {
        return keys.map((key) => ({ key, code, message, of: 'request' }));
      }
      this.#batches = undefined;
      return await this.#deleteEach(keys, call);
    }
  }

  async #deleteEach(keys: readonly string[], call: KeyedCall): Promise<FailedDelete[]> {
    const failed: FailedDelete[] = [];
    const queue = keys.values();
    const lane = async (): Promise<void> => {
      for (const key of queue) {
        try {
          await this.#store.delete(key, call);
        } catch (error) {
          if (!isOfRequest(error)) throw error;
          const { code, message } = error;
          if (code !== 'REPLICA_NOT_FOUND') failed.push({ key, code, message, of: 'key' });
        }
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
    return failed;
  }
}

/** An error of the request, as against an abort or a close, which end the whole call. */
function isOfRequest(error: unknown): error is ReplicationError {
  return isError(error) && error.code !== 'REPLICA_CLOSED';
}
