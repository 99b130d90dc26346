/**
 * Decides whether this replicator may write to a destination. Pure.
 *
 *  first listing by this process                                           the replica is
 *  no owner object                                                         free
 *  owner has our ID, at this place or at one that cannot be told apart     ours
 *  owner has our ID at another place                                       ours if its files are known: the folder
 *                                                                          was moved. Otherwise it was copied: theirs
 *  owner has another ID at exactly this place                              ours: the staging folder was lost
 *  this database was restored from the owner's backup, and nothing newer
 *  was written there since                                                 ours: the machine was rebuilt
 *  any other owner                                                         theirs, unless it is to be taken over
 *
 *  With a lease: an owner that holds one is waited for, whoever it is, unless it is to be taken over. One whose lease
 *  has ended is no longer the owner.
 *
 *  later listings
 *  no owner object                                                         free: the destination was emptied
 *  owner is this run                                                       ours
 *  owner has our ID and no higher epoch                                    ours: an older state was put back
 *  any other owner                                                         theirs
 *
 * An owner object that is damaged is one of somebody else if the files are. One of a later version is one of somebody
 * else unless the files are known: its owner may not have written any yet.
 */

import type { Chain } from '../destination/admission.ts';
import type { OwnerText, Place } from './owner.ts';

/** This replicator. */
export interface Self extends Place {
  readonly id: string;
  readonly run: string;
  /** Set if the database file, as it is now, was restored from a backup. */
  readonly restored: RestoredFrom | undefined;
}

/** The backup that a database was restored from. */
export interface RestoredFrom {
  /** ID of its owner. */
  readonly owner: string;
  /** The highest TXID there at that time. It may be above the restored one. */
  readonly highest: bigint;
}

export interface StandingInput {
  readonly self: Self;
  readonly found: OwnerText | undefined;
  /** Epoch with which this process became the owner; undefined if it has not yet. */
  readonly epoch: number | undefined;
  readonly chain: Chain;
  /** The highest TXID at the destination. */
  readonly highest: bigint;
  /** The lease of the owner; 'none' if it has none, or if this replicator does not use leases. */
  readonly lease?: 'none' | 'held' | 'ended' | undefined;
  /** What to do with a replica of somebody else at the first listing. */
  readonly foreign: ForeignReplica;
}

export type ForeignReplica = 'refuse' | 'take over';

export type Standing =
  | { readonly kind: 'free' }
  /** `note`: for the log, if that is not what one would expect. */
  | { readonly kind: 'ours'; readonly note: string | undefined }
  | { readonly kind: 'theirs' }
  /** Somebody else holds its lease. */
  | { readonly kind: 'held' };

const FREE: Standing = { kind: 'free' };
const OURS: Standing = { kind: 'ours', note: undefined };
const THEIRS: Standing = { kind: 'theirs' };
const HELD: Standing = { kind: 'held' };

export function standingOf(input: StandingInput): Standing {
  const { self, found, epoch, chain } = input;
  if (found === undefined) return FREE;
  if (found === 'damaged' || found === 'newer') {
    const isNobodys = chain === 'empty' && found === 'damaged';
    if (isNobodys || (chain !== 'empty' && chain !== 'foreign')) return OURS;
    const before = found === 'newer' ? 'is of a later version' : 'was damaged';
    return epoch === undefined ? elsewise(input, `its owner object ${before}`) : THEIRS;
  }
  if (epoch !== undefined) {
    const isOlder = found.id === self.id && found.epoch <= epoch;
    return found.run === self.run || isOlder ? OURS : THEIRS;
  }
  if (input.lease === 'held' && input.foreign === 'refuse' && found.run !== self.run) return HELD;
  const place = comparePlaces(self, found);
  if (found.id === self.id) {
    if (place !== 'different') return OURS;
    const note = `the staging folder comes from ${found.path} on ${found.host}`;
    return chain === 'foreign' ? elsewise(input, 'it was owned elsewhere') : { kind: 'ours', note };
  }
  if (place === 'same') return { kind: 'ours', note: 'this machine has lost its staging folder' };
  const { restored } = self;
  if (restored?.owner === found.id && input.highest <= restored.highest) {
    const note = `this database was restored from there; it was owned by ${found.path} on ${found.host}`;
    return { kind: 'ours', note };
  }
  return elsewise(input, `it was owned by ${found.path} on ${found.host}`);
}

function elsewise({ foreign, lease }: StandingInput, before: string): Standing {
  if (foreign === 'take over') return { kind: 'ours', note: `taken over: ${before}` };
  if (lease !== 'ended') return THEIRS;
  return { kind: 'ours', note: `taken over: ${before}, whose lease has ended` };
}

/** Without an ID of the machine, equal names prove nothing: "app-0" exists in every cluster. */
function comparePlaces(a: Place, b: Place): 'same' | 'different' | 'unknown' {
  if (a.host !== b.host || a.path !== b.path) return 'different';
  if (a.machine === undefined || b.machine === undefined) return 'unknown';
  return a.machine === b.machine ? 'same' : 'different';
}
