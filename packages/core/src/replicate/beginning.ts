/** Decides how replication of a database begins at startup: resume, or take an image. Pure. */

import type { BeginOrder } from '../database/engine.ts';
import { formatTXID, highestOf, toTXID } from '../ltx/txid.ts';
import type { Chain, SentRecord } from './destination/admission.ts';

export interface KnownDestination {
  readonly name: string;
  /** undefined if it could not be listed yet. */
  readonly chain: Chain | undefined;
  readonly highest: bigint;
}

export interface BeginningInput {
  /** The TXID up to which the WAL proves continuity; undefined if `why` applies. */
  readonly proved: bigint | undefined;
  readonly why: string | undefined;
  /** The highest TXID recorded in the staging folder. */
  readonly lastTXID: bigint;
  /** Last sent files of all destinations, including unreachable ones and ones no longer configured. */
  readonly records: readonly Pick<SentRecord, 'txid'>[];
  readonly destinations: readonly KnownDestination[];
}

/**
 * Takes an image if continuity is not proved, if more was sent than the staging folder contains (part
 * of it was lost), or if a foreign destination has TXIDs that ours would collide with. The image gets
 * a TXID that was never used before: an unreachable destination may hold any TXID recorded as sent.
 * A destination that only lacks a base gets a snapshot, which does not start a new history.
 */
export function decideBeginning(input: BeginningInput): BeginOrder {
  const { proved, lastTXID, records, destinations } = input;
  const sent = highestOf(...records.map(({ txid }) => txid));
  const floor = highestOf(lastTXID, sent, ...destinations.map(({ highest }) => highest));
  if (proved === undefined)
    return { mode: 'image', floor, why: input.why ?? 'continuity could not be proved' };
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
