/**
 * The lease of a destination: for how long its owner may write there without renewing the owner object.
 *
 *  renewed     every third of `ttlMs`, on condition that nobody else has written the object
 *  ends        `ttlMs` after the last renewal was sent, by the clocks of the holder: no write or delete begins
 *              after that, until a renewal succeeds
 *  released    with the last write of a clean shutdown
 *  taken over  once it is released, or `ttlMs` after another one saw the last change of the object, by its own
 *              clock. That is later than the end above: the clocks of two machines are never compared
 *
 * The monotonic clock of a suspended machine stands still, so the wall clock must not have passed the end either.
 * If it is set forward, the lease is only renewed earlier.
 */

import type { Clock } from '../../clock.ts';
import { formatDuration } from '../../config/duration.ts';
import { isError, ReplicationError } from '../../error.ts';
import type { Lease, Owner } from './owner.ts';
import { readOwner, writeExactly, type Found, type OwnerObjects } from './owner-object.ts';

/** How a replicator holds the leases of a destination. */
export interface LeaseSettings {
  /** For how long the destination stays reserved after the last renewal. */
  readonly ttlMs: number;
}

/** Two renewals may fail before the lease ends. */
const RENEWALS_PER_TTL = 3;
/** After a failure, the next try follows soon. */
const TRIES_PER_TTL = 10;
const RETRY_MS_MAX = 1_000;
/** Conflicts with our own writes whose answers were lost. */
const ATTEMPTS_MAX = 3;

export interface HeldLeaseContext extends LeaseSettings {
  /** Name of the destination. */
  readonly name: string;
  readonly clock: Clock;
}

export type Renewal =
  | { readonly kind: 'held' }
  /** Somebody else has written the object, or has removed it. */
  | { readonly kind: 'lost'; readonly found: Found };

/** The lease that this process holds, or held. */
export class HeldLease {
  readonly #context: HeldLeaseContext;
  /** The object as it was last written or read, while it is ours. */
  #object: { readonly owner: Owner; readonly version: string | undefined } | undefined;
  /** When the last successful renewal was sent. */
  #sentAt: { readonly monotonic: number; readonly wall: number } | undefined;
  #nextTryAt = -Infinity;
  #isProven = false;
  /** The number of the last write, whether it arrived or not: no two writes have the same bytes. */
  #written = 0;
  #renewing: Promise<Renewal> | undefined;

  constructor(context: HeldLeaseContext) {
    this.#context = context;
  }

  get ttlMs(): number {
    return this.#context.ttlMs;
  }

  get isHeld(): boolean {
    const { clock, ttlMs } = this.#context;
    if (this.#object === undefined || this.#sentAt === undefined) return false;
    const { monotonic, wall } = this.#sentAt;
    return clock.monotonic() - monotonic < ttlMs && clock.now() - wall < ttlMs;
  }

  /** Throws REPLICA_UNAVAILABLE if nothing may be written or deleted now. */
  readonly mayBegin = (): void => {
    if (this.isHeld) return;
    const { name, ttlMs } = this.#context;
    throw new ReplicationError(
      'REPLICA_UNAVAILABLE',
      `write to ${name}: the lease was not renewed for ${formatDuration(ttlMs)}, so nothing is sent before it is; ` +
        'if this happens often, make lease.ttl longer',
    );
  };

  /** Time until it should be renewed; Infinity if this process has none. */
  get renewInMs(): number {
    const { clock, ttlMs } = this.#context;
    if (this.#object === undefined) return Infinity;
    const dueAt = (this.#sentAt?.monotonic ?? -Infinity) + ttlMs / RENEWALS_PER_TTL;
    const now = clock.monotonic();
    const isEarly = this.isHeld && dueAt > now;
    return Math.max(0, (isEarly ? dueAt : now) - now, this.#nextTryAt - now);
  }

  /** The lease of a new owner object. It is held after the first renewal. */
  get first(): Lease {
    return { ttlMs: this.#context.ttlMs, renewals: 0, state: 'held' };
  }

  /** The owner object is ours, with this version. */
  adopt(owner: Owner, version: string | undefined): void {
    this.#object = { owner, version };
  }

  /** Replaces the object if nobody else has. Calls at the same time share one renewal. */
  async renew(objects: OwnerObjects, highest: bigint, signal: AbortSignal): Promise<Renewal> {
    this.#renewing ??= this.#renew(objects, highest, signal).finally(() => {
      this.#renewing = undefined;
    });
    return await this.#renewing;
  }

  async #renew(objects: OwnerObjects, highest: bigint, signal: AbortSignal): Promise<Renewal> {
    const { clock, ttlMs } = this.#context;
    this.#nextTryAt = clock.monotonic() + Math.min(ttlMs / TRIES_PER_TTL, RETRY_MS_MAX);
    for (let attempt = 1; ; attempt++) {
      if (this.#object === undefined)
        return { kind: 'lost', found: await readOwner(objects, signal) };
      const { owner, version: before } = this.#object;
      const next = { ...owner, txid: highest, lease: this.#leaseAfter(owner) };
      const sentAt = { monotonic: clock.monotonic(), wall: clock.now() };
      try {
        const condition = before === undefined ? 'if-absent' : { version: before };
        const version = await writeExactly(objects, next, { condition, signal });
        this.#object = { owner: next, version };
        if (before !== undefined) await this.#prove(objects, next, before, signal);
        this.#sentAt = sentAt;
        this.#nextTryAt = -Infinity;
        return { kind: 'held' };
      } catch (error) {
        if (!isError(error, 'REPLICA_CONFLICT')) throw error;
        const found = await readOwner(objects, signal);
        if (typeof found.owner !== 'object' || found.owner.run !== owner.run) {
          this.#object = undefined;
          return { kind: 'lost', found };
        }
        this.#object = { owner: found.owner, version: found.version }; // the answer was lost
        if (attempt >= ATTEMPTS_MAX) throw error;
      }
    }
  }

  /** Once: a write on condition of an old version must be refused. Otherwise two could hold the lease. */
  async #prove(
    objects: OwnerObjects,
    owner: Owner,
    oldVersion: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#isProven) return;
    const other = { ...owner, lease: this.#leaseAfter(owner) };
    try {
      await writeExactly(objects, other, { condition: { version: oldVersion }, signal });
    } catch (error) {
      if (!isError(error, 'REPLICA_CONFLICT')) throw error;
      this.#isProven = true;
      return;
    }
    throw noLease(this.#context.name, 'the server ignores conditions on versions');
  }

  /** Lets another replicator write at once. The holder writes nothing more. */
  async release(objects: OwnerObjects, signal: AbortSignal): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    if (this.#object === undefined) return;
    const { owner, version } = this.#object;
    this.#object = undefined; // from here on nothing begins
    const lease = { ...this.#leaseAfter(owner), state: 'released' } as const;
    const released = { ...owner, lease };
    const condition = version === undefined ? 'if-absent' : { version };
    try {
      await writeExactly(objects, released, { condition, signal });
    } catch (error) {
      if (!isError(error, 'REPLICA_CONFLICT')) throw error;
      const found = await readOwner(objects, signal);
      const isOurs = typeof found.owner === 'object' && found.owner.run === owner.run;
      if (!isOurs || found.version === undefined) return;
      // A renewal was interrupted, and had arrived.
      await writeExactly(objects, released, { condition: { version: found.version }, signal });
    }
  }

  /** A write with the bytes of an earlier one would count as done, although others saw that change long ago. */
  #leaseAfter({ lease }: Owner): Lease {
    this.#written = Math.max(this.#written, lease?.renewals ?? 0) + 1;
    return { ...this.first, renewals: this.#written };
  }
}

/** REPLICA_UNSUPPORTED: the destination cannot keep a lease. */
export function noLease(name: string, why: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_UNSUPPORTED',
    `hold a lease at ${name}: ${why}, so two replicators could hold it at once; nothing is written there. ` +
      'Set lease.ttl to 0 for this destination and make sure that only one replicator writes to it, or use a ' +
      'destination for which "sluice check" says that if-version works',
  );
}

/** The lease of another replicator, as seen from here. */
export class SeenLease {
  readonly #clock: Clock;
  #seen: { readonly state: string; readonly since: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The owner object was just read. */
  see(owner: Owner): 'none' | 'held' | 'ended' {
    const { run, lease } = owner;
    if (lease === undefined) return 'none';
    if (lease.state === 'released') return 'ended';
    const state = [run, lease.renewals].join();
    const now = this.#clock.monotonic();
    if (this.#seen?.state !== state) this.#seen = { state, since: now };
    return now - this.#seen.since >= lease.ttlMs ? 'ended' : 'held';
  }
}
