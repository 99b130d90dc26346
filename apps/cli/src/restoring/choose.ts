/**
 * Chooses the destination for a restore. A person reads the warnings and can choose another one; an
 * unattended start must not continue from an older state than the newest.
 */

import {
  includesState,
  newestOfEachLineage,
  orderByLineage,
  type RestoreTarget,
} from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import { isError, ReplicationError, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import {
  describeFailure,
  isNewestWanted,
  type Answer,
  type Candidate,
  type Unanswered,
  type Unusable,
} from './survey.ts';

export interface ChoiceOptions {
  readonly target: RestoreTarget;
  /** Whether a person reads the warnings. */
  readonly isAttended: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The state of a destination, whether it can be restored from there or not. */
type State = Candidate | (Unusable & Pick<Candidate, 'newest'>);

/**
 * Returns the usable destinations, newest state first. RESTORE_NO_SNAPSHOT if all destinations
 * answered that they have no backup; RESTORE_AMBIGUOUS if they hold different histories; if nothing
 * can or may be restored, the error of the destination that prevents it.
 */
export async function choose(
  answers: readonly Answer[],
  options: ChoiceOptions,
): Promise<readonly Candidate[]> {
  const { target, isAttended, logger, signal } = options;
  const candidates = answers.filter((answer) => answer.kind === 'restorable');
  const unanswered = answers.filter((answer) => answer.kind === 'unanswered');
  const unusable = answers.filter((answer) => answer.kind === 'unusable');
  const [mostImportant, ...others] = [...unanswered, ...unusable].sort(byWeight);
  if (candidates.length === 0) {
    if (mostImportant === undefined)
      throw noBackupError(answers.map(({ destination }) => destination));
    if (mostImportant.kind === 'unusable' && isOutOfRange(mostImportant.error)) {
      throw namedError(unusable.filter(({ error }) => isOutOfRange(error)));
    }
    warnOf(others, logger);
    throw mostImportant.kind === 'unusable' ? namedError([mostImportant]) : mostImportant.error;
  }
  if (unanswered.length > 0 && !isAttended) throw unansweredError(unanswered);

  // An unusable state may be newer than the usable ones. That is irrelevant for a TXID, and for a time
  // after which a destination has another state.
  const isOpen = candidates.every(({ plan }) => isNewestWanted(target, plan));
  const mayBeNewer = isOpen ? unusable.filter(({ error }) => !isOutOfRange(error)) : [];
  const states = await newestFirst([...candidates, ...mayBeNewer.filter(isState)], signal);
  const [newest] = states;
  const unusableNewest = newest?.kind === 'unusable' ? newest : undefined;
  if (!isAttended) {
    const obstacle = unusableNewest ?? mayBeNewer.find((answer) => !isState(answer));
    if (obstacle !== undefined) throw onlyOlderError(obstacle);
  }
  warnOf([...unanswered, ...unusable], logger);
  if (unusableNewest !== undefined) {
    logger.warn(
      `the newest state is at ${describeState(unusableNewest)}, but an older one is restored`,
    );
  }
  return states.filter((state) => state.kind === 'restorable');
}

async function newestFirst(states: readonly State[], signal: AbortSignal): Promise<State[]> {
  const entries = states.map((state) => ({ state, ...state.newest })).sort(byDistance);
  const parts = new Map<string, boolean>();
  const key = (part: State, whole: State): string =>
    JSON.stringify([part.destination.name, whole.destination.name]);
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

/** Of equal states, prefers those that can be restored, then local ones. */
function byDistance(a: { readonly state: State }, b: { readonly state: State }): number {
  const distance = ({ kind, destination }: State): number =>
    (kind === 'restorable' ? 0 : 2) + (destination.type === 'file' ? 0 : 1);
  return distance(a.state) - distance(b.state);
}

function isState(answer: Unusable): answer is Unusable & Pick<Candidate, 'newest'> {
  return answer.newest !== undefined;
}

/** Most important first: a destination that did not answer may have data that the others lack. */
function byWeight(a: Unanswered | Unusable, b: Unanswered | Unusable): number {
  return weight(b) - weight(a);
}

function weight(answer: Unanswered | Unusable): number {
  if (answer.kind === 'unanswered') return 3;
  if (isError(answer.error, 'RESTORE_NO_SNAPSHOT')) return 0;
  return isOutOfRange(answer.error) ? 1 : 2;
}

function isOutOfRange(error: Error): boolean {
  return isError(error, 'RESTORE_OUT_OF_RANGE');
}

/** Names the destination of each error. All have the code of the first one. */
function namedError(unusable: readonly Unusable[]): ReplicationError {
  const lines = unusable.map(
    ({ destination: { name, target }, error }) => `${name} (${target}): ${error.message}`,
  );
  const [first] = unusable;
  return new ReplicationError(first?.error.code ?? 'REPLICA_UNKNOWN', lines.join('\n'), {
    cause: first?.error,
  });
}

function warnOf(answers: readonly (Unanswered | Unusable)[], logger: Logger): void {
  for (const { destination, error } of answers) {
    const { message, code } = describeFailure(error);
    logger.warn(`${destination.name} is left out: ${message}`, { code });
  }
}

/** All destinations have answered. */
export function noBackupError(destinations: readonly DestinationConfig[]): ReplicationError {
  return new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `there is no backup: there are no LTX files at ${namesOf(destinations)}`,
  );
}

function namesOf(destinations: readonly DestinationConfig[]): string {
  return destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
}

/** Has the code of the first failure. */
export function unansweredError(unanswered: readonly Unanswered[]): ReplicationError {
  const failures = unanswered.map(({ destination, error }) => ({
    name: destination.name,
    ...describeFailure(error),
  }));
  const [first] = unanswered;
  const code = isError(first?.error) ? first.error.code : 'REPLICA_UNKNOWN';
  const list = failures.map(({ name, message }) => `${name}: ${message}`).join('; ');
  const message =
    `nothing is restored, because a destination that did not answer may hold the newest state: ${list}. ` +
    'To restore without it, run "sluice restore -replica NAME"';
  return new ReplicationError(code, message, { cause: first?.error });
}

function onlyOlderError(newest: Unusable): ReplicationError {
  const where = isState(newest) ? describeState(newest) : newest.destination.name;
  return new ReplicationError(
    newest.error.code,
    `nothing is restored, because the newest state may be at ${where}, and it cannot be restored: ` +
      `${newest.error.message}. To restore an older state, run "sluice restore -replica NAME"`,
    { cause: newest.error },
  );
}

function ambiguousError(ends: readonly State[]): ReplicationError {
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
    lineage === 0n ? 'of unknown lineage' : `of lineage ${lineage.toString(16).padStart(16, '0')}`;
  return `${name} (${target}): TXID ${formatTXID(txid)} ${of}, written at ${at.toISOString()}`;
}
