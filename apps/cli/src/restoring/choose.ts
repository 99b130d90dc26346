/**
 * Which destination a restore reads. A person reads what is said, and can choose another; a start that
 * nobody watches must not go on with an older state than there is.
 */

import { includes, newestOfEachLineage, orderByLineage, type RestoreTarget } from '@sluice/core';
import { isError, ReplicationError, type Logger } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import {
  describeFailure,
  type Answer,
  type Candidate,
  type NoAnswer,
  type Unusable,
} from './ask.ts';

export interface ChoiceOptions {
  readonly target: RestoreTarget;
  /** Whether somebody reads what is said. */
  readonly isAttended: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A state that a destination has, whether it can be restored from there or not. */
type State = Candidate | (Unusable & Pick<Candidate, 'newest'>);

/**
 * Those that can be restored from, newest first. RESTORE_NO_SNAPSHOT where all destinations have
 * answered that they have no backup, RESTORE_AMBIGUOUS where they hold different histories; where
 * nothing can be restored, or must not be, what stands in the way.
 */
export async function choose(
  answers: readonly Answer[],
  options: ChoiceOptions,
): Promise<readonly Candidate[]> {
  const { target, isAttended, logger, signal } = options;
  const candidates = answers.filter((answer) => answer.kind === 'restorable');
  const silent = answers.filter((answer) => answer.kind === 'no-answer');
  const unusable = answers.filter((answer) => answer.kind === 'unusable');
  const [worst, ...others] = [...silent, ...unusable].sort(byWeight);
  if (candidates.length === 0) {
    warnOf(others, logger);
    throw worst?.error ?? noBackup(answers);
  }
  if (silent.length > 0 && !isAttended) throw noAnswerFrom(silent);

  // A file that cannot be used may be newer than what can. At a moment it has just not been there.
  const mayBeNewer = target.kind === 'latest' ? unusable : [];
  const states = await newestFirst([...candidates, ...mayBeNewer.filter(isState)], signal);
  const [newest] = states;
  const lost = newest?.kind === 'unusable' ? newest : undefined;
  if (!isAttended) {
    const obstacle = lost ?? mayBeNewer.find((answer) => !isState(answer));
    if (obstacle !== undefined) throw onlyOlder(obstacle);
  }
  warnOf([...silent, ...unusable], logger);
  if (lost !== undefined) {
    logger.warn(`the newest state is at ${describeState(lost)}: an older one is restored`);
  }
  return states.filter((state) => state.kind === 'restorable');
}

async function newestFirst(states: readonly State[], signal: AbortSignal): Promise<State[]> {
  const named = states.map((state) => ({ state, ...state.newest })).sort(byDistance);
  const parts = new Map<string, boolean>();
  const key = (part: State, whole: State): string =>
    JSON.stringify([part.destination.name, whole.destination.name]);
  const ends = newestOfEachLineage(named);
  const pairs = ends.flatMap((part) => ends.map((whole) => [part.state, whole.state] as const));
  await Promise.all(
    pairs
      .filter(([part, whole]) => part !== whole)
      .map(async ([part, whole]) => {
        parts.set(key(part, whole), await includes(whole, part, signal));
      }),
  );
  const ordered = orderByLineage(named, ({ state: part }, { state: whole }) => {
    return parts.get(key(part, whole)) ?? false;
  });
  const found = ordered.states.map(({ state }) => state);
  if (ordered.kind === 'apart') throw ambiguous(found);
  return found;
}

/** Of equal states one that can be restored comes before one that cannot, and a local one before others. */
function byDistance(a: { readonly state: State }, b: { readonly state: State }): number {
  const distance = ({ kind, destination }: State): number =>
    (kind === 'restorable' ? 0 : 2) + (destination.type === 'file' ? 0 : 1);
  return distance(a.state) - distance(b.state);
}

function isState(answer: Unusable): answer is Unusable & Pick<Candidate, 'newest'> {
  return answer.newest !== undefined;
}

/** One that could not be asked may have what the others lack; a moment that is not there tells least. */
function byWeight(a: NoAnswer | Unusable, b: NoAnswer | Unusable): number {
  return weight(b) - weight(a);
}

function weight(answer: NoAnswer | Unusable): number {
  if (answer.kind === 'no-answer') return 3;
  if (isError(answer.error, 'RESTORE_NO_SNAPSHOT')) return 0;
  return isError(answer.error, 'RESTORE_OUT_OF_RANGE') ? 1 : 2;
}

function warnOf(answers: readonly (NoAnswer | Unusable)[], logger: Logger): void {
  for (const { destination, error } of answers) {
    const { message, code } = describeFailure(error);
    logger.warn(`${destination.name} is left out: ${message}`, { code });
  }
}

function noBackup(answers: readonly Answer[]): ReplicationError {
  return new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `there is no backup: no LTX file is at ${namesOf(answers.map(({ destination }) => destination))}`,
  );
}

function namesOf(destinations: readonly DestinationConfig[]): string {
  return destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
}

/** The code is that of the first. */
export function noAnswerFrom(silent: readonly NoAnswer[]): ReplicationError {
  const failures = silent.map(({ destination, error }) => ({
    name: destination.name,
    ...describeFailure(error),
  }));
  const [first] = silent;
  const code = isError(first?.error) ? first.error.code : 'REPLICA_UNKNOWN';
  const said = failures.map(({ name, message }) => `${name}: ${message}`).join('; ');
  const message =
    `nothing is restored, because what has not answered may hold the newest state: ${said}. ` +
    'To restore without it, run "sluice restore -replica NAME"';
  return new ReplicationError(code, message, { cause: first?.error });
}

function onlyOlder(newest: Unusable): ReplicationError {
  const where = isState(newest) ? describeState(newest) : newest.destination.name;
  return new ReplicationError(
    newest.error.code,
    `nothing is restored, because the newest state may be that of ${where}, which cannot be restored: ` +
      `${newest.error.message}. To restore an older one, run "sluice restore -replica NAME"`,
    { cause: newest.error },
  );
}

function ambiguous(ends: readonly State[]): ReplicationError {
  const lines = ends.map((state) => `  ${describeState(state)}`);
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    'the destinations hold different histories, and none of them includes the others:\n' +
      `${lines.join('\n')}\nchoose one: run "sluice restore -replica NAME"`,
  );
}

function describeState({ destination, newest }: State): string {
  const { name, target } = destination;
  const { txid, at, lineage } = newest;
  const of =
    lineage === 0n ? 'of no known lineage' : `of lineage ${lineage.toString(16).padStart(16, '0')}`;
  return `${name} (${target}): TXID ${formatTXID(txid)} ${of}, written at ${at.toISOString()}`;
}
