/** How the history of a database goes on at a start: resumed, or with an image. Pure. */

import type { BeginOrder } from '../database/engine.ts';
import type { Chain } from './admission.ts';

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
  readonly newestStaged: bigint;
  readonly destinations: readonly Heard[];
}

/**
 * An image where continuity is not proved; and where a destination that is not ours has TXIDs that
 * ours would run into. Others that lack a base get a snapshot, which needs no new history.
 */
export function decideBeginning(input: BeginningInput): BeginOrder {
  const { proved, destinations } = input;
  const highest = destinations.map((heard) => heard.highest);
  const floor = [input.newestStaged, ...highest].reduce((a, b) => (b > a ? b : a), 0n);
  if (proved === undefined) return { mode: 'image', floor, why: input.why ?? 'nothing is proved' };
  const foreign = destinations.find(
    (heard) => heard.chain === 'foreign' && heard.highest >= proved,
  );
  if (foreign !== undefined) {
    const why = `${foreign.name} holds files that were not sent from here`;
    return { mode: 'image', floor, why };
  }
  return { mode: 'resume', floor, why: '' };
}
