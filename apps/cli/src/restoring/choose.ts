/**
 * Chooses the destination for a restore. A person reads the warnings and can choose another one; an
 * unattended start must not continue from an older state than the newest.
 */

import type { RestoreTarget } from '@sluice/core';
import { isError, ReplicationError, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import { namesOf } from '../each-destination.ts';
import {
  describeFailure,
  isNewestWanted,
  nextOf,
  type Answer,
  type Candidate,
  type Unanswered,
  type Unusable,
} from './survey.ts';
import { combine, conflictError, isCovered, type Combined } from './across.ts';
import { refuseBeforeGaps } from './gaps.ts';
import { describeState, isState, newestFirst } from './newest-first.ts';

export interface ChoiceOptions {
  readonly target: RestoreTarget;
  /** Whether files of several destinations may be combined. */
  readonly across: 'allowed' | 'refused';
  /** Whether a person reads the warnings. */
  readonly isAttended: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Returns the usable destinations, newest state first; before them, destinations that are read together. RESTORE_NO_SNAPSHOT if all destinations
 * answered that they have no backup; RESTORE_AMBIGUOUS if they hold different histories; if nothing
 * can or may be restored, the error of the destination that prevents it.
 */
export async function choose(
  given: readonly Answer[],
  options: ChoiceOptions,
): Promise<readonly Candidate[]> {
  const { target, isAttended, logger, signal } = options;
  const combined = await combineIf(options, given);
  const own = combined.candidate === undefined ? [] : [combined.candidate];
  const answers = refuseBeforeGaps([...own, ...given]);
  const candidates = answers.filter((answer) => answer.kind === 'restorable');
  const all = candidates.filter((each) => each.layout === 'ltx').find(({ across }) => across);
  const alone = candidates.filter((candidate) => !isCovered(candidate, all));
  const covered = candidates.filter((candidate) => isCovered(candidate, all));
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
    if (mostImportant.kind !== 'unusable') throw mostImportant.error;
    throw togetherError(namedError([mostImportant]), combined);
  }
  if (unanswered.length > 0 && !isAttended) throw unansweredError(unanswered);
  if (combined.conflicts.length > 0) {
    if (!isAttended) throw conflictError(combined.conflicts);
    logger.warn(conflictError(combined.conflicts).message, { code: 'RESTORE_AMBIGUOUS' });
  }

  // An unusable state may be newer than the usable ones. That is irrelevant for a TXID, and for a time
  // after which a destination has another state.
  const isOpen = candidates.every((candidate) => isNewestWanted(target, nextOf(candidate)));
  const left = unusable.filter((answer) => !isCovered(answer, all));
  const mayBeNewer = isOpen ? left.filter(({ error }) => !isOutOfRange(error)) : [];
  const states = await newestFirst([...alone, ...mayBeNewer.filter(isState)], signal);
  const [newest] = states;
  const unusableNewest = newest?.kind === 'unusable' ? newest : undefined;
  if (!isAttended) {
    const obstacle = unusableNewest ?? mayBeNewer.find((answer) => !isState(answer));
    if (obstacle !== undefined) throw onlyOlderError(obstacle);
  }
  warnOf([...unanswered, ...left], logger);
  warnOfCovered(
    unusable.filter((answer) => isCovered(answer, all)),
    logger,
  );
  if (unusableNewest !== undefined) {
    logger.warn(
      `the newest state is at ${describeState(unusableNewest)}, but an older one is restored`,
    );
  }
  return states
    .filter((state) => state.kind === 'restorable')
    .flatMap((state) => (state === all ? [state, ...byTime(covered)] : [state]));
}

/** Of one history: the newest first. They are tried if reading them together fails. */
function byTime(covered: readonly Candidate[]): readonly Candidate[] {
  const timeOf = (each: Candidate): number =>
    each.layout === 'ltx' ? each.newest.at.getTime() : each.plan.at.getTime();
  return covered.toSorted((a, b) => timeOf(b) - timeOf(a));
}

async function combineIf(
  { across, target, signal }: ChoiceOptions,
  answers: readonly Answer[],
): Promise<Combined> {
  if (across === 'allowed') return await combine(answers, target, signal);
  return { candidate: undefined, error: undefined, conflicts: [] };
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

/** Other destinations have what these lack. */
function warnOfCovered(answers: readonly Unusable[], logger: Logger): void {
  for (const { destination, error } of answers) {
    const { message, code } = describeFailure(error);
    logger.warn(
      `${destination.name} cannot be restored alone, and others complete it: ${message}`,
      {
        code,
      },
    );
  }
}

/** Adds that several destinations do not lead there either. */
function togetherError(alone: ReplicationError, { error }: Combined): ReplicationError {
  if (error === undefined) return alone;
  const message = `${alone.message}\nall destinations together: ${error.message}`;
  return new ReplicationError(alone.code, message, { cause: alone.cause });
}

/** All destinations have answered. */
export function noBackupError(destinations: readonly DestinationConfig[]): ReplicationError {
  return new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `there is no backup: there are no LTX files at ${namesOf(destinations)}`,
  );
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
