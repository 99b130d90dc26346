/** What a destination is doing, and what it does next: a total table (SPEC.md), pure. */

export type DestinationState = 'listing' | 'seeding' | 'streaming' | 'failing' | 'closed';

export type DestinationEvent =
  /** The first listing, or one after another writer was seen, has been read. */
  | 'listed'
  /** An image is being written. */
  | 'seed-begun'
  | 'seed-done'
  /** A write or a listing failed; it will be tried again. */
  | 'failed'
  /** A try after a failure was successful. */
  | 'healed'
  /** It holds what we did not write: it is listed again. */
  | 'foreign'
  | 'close';

type Table = Readonly<
  Record<DestinationState, Readonly<Record<DestinationEvent, DestinationState>>>
>;

const TABLE: Table = {
  listing: {
    listed: 'streaming',
    'seed-begun': 'listing',
    'seed-done': 'listing',
    failed: 'failing',
    healed: 'listing',
    foreign: 'listing',
    close: 'closed',
  },
  seeding: {
    listed: 'seeding',
    'seed-begun': 'seeding',
    'seed-done': 'streaming',
    failed: 'failing',
    healed: 'seeding',
    foreign: 'listing',
    close: 'closed',
  },
  streaming: {
    listed: 'streaming',
    'seed-begun': 'seeding',
    'seed-done': 'streaming',
    failed: 'failing',
    healed: 'streaming',
    foreign: 'listing',
    close: 'closed',
  },
  failing: {
    listed: 'streaming',
    'seed-begun': 'seeding',
    'seed-done': 'streaming',
    failed: 'failing',
    healed: 'streaming',
    foreign: 'listing',
    close: 'closed',
  },
  closed: {
    listed: 'closed',
    'seed-begun': 'closed',
    'seed-done': 'closed',
    failed: 'closed',
    healed: 'closed',
    foreign: 'closed',
    close: 'closed',
  },
};

export function transition(state: DestinationState, event: DestinationEvent): DestinationState {
  return TABLE[state][event];
}

/** Wait before the next try after `failures` failures in a row: doubling, with jitter, bounded. */
export function backoffMs(failures: number, random: () => number): number {
  const full = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (0.5 + random() / 2));
}

const BACKOFF_MS_MIN = 500;
/** A destination that comes back is noticed within this. */
export const BACKOFF_MS_MAX = 30_000;
