/**
 * What the replicator claims, and whether it is true: each claim is checked by restores from each bucket
 * alone. The first claim that is false is the finding of a run.
 */

import type { DatabaseStatus } from '../../packages/core/src/replicate/status/status.ts';
import type { TXID } from '../../packages/core/src/ltx/txid.ts';
import type { RestoreTarget } from '../../packages/core/src/restore/plan/listing.ts';
import type { Bucket } from './ports/bucket.ts';
import type { Ledger } from './actors/ledger.ts';
import type { Truth } from './actors/truth.ts';
import type { Replicator } from './actors/replicator.ts';
import type { PromiseBook } from './promises.ts';
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
  | 'green over a loss'
  /** A file has exactly the pages, the size and the time that its name promises. */
  | 'exact files'
  /** A destination restores every moment of the retention, at the resolution of level 1. */
  | 'promised moments'
  /** A reader may read for an hour what it has planned. */
  | 'slow readers'
  /** Whoever lists a destination finds a plan for its newest TXID. */
  | 'a plan at any time'
  /** A level in use has no hole, and level 0 ends with the newest TXID. */
  | 'levels without holes'
  /** What no moment of the retention needs is deleted. */
  | 'old files go'
  /** New transactions are merged when everything works. */
  | 'levels advance'
  /** What a status says of the files at a destination is not less than what is there. */
  | 'known contents'
  /** A warm copy is a state of its source at any time, and never that of another history in silence. */
  | 'warm copy'
  /** A drill says ok if and only if the destination restores what was sent there. */
  | 'drill'
  /** Nobody can read the files of an encrypted destination without its identity. */
  | 'nothing readable'
  /** Two writers with a lease never write to one destination at the same time, and the lease moves on. */
  | 'one writer'
  /** A destination of two writers restores to a state of one of them. */
  | 'one history'
  /** Core finds no fault in its own decisions and files. */
  | 'no fault of its own';

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
  /** Its listings must be more than this before claims count again, after it has lost objects. */
  lostAt: { readonly replicator: Replicator | undefined; readonly listings: number } | undefined;
  seenDamageAt: number | undefined;
  /** When a listing showed that it had lost objects. */
  noticedAt: number;
}

/** A gauge is in whole milliseconds. */
const ROUNDING_MS = 2;
/** A destination that works gets every commit within this time: more than its longest pause. */
const DELIVERED_MS_MAX = 45_000;
/** Files that were written, but whose answers were lost. */
const UNCONFIRMED_MAX = 3;
/** How long everything must have worked for that. */
const STEADY_MS = 90_000;
/** The longest pause after a full snapshot found no room. */
const SNAPSHOT_PAUSE_MS = 600_000;

export class ClaimBook {
  readonly promises: PromiseBook;
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
    readonly promises: PromiseBook;
  }) {
    this.promises = input.promises;
    this.#ledger = input.ledger;
    this.#restorer = input.restorer;
    this.#time = input.time;
    this.#maxLagMs = input.maxLagMs;
    for (const { name } of input.buckets) {
      this.#claims.set(name, {
        floor: 0,
        lostAt: undefined,
        seenDamageAt: undefined,
        noticedAt: 0,
      });
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
      const wasLost = claims.lostAt !== undefined;
      this.#noticeDamage(bucket, claims, { replicator, status });
      // What was written before the loss was noticed may lead nowhere.
      if (wasLost || claims.lostAt !== undefined) this.promises.forget(bucket);
      if (claims.lostAt !== undefined) continue;
      const destination = status.destinations.find(({ name }) => name === bucket.name);
      const facts = status.facts.destinations.find(({ name }) => name === bucket.name);
      if (destination?.txid === undefined || facts === undefined) continue;
      const txid = BigInt(`0x${destination.txid}`);
      this.promises.acknowledged(bucket, Number(txid));
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

  /** Restores the newest state and another promised one from the bucket. */
  async verify(bucket: Bucket, pick: <T>(values: readonly T[]) => T): Promise<void> {
    const claims = this.#of(bucket);
    this.#noticeDamage(bucket, claims, undefined);
    const promised = this.promises.promised(bucket);
    if (claims.lostAt !== undefined || (claims.floor === 0 && promised.length === 0)) return;
    await this.#verifyOne(bucket, undefined, claims.floor);
    if (promised.length > 0) await this.#verifyOne(bucket, BigInt(pick(promised).txid), 0);
  }

  async #verifyOne(bucket: Bucket, txid: bigint | undefined, floor: number): Promise<void> {
    const target: RestoreTarget =
      txid === undefined ? { kind: 'latest' } : { kind: 'txid', txid: txid as TXID };
    const restored = await this.#restorer.restore(bucket, target);
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
    const oldest = this.#vouchedUntil(status, bucket, replicator);
    if (oldest === undefined || (replicator.doubtsAges && !isCurrent(status, bucket))) return;
    const needed = this.#ledger.indexAt(oldest);
    if (needed === 0) return;
    const restored = await this.#restorer.restore(bucket, { kind: 'latest' });
    const index = restored.kind === 'state' ? restored.state.index : 0;
    if (index >= needed) return;
    const what = restored.kind === 'state' ? `restores only state ${index}` : restored.why;
    throw new Broken('green over a loss', `healthy, but ${bucket.name} ${what} of ${needed}`);
  }

  /** The same by TXIDs alone: nothing that was staged long ago is missing where the status is healthy. */
  verifyLag(status: DatabaseStatus, bucket: Bucket, replicator: Replicator, truth: Truth): void {
    const oldest = this.#vouchedUntil(status, bucket, replicator);
    if (oldest === undefined || replicator.doubtsAges) return;
    const known = status.destinations.find(({ name }) => name === bucket.name);
    // Without one it waits for a full snapshot, perhaps of another database.
    if (known?.txid === undefined) return;
    const newest = Number(`0x${status.txid ?? 0}`);
    const first = Number(`0x${known.txid}`) + 1;
    for (let txid = first; txid <= newest; txid++) {
      const at = truth.latest(txid)?.at;
      if (at === undefined || at > oldest) continue;
      const seconds = Math.round((this.#time.nowMs - at) / 1_000);
      const what = `lacks TXID ${txid}, staged ${seconds} s ago`;
      throw new Broken('green over a loss', `healthy, but ${bucket.name} ${what}`);
    }
  }

  /** The time up to which a healthy status says that the bucket has everything; undefined if it says nothing. */
  #vouchedUntil(
    { healthy }: DatabaseStatus,
    bucket: Bucket,
    { process }: Replicator,
  ): number | undefined {
    const oldest = this.#time.nowMs - this.#maxLagMs - ROUNDING_MS;
    return healthy && this.counts(bucket) && process.startedAt <= oldest ? oldest : undefined;
  }

  /** A bucket that works is up to date, whatever the others do. */
  verifyDelivery(status: DatabaseStatus, bucket: Bucket, steadyMs: number): void {
    const { lostAt, noticedAt } = this.#of(bucket);
    const intactMs = lostAt === undefined ? this.#time.nowMs - noticedAt : 0;
    const allMs = Math.min(bucket.steadyMs, steadyMs, intactMs);
    const neededMs = status.snapshotError === undefined ? STEADY_MS : STEADY_MS + SNAPSHOT_PAUSE_MS;
    if (bucket.condition !== 'works' || allMs < neededMs) return;
    const facts = status.facts.destinations.find(({ name }) => name === bucket.name);
    if (facts === undefined || facts.confirmedAgeMs <= DELIVERED_MS_MAX) return;
    const why = `${bucket.name} works, and has had no commit for ${Math.round(facts.confirmedAgeMs)} ms`;
    throw new Broken('I3 independent destinations', `${why}: ${facts.error ?? 'no error'}`);
  }

  /** A status knows every file that a bucket holds, except those on their way. */
  verifyContents(status: DatabaseStatus, bucket: Bucket): void {
    const known = status.destinations.find(({ name }) => name === bucket.name);
    if (known?.listings === undefined || known.listings === 0 || known.state === 'listing') return;
    // While it fails, or has lost objects, it may have to be listed again.
    if (!this.counts(bucket) || bucket.hasMisled || known.state === 'failing') return;
    const held = this.promises.files(bucket).length;
    if (known.files === undefined || held - known.files <= UNCONFIRMED_MAX) return;
    const why = `${bucket.name} holds ${held} files, but the status says ${known.files}`;
    throw new Broken('known contents', why);
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
      claims.lostAt = { replicator: seen?.replicator, listings: destination?.listings ?? 0 };
      return;
    }
    if (claims.lostAt === undefined || seen === undefined || destination === undefined) return;
    const { replicator, listings } = claims.lostAt;
    const before = seen.replicator === replicator ? listings : 0;
    const { listings: count = 0 } = destination;
    if (count > before && bucket.listedAt <= (bucket.damagedAt ?? 0)) {
      // A listing counts when it can be used, which may be long after it was made.
      claims.lostAt = { replicator: seen.replicator, listings: count };
      return;
    }
    const isListed = count > before && destination.state !== 'listing';
    if (!isListed || destination.state === 'failing') return;
    claims.lostAt = undefined;
    claims.noticedAt = this.#time.nowMs;
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
