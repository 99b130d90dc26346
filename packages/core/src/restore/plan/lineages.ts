/**
 * Decides which of several states is the newest. Pure.
 *
 * TXIDs can be compared only within one lineage: each lineage counts from its own start, so an
 * older one may have higher numbers. A state is older than a state of another lineage if the
 * other's files include the file that it ends with. If neither includes the other, the histories
 * have diverged, and the user must choose.
 */

export interface LineageEnd {
  readonly txid: bigint;
  /** 0 if unknown: it is then treated as a lineage of its own. */
  readonly lineage: bigint;
  readonly at: Date;
}

export type Ordered<State> =
  /** Newest first. */
  | { readonly kind: 'ordered'; readonly states: readonly State[] }
  /** The newest state of each history, the latest first. */
  | { readonly kind: 'diverged'; readonly states: readonly State[] };

/** The furthest state of each lineage: the ones that must be compared by their files. */
export function newestOfEachLineage<State extends LineageEnd>(states: readonly State[]): State[] {
  return states.filter(
    (state, index) =>
      !states.some(
        (other, at) =>
          at !== index &&
          isSameLineage(state, other) &&
          (other.txid > state.txid || (other.txid === state.txid && at < index)),
      ),
  );
}

/**
 * `isPartOf(a, b)`: the files of `b` include the last file of `a`. Equal states keep their order.
 */
export function orderByLineage<State extends LineageEnd>(
  states: readonly State[],
  isPartOf: (part: State, whole: State) => boolean,
): Ordered<State> {
  const newest = newestOfEachLineage(states);
  const ends = newest.filter(
    (end, index) =>
      !newest.some(
        (other, at) =>
          other !== end && isPartOf(end, other) && (!isPartOf(other, end) || at < index),
      ),
  );
  const [best] = ends;
  if (best === undefined) return { kind: 'ordered', states: [] };
  if (ends.length > 1) {
    return { kind: 'diverged', states: ends.sort((a, b) => b.at.getTime() - a.at.getTime()) };
  }
  const isOfBest = (state: State): boolean =>
    state === best ||
    isSameLineage(state, best) ||
    (newest.includes(state) && isPartOf(best, state));
  const ofBest = states.filter(isOfBest).sort(byTXID);
  const others = states.filter((state) => !isOfBest(state));
  return {
    kind: 'ordered',
    states: [...ofBest, ...others.sort((a, b) => b.at.getTime() - a.at.getTime())],
  };
}

function isSameLineage(a: LineageEnd, b: LineageEnd): boolean {
  return a.lineage !== 0n && a.lineage === b.lineage;
}

function byTXID(a: LineageEnd, b: LineageEnd): number {
  return a.txid === b.txid ? 0 : a.txid > b.txid ? -1 : 1;
}
