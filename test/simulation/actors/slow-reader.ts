/**
 * Readers that list a destination, and read what they planned only later: within an hour all of it must
 * still be there.
 */

import { Broken } from '../claims.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Restorer } from './restorer.ts';
import type { RestoreTarget } from '../../../packages/core/src/restore/plan/listing.ts';
import type { ObjectInfo, ReplicaClient } from '../../../packages/core/src/store/client.ts';

interface Reader {
  readonly bucket: Bucket;
  readonly damagedAt: number | undefined;
  readonly target: RestoreTarget;
  /** Hash of the state that it must read; undefined if any committed state will do. */
  readonly hash: string | undefined;
  readonly listed: readonly ObjectInfo[];
  readonly listedAt: number;
  readonly readsAt: number;
}

export class SlowReaders {
  readonly #restorer: Restorer;
  #readers: Reader[] = [];

  constructor(restorer: Restorer) {
    this.#restorer = restorer;
  }

  /** Time until the next one reads. */
  nextInMs(now: number): number {
    return this.#readers.reduce((min, { readsAt }) => Math.min(min, readsAt - now), Infinity);
  }

  async list(
    bucket: Bucket,
    order: { target: RestoreTarget; hash: string | undefined; now: number; waitMs: number },
  ): Promise<void> {
    const listed: ObjectInfo[] = [];
    for await (const object of bucket.observer().list('')) listed.push(object);
    const { target, hash, now, waitMs } = order;
    const { damagedAt } = bucket;
    this.#readers.push({
      ...{ bucket, damagedAt, target, hash, listed },
      ...{ listedAt: now, readsAt: now + waitMs },
    });
  }

  /** Lets those read that are due. Returns how many. */
  async read(now: number): Promise<number> {
    const due = this.#readers.filter(({ readsAt }) => readsAt <= now);
    this.#readers = this.#readers.filter(({ readsAt }) => readsAt > now);
    for (const reader of due) await this.#read(reader, now);
    return due.length;
  }

  async #read({ bucket, damagedAt, target, hash, listed, listedAt }: Reader, now: number) {
    if (bucket.damagedAt !== damagedAt) return;
    const client = frozen(bucket.observer(), listed);
    const restored = await this.#restorer.restoreFrom(bucket, client, target);
    const what = `a reader that listed ${Math.round((now - listedAt) / 1_000)} s ago`;
    if (restored.kind === 'failed') throw new Broken('slow readers', `${what}: ${restored.why}`);
    if (hash === undefined || restored.hash === hash) return;
    throw new Broken('slow readers', `${what} gets another state from ${bucket.name}`);
  }
}

/** Lists what was listed before, and reads what is there now. */
function frozen(client: ReplicaClient, listed: readonly ObjectInfo[]): ReplicaClient {
  return {
    name: client.name,
    layout: client.layout ?? 'tree',
    capabilities: client.capabilities,
    async *list(prefix) {
      for (const object of listed) if (object.key.startsWith(prefix)) yield object;
    },
    get: (key, options) => client.get(key, options),
    put: (key, body, options) => client.put(key, body, options),
    delete: (keys, options) => client.delete(keys, options),
    close: () => client.close(),
  };
}
