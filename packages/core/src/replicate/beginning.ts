/** Decides how replication of a database begins at startup: resume, send changes, or take an image. Pure. */

import type { BeginOrder } from '../database/engine.ts';
import { formatTXID, highestOf, toTXID } from '../ltx/txid.ts';
import type { EngineEvent, OpenedEvent } from '../database/events.ts';
import type { Chain, SentRecord } from './destination/admission.ts';

export interface KnownDestination {
  readonly name: string;
  /** undefined if it could not be listed yet. */
  readonly chain: Chain | undefined;
  readonly highest: bigint;
}

export function toKnown({
  name,
  holdings: { chain, highest },
}: {
  readonly name: string;
  readonly holdings: Omit<KnownDestination, 'name'>;
}): KnownDestination {
  return { name, chain, highest };
}

export interface BeginningInput {
  /** 'idle': it goes on, because the database was closed only while it was idle. */
  readonly after: OpenedEvent['after'];
  /** The TXID up to which the WAL proves continuity; undefined if `why` applies. */
  readonly proved: bigint | undefined;
  readonly why: string | undefined;
  /** TXID of the newest staged file, if its page checksums are known. */
  readonly checksummed: bigint | undefined;
  /** The highest TXID recorded in the staging folder. */
  readonly lastTXID: bigint;
  /** Last sent files of all destinations, including unreachable ones and ones no longer configured. */
  readonly records: readonly Pick<SentRecord, 'txid'>[];
  readonly destinations: readonly KnownDestination[];
}

/**
 * If continuity is not proved, sends the pages that differ from their checksums as the next increment,
 * provided that nothing above the checksummed file was ever used, and that a destination has its history.
 * Takes an image if that is not possible, if more was sent than the staging folder contains (part
 * of it was lost), or if a foreign destination has TXIDs that ours would collide with. The image gets
 * a TXID that was never used before: an unreachable destination may hold any TXID recorded as sent.
 * A destination that only lacks a base gets a snapshot, which does not start a new history.
 */
export function decideBeginning(input: BeginningInput): BeginOrder {
  const { proved, lastTXID, records, destinations } = input;
  const sent = highestOf(...records.map(({ txid }) => txid));
  const floor = highestOf(lastTXID, sent, ...destinations.map(({ highest }) => highest));
  if (proved === undefined) {
    const mode = mayContinueFromChecksums(input, floor) ? 'changes' : 'image';
    return { mode, floor, why: input.why ?? 'continuity could not be proved' };
  }
  // Only a start decides about what destinations have: while it runs, each uploader does.
  if (input.after === 'idle') return { mode: 'resume', floor, why: '' };
  if (sent > proved) {
    const why =
      `TXID ${formatTXID(toTXID(sent))} was sent, but the staging folder has only TXID ` +
      `${formatTXID(toTXID(proved))}: it was lost in part, or an older copy was put back`;
    return { mode: 'image', floor, why };
  }
  const foreign = destinations.find(
    ({ chain, highest }) => chain === 'foreign' && highest >= proved,
  );
  if (foreign !== undefined) {
    const why = `${foreign.name} has files that this replicator did not send`;
    return { mode: 'image', floor, why };
  }
  return { mode: 'resume', floor, why: '' };
}

/**
 * The checksummed file must be the newest one anywhere. At least one destination must have been listed and
 * have a history that the next increment continues; the others get it, or a snapshot, once they are listed.
 */
function mayContinueFromChecksums(
  { after, checksummed, destinations, lastTXID }: BeginningInput,
  floor: bigint,
): boolean {
  if (checksummed === undefined) return false;
  if (after === 'idle') return checksummed === lastTXID;
  if (checksummed !== floor) return false;
  const isTaken = destinations.some(
    ({ chain, highest }) => chain === 'foreign' && highest >= checksummed,
  );
  return !isTaken && destinations.some(({ chain }) => chain === 'ours');
}

/** For the log; an image is logged when it is announced. */
export function describeBeginning(
  { mode, floor, why }: BeginOrder & { readonly mode: 'resume' | 'changes' },
  proved: bigint | undefined,
): string {
  if (mode === 'resume') return `continuing after TXID ${formatTXID(proved ?? 0n)}`;
  return `comparing the database with TXID ${formatTXID(floor)}: ${why}`;
}

/** For the log. */
export function describeComparison({
  changed,
  pages,
}: Omit<EngineEvent & { kind: 'compared' }, 'kind' | 'txid'>): string {
  if (changed === 0) return 'nothing has changed since the last run';
  return `${changed} of ${pages} pages have changed since the last run, and will be sent`;
}
