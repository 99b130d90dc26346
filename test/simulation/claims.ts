/**
 * What the replicator claims, and whether it is true: each claim is checked by restores from each bucket
 * alone. The first claim that is false is the finding of a run.
 */

import type { DatabaseStatus } from '../../packages/core/src/replicate/status/status.ts';
import type { Bucket } from './ports/bucket.ts';
import type { Ledger } from './actors/ledger.ts';
import type { Replicator } from './actors/replicator.ts';
import type { Restorer } from './actors/restorer.ts';
import type { VirtualTime } from './ports/virtual-time.ts';

/** The invariant that does not hold. */
export type Invariant =
  /** What a status says is replicated is restored from the destination alone. */
  | 'I1 acknowledged restores'
  /** A TXID means one state, at every destination and at all times. */
  | 'I2 no hole'
  /** A destination that works is not delayed by another one. */
  | 'I3 independent destinations'
  /** After a crash at any call, everything is continued, and nothing is retried forever in silence. */
  | 'I4 continues'
  /** Nobody waits by trying again and again. */
  | 'no busy loop'
  /** A healthy status means that no destination lacks a commit older than max-lag. */
  | 'green over a loss';

export class Broken extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, why: string) {
    super(`${invariant}: ${why}`);
    this.name = 'Broken';
    this.invariant = invariant;
  }
}

/** What is known about one bucket. */
interface Claims {
  /** The newest state that it must restore at least. */
  floor: number;
  /** TXIDs that it must restore. */
  txids: bigint[];
  /** Its listings must be more than this before claims count again, after it has lost objects. */
  lostAt: { readonly replicator: Replicator | undefined; readonly listings: number } | undefined;
  seenDamageAt: number | undefined;
}

/** A gauge is in whole milliseconds. */
const ROUNDING_MS = 2;
/** A destination that works gets every commit within this time: more than its longest pause. */
const DELIVERED_MS_MAX = 45_000;
/** How long everything must have worked for that. */
const STEADY_MS = 90_000;

export class ClaimBook {
  readonly #ledger: Ledger;
  readonly #restorer: Restorer;
  readonly #time: VirtualTime;
  readonly #maxLagMs: number;
  readonly #claims = new Map<string, Claims>();
  /** Whether each TXID means one state. */
  #areUnique = true;
  /** Hash of the state of each TXID. */
  readonly #hashes = new Map<bigint, string>();
  /** Each TXID from the first one on has at least this state. In ascending order. */
  readonly #floors: { readonly txid: bigint; readonly index: number }[] = [];

  constructor(input: {
    readonly ledger: Ledger;
    readonly restorer: Restorer;
    readonly time: VirtualTime;
    readonly maxLagMs: number;
    readonly buckets: readonly Bucket[];
  }) {
    this.#ledger = input.ledger;
    this.#restorer = input.restorer;
    this.#time = input.time;
    this.#maxLagMs = input.maxLagMs;
    for (const { name } of input.buckets) {
      this.#claims.set(name, { floor: 0, txids: [], lostAt: undefined, seenDamageAt: undefined });
    }
  }

  /** Everything up to state `index` is in the file `txid`, or in an earlier one. */
  synced(txid: bigint, index: number): void {
    this.#floors.push({ txid, index });
  }

  /**
   * The staging folder was lost in part, or is an older one. It may not know all TXIDs that were used, and
   * if a destination cannot be listed either, they are used again for other states.
   */
  txidsMayRepeat(): void {
    this.#areUnique = false;
  }

  /** A last sync says that the bucket has everything up to state `index`. */
  complete(bucket: Bucket, index: number): void {
    const claims = this.#of(bucket);
    this.#noticeDamage(bucket, claims, undefined);
    if (claims.lostAt === undefined) claims.floor = Math.max(claims.floor, index);
  }

  /** Records the claims of a status. */
  record(status: DatabaseStatus, buckets: readonly Bucket[], replicator: Replicator): void {
    for (const bucket of buckets) {
      const claims = this.#of(bucket);
      this.#noticeDamage(bucket, claims, { replicator, status });
      if (claims.lostAt !== undefined) continue;
      const destination = status.destinations.find(({ name }) => name === bucket.name);
      const facts = status.facts.destinations.find(({ name }) => name === bucket.name);
      if (destination?.txid === undefined || facts === undefined) continue;
      const txid = BigInt(`0x${destination.txid}`);
      claims.txids.push(txid);
      const at = this.#time.nowMs - facts.confirmedAgeMs;
      // Before it has confirmed anything, a process counts from its start.
      if (at <= replicator.process.startedAt + ROUNDING_MS) continue;
      // It knows when a file of an earlier run was staged, not when its oldest commit was made.
      const isEstimated = replicator.doubtsAges || replicator.foundTXIDs.has(txid + 1n);
      if (isEstimated && !facts.isCurrent) continue;
      claims.floor = Math.max(claims.floor, this.#ledger.indexAt(at - ROUNDING_MS));
    }
  }

  /** Whether the claims about a bucket count: it has lost nothing since it was last listed. */
  counts(bucket: Bucket): boolean {
    return this.#of(bucket).lostAt === undefined;
  }

  /** Restores the newest state and `txid` from the bucket. */
  async verify(bucket: Bucket, pick: (txids: readonly bigint[]) => bigint): Promise<void> {
    const claims = this.#of(bucket);
    this.#noticeDamage(bucket, claims, undefined);
    if (claims.lostAt !== undefined || (claims.floor === 0 && claims.txids.length === 0)) return;
    await this.#verifyOne(bucket, undefined, claims.floor);
    if (claims.txids.length > 0) await this.#verifyOne(bucket, pick(claims.txids), 0);
  }

  async #verifyOne(bucket: Bucket, txid: bigint | undefined, floor: number): Promise<void> {
    const restored = await this.#restorer.restore(bucket, txid);
    if (restored.kind === 'failed') throw new Broken('I1 acknowledged restores', restored.why);
    const { state, hash } = restored;
    const needed = Math.max(floor, this.#floorOf(restored.txid));
    const where = `${bucket.name} restores TXID ${restored.txid} to state ${state.index}`;
    if (state.index < needed) {
      throw new Broken('I1 acknowledged restores', `${where}, but it has state ${needed}`);
    }
    const known = this.#areUnique ? this.#hashes.get(restored.txid) : undefined;
    if (known !== undefined && known !== hash) {
      throw new Broken('I2 no hole', `${where}, but that TXID was another state before`);
    }
    this.#hashes.set(restored.txid, hash);
  }

  /** A status that is healthy must not hide that the bucket lacks an old commit. */
  async verifyHealth(
    status: DatabaseStatus,
    bucket: Bucket,
    replicator: Replicator,
  ): Promise<void> {
    const oldest = this.#time.nowMs - this.#maxLagMs - ROUNDING_MS;
    if (!status.healthy || !this.counts(bucket) || replicator.process.startedAt > oldest) return;
    if (replicator.doubtsAges && !isCurrent(status, bucket)) return;
    const needed = this.#ledger.indexAt(oldest);
    if (needed === 0) return;
    const restored = await this.#restorer.restore(bucket, undefined);
    const index = restored.kind === 'state' ? restored.state.index : 0;
    if (index >= needed) return;
    const what = restored.kind === 'state' ? `restores only state ${index}` : restored.why;
    throw new Broken('green over a loss', `healthy, but ${bucket.name} ${what} of ${needed}`);
  }

  /** A bucket that works is up to date, whatever the others do. */
  verifyDelivery(status: DatabaseStatus, bucket: Bucket, steadyMs: number): void {
    if (bucket.condition !== 'works' || Math.min(bucket.steadyMs, steadyMs) < STEADY_MS) return;
    const facts = status.facts.destinations.find(({ name }) => name === bucket.name);
    if (facts === undefined || facts.confirmedAgeMs <= DELIVERED_MS_MAX) return;
    const why = `${bucket.name} works, and has had no commit for ${Math.round(facts.confirmedAgeMs)} ms`;
    throw new Broken('I3 independent destinations', `${why}: ${facts.error ?? 'no error'}`);
  }

  #of(bucket: Bucket): Claims {
    const claims = this.#claims.get(bucket.name);
    if (claims === undefined) throw new Error(`${bucket.name} is not a bucket of this run`);
    return claims;
  }

  /** A bucket that has lost objects promises nothing until the replicator has listed it again. */
  #noticeDamage(
    bucket: Bucket,
    claims: Claims,
    seen: { replicator: Replicator; status: DatabaseStatus } | undefined,
  ): void {
    const destination = seen?.status.destinations.find(({ name }) => name === bucket.name);
    if (bucket.damagedAt !== claims.seenDamageAt) {
      claims.seenDamageAt = bucket.damagedAt;
      claims.floor = 0;
      claims.txids = [];
      claims.lostAt = { replicator: seen?.replicator, listings: destination?.listings ?? 0 };
      return;
    }
    if (claims.lostAt === undefined || seen === undefined || destination === undefined) return;
    const { replicator, listings } = claims.lostAt;
    const before = seen.replicator === replicator ? listings : 0;
    const isListed = (destination.listings ?? 0) > before && destination.state !== 'listing';
    if (isListed && destination.state !== 'failing') claims.lostAt = undefined;
  }

  #floorOf(txid: bigint): number {
    if (!this.#areUnique) return 0;
    return this.#floors.reduce(
      (highest, floor) => (floor.txid <= txid ? Math.max(highest, floor.index) : highest),
      0,
    );
  }
}

function isCurrent({ facts }: DatabaseStatus, { name }: Bucket): boolean {
  return facts.destinations.find((destination) => destination.name === name)?.isCurrent === true;
}
