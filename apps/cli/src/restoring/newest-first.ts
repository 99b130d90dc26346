/** Orders the states of several destinations: the newest first. */

import { includesState, newestOfEachLineage, orderByLineage } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import { ReplicationError } from '@sluice/core/backend';
import { describeOld, olderFirst, type OldCandidate } from './old.ts';
import type { LTXCandidate, LTXUnusable, Unusable } from './survey.ts';

/** The state of a destination, whether it can be restored from there or not. */
export type LTXState = LTXCandidate | (LTXUnusable & Pick<LTXCandidate, 'newest'>);
export type State = LTXState | OldCandidate;

export function isState(answer: Unusable): answer is LTXUnusable & Pick<LTXCandidate, 'newest'> {
  return answer.layout === 'ltx' && answer.newest !== undefined;
}

/**
 * RESTORE_AMBIGUOUS if the destinations hold different histories. A backup of Litestream 0.3 has no
 * times of its own. So for the latest state it is never preferred to LTX files at another destination.
 */
export async function newestFirst(states: readonly State[], signal: AbortSignal): Promise<State[]> {
  const ltx = await newestLTXFirst(states.filter(isLTX), signal);
  const old = states.filter((state) => state.layout === 'v03').sort((a, b) => olderFirst(b, a));
  const [newest] = ltx;
  const [newestOld] = old;
  if (newest === undefined || newestOld === undefined) return [...ltx, ...old];
  if (newest.newest.at >= newestOld.plan.at) return [...ltx, ...old];
  if (newestOld.plan.next === undefined) throw ambiguousError([newestOld, newest]);
  return [...old, ...ltx];
}

function isLTX(state: State): state is LTXState {
  return state.layout === 'ltx';
}

async function newestLTXFirst(
  states: readonly LTXState[],
  signal: AbortSignal,
): Promise<LTXState[]> {
  const entries = states.map((state) => ({ state, ...state.newest })).sort(byDistance);
  const parts = new Map<string, boolean>();
  const key = (part: LTXState, whole: LTXState): string =>
    JSON.stringify([states.indexOf(part), states.indexOf(whole)]);
  const ends = newestOfEachLineage(entries);
  const pairs = ends.flatMap((part) => ends.map((whole) => [part.state, whole.state] as const));
  await Promise.all(
    pairs
      .filter(([part, whole]) => part !== whole)
      .map(async ([part, whole]) => {
        parts.set(key(part, whole), await includesState(whole, part, signal));
      }),
  );
  const ordered = orderByLineage(entries, ({ state: part }, { state: whole }) => {
    return parts.get(key(part, whole)) ?? false;
  });
  const found = ordered.states.map(({ state }) => state);
  if (ordered.kind === 'diverged') throw ambiguousError(found);
  return found;
}

/** Of equal states, prefers those that can be restored, of these several destinations together, then the nearest. */
function byDistance(a: { readonly state: LTXState }, b: { readonly state: LTXState }): number {
  const rank = (state: LTXState): number =>
    state.kind === 'unusable' ? 2 : state.across === undefined ? 1 : 0;
  return rank(a.state) - rank(b.state) || a.state.listedInMs - b.state.listedInMs;
}

function ambiguousError(ends: readonly State[]): ReplicationError {
  const lines = ends.map((state) => `  ${describeState(state)}`);
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    'the destinations hold different histories, and none of them includes the others:\n' +
      `${lines.join('\n')}\nchoose one: run "sluice restore -replica NAME"`,
  );
}

export function describeState(state: State): string {
  const { name, target } = state.destination;
  if (state.layout === 'v03') return `${name} (${target}): ${describeOld(state)}`;
  const { txid, at, lineage } = state.newest;
  const of =
    lineage === 0n ? 'of unknown lineage' : `of lineage ${lineage.toString(16).padStart(16, '0')}`;
  return `${name} (${target}): TXID ${formatTXID(txid)} ${of}, written at ${at.toISOString()}`;
}
