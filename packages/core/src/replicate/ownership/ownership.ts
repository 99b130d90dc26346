/**
 * Keeps one destination to one writer: reads its owner object with each listing, and becomes the owner before
 * anything is written there (standing.ts). Two replicators that start at the same time cannot both become the
 * owner where the destination supports conditional writes.
 *
 * Costs one read for each full listing, and one write and another read (manifest.ts) for each run. With a lease
 * (lease.ts) it also costs its renewals.
 */

import type { Clock } from '../../clock.ts';
import { formatDuration } from '../../config/duration.ts';
import { isError, messageOf, ReplicationError, type ErrorCode } from '../../error.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { Logger } from '../../store/backend.ts';
import type { Capabilities } from '../../store/client.ts';
import type { Chain } from '../destination/admission.ts';
import { Identity, type IdentityContext } from './identity.ts';
import { HeldLease, noLease, SeenLease, type LeaseSettings } from './lease.ts';
import { removeManifest } from './manifest.ts';
import { describeOwner, OWNER_NAME, type Owner, type OwnerText } from './owner.ts';
import {
  conditionFor,
  isSame,
  readOwner,
  runOf,
  toBytes,
  writeExactly,
  writeOwner,
  type Found,
  type OwnerObjects,
} from './owner-object.ts';
import { standingOf, type ForeignReplica, type Self } from './standing.ts';

export interface OwnershipContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  readonly identity: Identity;
  readonly foreign: ForeignReplica;
  /** undefined: the owner holds no lease, and those of others are not waited for. */
  readonly lease?: LeaseSettings | undefined;
  /** Called when another replicator holds the lease. Default: this one waits. */
  readonly onHeld?: ((error: ReplicationError) => void) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A destination as it was listed. */
export interface ListedReplica {
  readonly objects: OwnerObjects | undefined;
  readonly capabilities: Capabilities;
  readonly chain: Chain;
  readonly highest: bigint;
  /** When its newest file was written, by the clock of the server. */
  readonly newestAt: Date | undefined;
}

type WritableReplica = ListedReplica & { readonly objects: OwnerObjects };

/** A destination that does not allow this object cannot have an owner, and is written to as before. */
const NOT_ALLOWED: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNSUPPORTED',
]);
/** Others that become the owner in the meantime. More in a row are a destination that gives wrong answers. */
const ATTEMPTS_MAX = 3;
/** How often a replicator that waits for a lease reads the owner. A clean shutdown is followed within two seconds. */
export const LEASE_POLL_MS = 1_000;
/** How often it says that it waits. */
const LOG_MS = 10_000;

export class Ownership {
  readonly #context: OwnershipContext;
  /** Epoch with which this process became the owner. */
  #epoch: number | undefined;
  /** Whether the object could be read and written at the last listing. */
  #isAllowed = true;
  #hasWarned = false;
  /** Of this process; undefined before the first listing. */
  #run: string | undefined;
  /** The error and the owner of a replica that is not ours. */
  #refusal: Refusal | undefined;
  readonly #held: HeldLease | undefined;
  readonly #seen: SeenLease;
  #isWaiting = false;
  /** Whether the last call of `require` replaced another replicator. */
  #hasTakenOver = false;
  #loggedAt = -Infinity;

  constructor(context: OwnershipContext) {
    this.#context = context;
    const { name, lease, clock } = context;
    this.#held = lease && new HeldLease({ name, clock, ...lease });
    this.#seen = new SeenLease(clock);
  }

  /** The lease of this process; undefined if it uses none. */
  get lease(): Pick<HeldLease, 'isHeld' | 'mayBegin' | 'renewInMs' | 'ttlMs'> | undefined {
    return this.#held;
  }

  /** Whether another replicator holds the lease, and this one waits for its end. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Whether this process became the owner, or the destination does not allow one. */
  get isOwner(): boolean {
    return this.#epoch !== undefined || !this.#isAllowed;
  }

  /** Throws REPLICA_IN_USE if the replica still has the owner that was found before. Costs no listing. */
  async requireChange(objects: ListedReplica['objects'], signal: AbortSignal): Promise<void> {
    const refusal = this.#refusal;
    if (refusal === undefined || objects === undefined) return;
    const { owner } = await readOwner(objects, signal);
    const isOver = refusal.kind === 'held' && this.#leaseOf(owner) !== 'held';
    if (runOf(owner) === refusal.run && !isOver) {
      if (refusal.kind === 'held') this.#logWait(refusal.error);
      throw refusal.error;
    }
    this.#refusal = undefined;
  }

  /** Renews the lease, or takes it again if nobody has meanwhile. REPLICA_IN_USE if somebody has. */
  async renewLease(objects: OwnerObjects, highest: bigint, signal: AbortSignal): Promise<void> {
    const renewal = await this.#held?.renew(objects, highest, signal);
    if (renewal?.kind !== 'lost') return;
    const { owner } = renewal.found;
    if (owner !== undefined && runOf(owner) !== this.#run) {
      throw this.#refuse(owner, { highest, newestAt: undefined });
    }
    const what = `${OWNER_NAME} was changed there, so it is listed again`;
    throw new ReplicationError(
      'REPLICA_CHANGED',
      `renew the lease of ${this.#context.name}: ${what}`,
    );
  }

  /** The last write there. It is tried once: otherwise the lease ends by itself. */
  async releaseLease(objects: OwnerObjects, signal: AbortSignal): Promise<void> {
    const { name, target, logger } = this.#context;
    try {
      await this.#held?.release(objects, signal);
    } catch (error) {
      logger.debug(`${name}: the lease was not released: ${messageOf(error)}`, { target });
    }
  }

  /**
   * Makes sure that this replicator is the owner. REPLICA_IN_USE if another one is. 'taken over': another one was until
   * now, and may have written since the listing.
   */
  async require(replica: ListedReplica, signal: AbortSignal): Promise<'owner' | 'taken over'> {
    const { objects } = replica;
    if (objects === undefined) return 'owner';
    if (this.#held !== undefined) requireConditions(this.#context.name, replica.capabilities);
    const self = await this.#context.identity.self();
    this.#run = self.run;
    this.#hasTakenOver = false;
    try {
      await this.#require(self, { ...replica, objects }, signal);
      this.#isAllowed = true;
      this.#isWaiting = false;
      return this.#hasTakenOver ? 'taken over' : 'owner';
    } catch (error) {
      const isRefused = isError(error) && NOT_ALLOWED.has(error.code);
      if (!isRefused || this.#held !== undefined) throw error;
      this.#isAllowed = false;
      this.#warnOnce(error);
      return 'owner';
    }
  }

  async #require(self: Self, replica: WritableReplica, signal: AbortSignal): Promise<void> {
    const { name, target, logger } = this.#context;
    let before: Found | undefined;
    for (let attempt = 1; ; attempt++) {
      const found = await this.#read(self, replica, signal);
      const result = await this.#become(self, found, replica, 'conditional', signal);
      if (result === 'owner') return;
      const isUnchanged = before?.owner !== undefined && isSame(before, found);
      if (attempt >= ATTEMPTS_MAX && isUnchanged && this.#held === undefined) {
        // Nobody changes it: the server, or a proxy before it, has other versions for writes than for reads.
        const what = `refuses to replace ${OWNER_NAME} although it has not changed, so it is replaced unconditionally`;
        logger.warn(`${name} ${what}`, { target });
        await this.#become(self, found, replica, 'unconditional', signal);
        return;
      }
      before = found;
      if (attempt < ATTEMPTS_MAX) continue;
      throw new ReplicationError(
        'REPLICA_CONFLICT',
        `write ${OWNER_NAME} at ${name}: the write was refused ${ATTEMPTS_MAX} times, because the ` +
          'object has changed; make sure that only one replicator writes to this path',
      );
    }
  }

  /**
   * Credentials that are limited to some prefixes get "denied" instead of "not found" for an object that does
   * not exist. So it is created, and read again.
   */
  async #read(
    self: Self,
    { objects, capabilities, highest }: WritableReplica,
    signal: AbortSignal,
  ): Promise<Found> {
    try {
      return await readOwner(objects, signal);
    } catch (error) {
      const mayExist = this.#epoch !== undefined || capabilities.conditions === undefined;
      if (mayExist || !isError(error, 'REPLICA_PERMISSION_DENIED')) throw error;
      const owner = this.#toOwner(self, { epoch: 1, highest });
      await objects
        .put(OWNER_NAME, toBytes(owner), { condition: 'if-absent', signal })
        .catch((failure: unknown) => {
          throw isError(failure, 'REPLICA_CONFLICT') ? error : failure; // it exists
        });
      return await readOwner(objects, signal);
    }
  }

  async #become(
    self: Self,
    found: Found,
    replica: WritableReplica,
    how: 'conditional' | 'unconditional',
    signal: AbortSignal,
  ): Promise<'owner' | 'changed'> {
    const { name, target, foreign, logger } = this.#context;
    const { chain, highest, capabilities, objects } = replica;
    const { owner: other } = found;
    const standing = standingOf({
      self,
      found: other,
      epoch: this.#epoch,
      chain,
      highest,
      foreign,
      lease: this.#leaseOf(other),
    });
    if (standing.kind === 'theirs') throw this.#refuse(other, replica);
    if (standing.kind === 'held') throw this.#wait(other as Owner);
    if (typeof other === 'object' && other.run === self.run) {
      this.#epoch = other.epoch; // also if the answer to the write was lost
      return await this.#takeLease(other, found.version, replica, signal);
    }
    if (this.#epoch === undefined && highest > 0n) {
      await removeManifest(objects, { name, target, logger }, signal);
    }
    const before = typeof other === 'object' ? other.epoch : 0;
    const owner = this.#toOwner(self, { epoch: Math.max(before, this.#epoch ?? 0) + 1, highest });
    const condition = how === 'conditional' ? conditionFor(found, capabilities) : undefined;
    let version: string | undefined;
    try {
      if (this.#held === undefined) await writeOwner(objects, owner, { condition, signal });
      else if (condition === undefined) throw noLease(name, 'the server reports no versions');
      else version = await writeExactly(objects, owner, { condition, signal });
    } catch (error) {
      if (condition !== undefined && isError(error, 'REPLICA_CONFLICT')) return 'changed';
      throw error;
    }
    this.#epoch = owner.epoch;
    this.#hasTakenOver = typeof other === 'object' && other.id !== self.id;
    const note = standing.kind === 'ours' ? standing.note : undefined;
    if (note !== undefined)
      logger.warn(`${name}: this replicator is the owner now: ${note}`, { target });
    return await this.#takeLease(owner, version, replica, signal);
  }

  /** The owner object is ours: holds its lease too, if this replicator uses leases. */
  async #takeLease(
    owner: Owner,
    version: string | undefined,
    { objects, highest }: WritableReplica,
    signal: AbortSignal,
  ): Promise<'owner' | 'changed'> {
    const held = this.#held;
    if (held === undefined || held.isHeld) return 'owner';
    held.adopt(owner, version);
    const { kind } = await held.renew(objects, highest, signal);
    return kind === 'held' ? 'owner' : 'changed';
  }

  /** 'none' if this replicator uses no leases. */
  #leaseOf(owner: OwnerText | undefined): 'none' | 'held' | 'ended' {
    return this.#held === undefined || typeof owner !== 'object' ? 'none' : this.#seen.see(owner);
  }

  #wait(owner: Owner): ReplicationError {
    const { name, onHeld } = this.#context;
    const error = new ReplicationError(
      'REPLICA_IN_USE',
      `write to ${name}: it belongs to ${describeOwner(owner)}, which holds a lease of ` +
        `${formatDuration(owner.lease?.ttlMs ?? 0)}; nothing is written there before that is released or has ended; ` +
        'with "-take-over" it is taken at once',
    );
    this.#isWaiting = true;
    this.#refusal = { kind: 'held', run: owner.run, error };
    this.#logWait(error);
    onHeld?.(error);
    return error;
  }

  #logWait({ message, code }: ReplicationError): void {
    const { name, target, logger, clock } = this.#context;
    const now = clock.monotonic();
    if (now - this.#loggedAt < LOG_MS) return;
    this.#loggedAt = now;
    logger.info(`${name}: waiting for the lease of another replicator: ${message}`, {
      target,
      code,
    });
  }

  #toOwner(
    self: Self,
    { epoch, highest }: { readonly epoch: number; readonly highest: bigint },
  ): Owner {
    const { restored: _, ...place } = self;
    const since = new Date(this.#context.clock.now()).toISOString();
    const lease = this.#held?.first;
    return { ...place, epoch, pid: process.pid, since, txid: highest, ...(lease && { lease }) };
  }

  #warnOnce({ code, message }: ReplicationError): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { name, target, logger } = this.#context;
    const why = `cannot read or write ${OWNER_NAME} there, so a second replicator may not be kept away: ${message}`;
    logger.warn(`${name}: ${why}`, { target, code });
  }

  #refuse(
    found: OwnerText | undefined,
    { highest, newestAt }: Pick<ListedReplica, 'highest' | 'newestAt'>,
  ): ReplicationError {
    const { name } = this.#context;
    const at = newestAt === undefined ? '' : `, written at ${newestAt.toISOString()}`;
    const newest =
      highest === 0n ? 'it has no files' : `its newest TXID is ${formatTXID(toTXID(highest))}${at}`;
    const owner = describeFound(found);
    const what =
      this.#epoch === undefined
        ? `write to ${name}: ${owner}; ${newest}; give this database another path, or, if that replicator has ` +
          'ended for good, start once with -take-over'
        : `write to ${name}: another replicator has taken it over: ${owner}; ${newest}; nothing more is written there. ` +
          'Stop one of the two: the files of this one are in its staging folder, and "-take-over" at a start takes it back';
    const error = new ReplicationError('REPLICA_IN_USE', what);
    this.#isWaiting = false;
    this.#refusal = { kind: 'theirs', run: runOf(found), error };
    return error;
  }
}

interface Refusal {
  /** 'held': until its lease ends. */
  readonly kind: 'theirs' | 'held';
  readonly run: string | undefined;
  readonly error: ReplicationError;
}

function requireConditions(name: string, { conditions, versions }: Capabilities): void {
  if (conditions !== undefined && versions === true) return;
  throw noLease(name, 'it cannot replace an object on condition that it has not changed');
}

function describeFound(found: OwnerText | undefined): string {
  if (typeof found === 'object') return `it belongs to ${describeOwner(found)}`;
  const how = found === 'newer' ? 'was written by a later version of Sluice' : 'is damaged';
  return `its ${OWNER_NAME} ${how}`;
}

export interface OwnershipsContext
  extends
    Pick<OwnershipContext, 'foreign' | 'onHeld' | 'clock' | 'logger'>,
    Pick<IdentityContext, 'files' | 'random' | 'machine'> {
  readonly options: Pick<IdentityContext, 'path' | 'metaPath'>;
}

/** For each destination of a database, what keeps it to one writer. */
export function ownershipsOf(
  context: OwnershipsContext,
): (target: Pick<OwnershipContext, 'name' | 'target' | 'lease'>) => Ownership {
  const { options, foreign, onHeld, clock, logger, ...ports } = context;
  const { path, metaPath } = options;
  const identity = new Identity({
    ...{ ...ports, path, metaPath },
    onProblem: (error) => logger.debug(`cannot keep the ID beside ${path}: ${messageOf(error)}`),
  });
  const shared = { identity, foreign, onHeld, clock, logger };
  return ({ name, target, lease }) => new Ownership({ name, target, lease, ...shared });
}
