/** Deletes by keys: many in one request where the store can, else some at once. */

import { isError, ReplicationError, type FileFailure } from '../../error.ts';
import type { KeyFailure, KeyedStore } from './keyed-store.ts';
import type { StoreCall } from '../store-call.ts';

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
  async delete(keys: readonly string[], call: StoreCall): Promise<FailedDelete[]> {
    const atOnce = this.#batches?.keysMax ?? keys.length;
    const failed: FailedDelete[][] = [];
    for (let index = 0; index < keys.length; index += atOnce) {
      failed.push(await this.#deleteSome(keys.slice(index, index + atOnce), call));
    }
    return failed.flat();
  }

  async #deleteSome(keys: readonly string[], call: StoreCall): Promise<FailedDelete[]> {
    if (this.#batches === undefined) return await this.#deleteEach(keys, call);
    try {
      const failures = await this.#batches.delete(keys, call);
      return failures.map((failure) => ({ ...failure, of: 'key' }));
    } catch (error) {
      const { code, message } = this.#ofRequest(error, call);
      if (code !== 'REPLICA_UNSUPPORTED') {
        return keys.map((key) => ({ key, code, message, of: 'request' }));
      }
      this.#batches = undefined;
      return await this.#deleteEach(keys, call);
    }
  }

  async #deleteEach(keys: readonly string[], call: StoreCall): Promise<FailedDelete[]> {
    const failed: FailedDelete[] = [];
    const queue = keys.values();
    const lane = async (): Promise<void> => {
      for (const key of queue) {
        try {
          await this.#store.delete(key, call);
        } catch (error) {
          const { code, message } = this.#ofRequest(error, call);
          if (code !== 'REPLICA_NOT_FOUND') failed.push({ key, code, message, of: 'key' });
        }
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
    return failed;
  }

  /** The error of a request, unless an abort or a close ends the whole call. */
  #ofRequest(error: unknown, { signal }: StoreCall): ReplicationError {
    this.#store.work.check(signal);
    if (isError(error)) return error;
    throw error;
  }
}

/** What a call says that has left something behind. `nameOf` gives the file of a key. */
export function leftBehind(
  what: string,
  failed: readonly [FailedDelete, ...FailedDelete[]],
  nameOf: (key: string) => string,
): ReplicationError {
  const failures = failed.map(({ key, code, message }): FileFailure => ({
    file: nameOf(key),
    code,
    message,
  }));
  const [{ key, code, message, of }] = failed;
  const first = of === 'key' ? `${nameOf(key)}: ` : '';
  const said = `${first}${message.replace(`${what}: `, '')}`;
  const text = `${what}: ${failures.length} may still be there; ${said}`;
  return new ReplicationError(code, text, { failures });
}
