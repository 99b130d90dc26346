/**
 * Who may write to each bucket, by the true time and the owner objects that have arrived there. Nothing here knows
 * how core decides.
 *
 *  a request begins    only if its process is the owner, and the last renewal of that process that has arrived was
 *                      sent less than the time of the lease before
 *  a take-over         only of a lease that was released, or whose object has not changed for the time of the lease
 *  "take over"         at once. Its holder may write for as long as its lease would have lasted
 */

import {
  OWNER_NAME,
  parseOwner,
  type Owner,
} from '../../packages/core/src/replicate/ownership/owner.ts';
import { ROOT } from './actors/replicator.ts';
import { Broken } from './claims.ts';
import type { Bucket } from './ports/bucket.ts';
import type { SimulatedProcess } from './ports/process.ts';
import type { VirtualTime } from './ports/virtual-time.ts';

const OWNER_KEY = `${ROOT}/${OWNER_NAME}`;
/** A wall clock has whole milliseconds, and reading a clock takes time. */
const ROUNDING_MS = 3;

interface Start {
  readonly host: string;
  readonly foreign: 'refuse' | 'take over';
}

interface Arrived {
  readonly owner: Owner;
  readonly process: SimulatedProcess | undefined;
  readonly sentAt: number;
  readonly arrivedAt: number;
}

export class Terms {
  readonly #time: VirtualTime;
  readonly #onBroken: (error: Error) => void;
  readonly #starts = new Map<SimulatedProcess, Start>();
  /** Owner objects that were sent, by their text. */
  readonly #sent = new Map<string, { readonly process: SimulatedProcess; readonly at: number }>();
  readonly #current = new Map<string, Arrived>();
  /** The last owner object of each process at each bucket. */
  readonly #last = new Map<SimulatedProcess, Map<string, Arrived>>();
  /** Buckets that were taken over by force, and by whom. */
  readonly #forced = new Map<string, SimulatedProcess>();
  /** Take-overs so far. */
  count = 0;

  constructor(time: VirtualTime, onBroken: (error: Error) => void) {
    this.#time = time;
    this.#onBroken = onBroken;
  }

  started(process: SimulatedProcess, host: string, foreign: Start['foreign']): void {
    this.#starts.set(process, { host, foreign });
  }

  /** The owner of a bucket. */
  ownerOf({ name }: Bucket): Pick<Arrived, 'process' | 'owner' | 'arrivedAt'> | undefined {
    return this.#current.get(name);
  }

  /** A request to write an object (`bytes`), or to copy or delete one, is sent. */
  begins(bucket: Bucket, key: string, bytes: Uint8Array | undefined, process: SimulatedProcess) {
    if (key === OWNER_KEY && bytes !== undefined) {
      this.#sent.set(textOf(bytes), { process, at: this.#time.nowMs });
      return;
    }
    if (!key.endsWith('.ltx')) return;
    const last = this.#last.get(process)?.get(bucket.name);
    const { host } = this.#starts.get(process) ?? {};
    const broken = (why: string): void => {
      const error = new Broken('one writer', `${host} sends ${key} to ${bucket.name}: ${why}`);
      this.#onBroken(error);
    };
    if (last === undefined) return broken('it was never the owner');
    const { owner, sentAt } = last;
    const agoMs = this.#time.nowMs - sentAt;
    const { ttlMs = 0, state } = owner.lease ?? {};
    if (state !== 'held') return broken('it holds no lease');
    if (agoMs > ttlMs + ROUNDING_MS) {
      return broken(`its lease of ${ttlMs} ms was renewed ${Math.round(agoMs)} ms ago`);
    }
    const current = this.#current.get(bucket.name);
    if (current?.process === process || this.#forced.get(bucket.name) === current?.process) return;
    broken(`it belongs to ${current?.owner.host}`);
  }

  /** An object has arrived. */
  arrived(bucket: Bucket, key: string, bytes: Uint8Array): void {
    if (key !== OWNER_KEY) return;
    const owner = parseOwner(Buffer.from(bytes).toString());
    if (typeof owner !== 'object') throw new Error(`no owner object of ours: ${textOf(bytes)}`);
    const { process, at: sentAt } = this.#sent.get(textOf(bytes)) ?? { process: undefined, at: 0 };
    const arrivedAt = this.#time.nowMs;
    const before = this.#current.get(bucket.name);
    const arrived = { owner, process, sentAt, arrivedAt };
    this.#current.set(bucket.name, arrived);
    if (process !== undefined) {
      const last = this.#last.get(process) ?? new Map<string, Arrived>();
      this.#last.set(process, last.set(bucket.name, arrived));
    }
    if (before !== undefined && before.owner.run !== owner.run) {
      this.count += 1;
      this.#verifyTakeOver(bucket, before, arrived);
    }
  }

  #verifyTakeOver(bucket: Bucket, before: Arrived, { owner, process, arrivedAt }: Arrived): void {
    const isForced = process !== undefined && this.#starts.get(process)?.foreign === 'take over';
    if (isForced) this.#forced.set(bucket.name, process);
    else this.#forced.delete(bucket.name);
    const { lease } = before.owner;
    const isOurs = before.owner.id === owner.id && lease === undefined;
    if (isForced || isOurs || lease?.state === 'released') return;
    const waitedMs = arrivedAt - before.arrivedAt;
    if (lease !== undefined && waitedMs >= lease.ttlMs - ROUNDING_MS) return;
    const what = `${owner.host} takes ${bucket.name} from ${before.owner.host}`;
    const why =
      lease === undefined
        ? 'which holds no lease'
        : `whose lease of ${lease.ttlMs} ms was renewed ${Math.round(waitedMs)} ms before`;
    this.#onBroken(new Broken('one writer', `${what}, ${why}`));
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
