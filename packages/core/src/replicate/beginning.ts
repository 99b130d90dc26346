/** How the history of a database goes on at a start: resumed, or with an image. Pure. */

import type { BeginOrder } from '../database/engine.ts';
import { formatTXID, highestOf, toTXID } from '../ltx/txid.ts';
import type { Chain, SentRecord } from './destination/admission.ts';

export interface Heard {
  readonly name: string;
  /** undefined where it could not be listed yet. */
  readonly chain: Chain | undefined;
  readonly highest: bigint;
}

export interface BeginningInput {
  /** The TXID of which continuity is proved in the log, or why none is. */
  readonly proved: bigint | undefined;
  readonly why: string | undefined;
  /** The highest TXID that was given out, as far as the staging folder tells. */
  readonly lastTXID: bigint;
  /** What was sent to any place, also to one that is out of reach or not configured any more. */
  readonly records: readonly Pick<SentRecord, 'txid'>[];
  readonly destinations: readonly Heard[];
}

/**
 * An image where continuity is not proved; where more was sent than the staging folder knows of, so
 * that part of it is lost; and where a destination that is not ours has TXIDs that ours would run
 * into. It bears a TXID that nobody was ever given: a destination that is out of reach may hold any
 * that was recorded as sent. Others that lack a base get a snapshot, which needs no new history.
 */
export function decideBeginning(input: BeginningInput): BeginOrder {
  const { proved, lastTXID, records, destinations } = input;
  const sent = highestOf(...records.map(({ txid }) => txid));
  const floor = highestOf(lastTXID, sent, ...destinations.map((heard) => heard.highest));
  if (proved === undefined)
    return { mode: 'image', floor, why: input.why ?? 'continuity could not be proved' };
  if (sent > proved) {
    const why =
      `TXID ${formatTXID(toTXID(sent))} was sent, but the staging folder has only TXID ` +
      `${formatTXID(toTXID(proved))}: it was lost in part, or an older copy was put back`;
    return { mode: 'image', floor, why };
  }
  const foreign = destinations.find(
    (heard) => heard.chain === 'foreign' && heard.highest >= proved,
  );
  if (foreign !== undefined) {
    const why = `${foreign.name} has files that this replicator did not send`;
    return { mode: 'image', floor, why };
  }
  return { mode: 'resume', floor, why: '' };
}
