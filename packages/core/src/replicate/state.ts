/** What a destination is doing: derived from what is known of it, and kept nowhere else. Pure. */

import type { Chain } from './admission.ts';

export type DestinationState =
  /** Not known yet, or something unexpected was seen there: it is listed before anything is sent. */
  | 'listing'
  /** A full snapshot is on its way there, or is being made for it. */
  | 'seeding'
  /** Increments follow as they are staged. */
  | 'streaming'
  /** What was sent there is not all there any more; a full snapshot is on its way. */
  | 'damaged'
  /** The last try failed, of level 0 or of a snapshot; it will be tried again. */
  | 'failing'
  /** Nothing is sent any more. */
  | 'closed';

export interface DestinationFacts {
  readonly isClosed: boolean;
  /** A try failed, and nothing has shown since that it is over. */
  readonly hasFailed: boolean;
  /** undefined where it must be listed first. */
  readonly chain: Chain | undefined;
  readonly isSeeding: boolean;
}

export function stateOf({
  isClosed,
  hasFailed,
  chain,
  isSeeding,
}: DestinationFacts): DestinationState {
  if (isClosed) return 'closed';
  if (hasFailed) return 'failing';
  if (chain === undefined) return 'listing';
  if (chain === 'damaged') return 'damaged';
  return chain === 'ours' && !isSeeding ? 'streaming' : 'seeding';
}
