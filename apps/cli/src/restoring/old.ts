/**
 * Backups of Litestream 0.3 among the answers of destinations. A destination may also hold LTX files,
 * written after an upgrade: the layout with the newer state is used.
 */

import {
  hasBackup,
  isError,
  newestLayout,
  surveyV03,
  type Generation,
  type RestoreTarget,
  type V03Plan,
  type V03Source,
  type V03Target,
} from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { formatTXID, type TXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import type { LTXAnswer, LTXCandidate, LTXUnusable } from './survey.ts';

/** -generation and -index. */
export type OldFlags = Pick<V03Target, 'generation' | 'index'>;

export interface OldCandidate {
  readonly kind: 'restorable';
  readonly layout: 'v03';
  readonly destination: DestinationConfig;
  readonly source: V03Source;
  readonly listed: readonly Generation[];
  readonly target: V03Target;
  readonly plan: V03Plan;
  /** Says what else is there and is not restored. */
  readonly note?: string | undefined;
  /** The state of the LTX files there, if it can be restored. */
  readonly ltx?: TXID | undefined;
}

export interface OldUnusable {
  readonly kind: 'unusable';
  readonly layout: 'v03';
  readonly destination: DestinationConfig;
  /** Time of the last upload. */
  readonly updatedAt: Date;
  readonly error: ReplicationError;
}

export interface OldSurvey {
  readonly destination: DestinationConfig;
  readonly source: V03Source;
  readonly generations: readonly Generation[];
  readonly target: V03Target;
  readonly signal: AbortSignal;
}

export async function surveyOld({
  destination,
  source,
  generations,
  target,
  signal,
}: OldSurvey): Promise<OldCandidate | OldUnusable> {
  const survey = await surveyV03(source, generations, target, signal);
  const layout = 'v03';
  if (survey.kind === 'restorable') {
    const { plan } = survey;
    return { kind: 'restorable', layout, destination, source, listed: generations, target, plan };
  }
  // The latest upload is last. Objects that Litestream 0.3 does not use are never newer than LTX files.
  const updatedAt = generations.findLast(hasBackup)?.updatedAt ?? new Date(0);
  return { kind: 'unusable', layout, destination, updatedAt, error: survey.error };
}

/** Which answer of one destination counts. */
export function newerOf(
  ltx: LTXAnswer,
  old: OldCandidate | OldUnusable,
  target: RestoreTarget,
): LTXAnswer | OldCandidate | OldUnusable {
  if (ltx.kind === 'empty') return old;
  return target.kind === 'latest' ? newerOfLatest(ltx, old) : newerAt(ltx, old);
}

function newerOfLatest(
  ltx: LTXCandidate | LTXUnusable,
  old: OldCandidate | OldUnusable,
): LTXCandidate | LTXUnusable | OldCandidate | OldUnusable {
  const uploadedAt = ltx.listed.reduce(
    (last, { modifiedAt }) => (modifiedAt > last ? modifiedAt : last),
    new Date(0),
  );
  const writtenAt = ltx.newest?.at ?? uploadedAt;
  const updatedAt = old.kind === 'restorable' ? old.plan.generation.updatedAt : old.updatedAt;
  const newest = newestLayout({ writtenAt, uploadedAt }, updatedAt);
  if (newest === 'ltx') return ltx;
  if (newest === 'v03') return withNote(old, ltx, 'its newest state');
  const { destination, layout } = old;
  const error = unclearError(ltx, updatedAt);
  return { kind: 'unusable', layout, destination, updatedAt, error };
}

/** The state at a time: the later one that is not after it. */
function newerAt(
  ltx: LTXCandidate | LTXUnusable,
  old: OldCandidate | OldUnusable,
): LTXCandidate | LTXUnusable | OldCandidate | OldUnusable {
  if (old.kind === 'restorable') {
    if (ltx.kind === 'unusable') {
      return mayReplace(old, ltx) ? withNote(old, ltx, AT_THAT_TIME) : ltx;
    }
    const isAfterAll = old.plan.next === undefined && ltx.plan.moment?.next === undefined;
    if (isAfterAll) return newerOfLatest(ltx, old);
    return ltx.newest.at >= old.plan.at ? ltx : withNote(old, ltx, AT_THAT_TIME);
  }
  if (ltx.kind === 'restorable') {
    const mayBeNewer = ltx.plan.moment?.next === undefined && !isOutside(old.error);
    return mayBeNewer ? newerOfLatest(ltx, old) : ltx;
  }
  if (!isOutside(ltx.error)) return ltx;
  if (isOutside(old.error)) return { ...ltx, error: outsideError(ltx, old) };
  const isBackup = old.updatedAt.getTime() > 0; // see surveyOld
  return ltx.beforeGap === undefined && isBackup ? old : ltx;
}

/** If the time is before all LTX files, or in a gap of theirs that this state lies in. */
function mayReplace(old: OldCandidate, { error, beforeGap }: LTXUnusable): boolean {
  return isOutside(error) && (beforeGap === undefined || old.plan.at > beforeGap.at);
}

function isOutside(error: ReplicationError): boolean {
  return isError(error, 'RESTORE_OUT_OF_RANGE');
}

/** The beginning of a note about a target in the past. */
const AT_THAT_TIME = 'its state at that time';

function withNote(
  old: OldCandidate | OldUnusable,
  ltx: LTXCandidate | LTXUnusable,
  state: string,
): OldCandidate | OldUnusable {
  const { newest } = ltx;
  const txid = ltx.kind === 'restorable' ? ltx.plan.txid : undefined;
  if (old.kind === 'unusable') return { ...old, error: withLTXState(old.error, txid) };
  const other =
    newest === undefined
      ? 'the LTX files there'
      : `the LTX files there (TXID ${formatTXID(newest.txid)}, written at ${newest.at.toISOString()})`;
  const note = `${state} is in the backup of Litestream 0.3, not in ${other}`;
  return { ...old, note, ltx: txid };
}

/** Adds the way out to an error about a backup of Litestream 0.3. */
export function withLTXState(error: ReplicationError, ltx: TXID | undefined): ReplicationError {
  if (ltx === undefined) return error;
  const message = `${error.message}; the LTX files there can be restored with -txid ${formatTXID(ltx)}`;
  return new ReplicationError(error.code, message, { cause: error });
}

function outsideError(ltx: LTXUnusable, old: OldUnusable): ReplicationError {
  const message = `${old.error.message}; and of the LTX files: ${ltx.error.message}`;
  return new ReplicationError('RESTORE_OUT_OF_RANGE', message, { cause: old.error });
}

function unclearError(
  { newest, destination }: LTXCandidate | LTXUnusable,
  updatedAt: Date,
): ReplicationError {
  const ltx =
    newest === undefined
      ? 'LTX files'
      : `LTX files (TXID ${formatTXID(newest.txid)}, written at ${newest.at.toISOString()})`;
  const choice =
    newest === undefined ? '' : ` the LTX files with -txid ${formatTXID(newest.txid)}, or`;
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    `${destination.target} holds ${ltx} and a backup of Litestream 0.3 (last upload ${updatedAt.toISOString()}). ` +
      `They were probably copied there, so these times do not show which state is newer: choose${choice} ` +
      'the other backup with -generation ("sluice generations" lists them)',
  );
}

/** Positions of one generation can be compared; other states only by their times. */
export function olderFirst(a: OldCandidate, b: OldCandidate): number {
  const byTime = a.plan.at.getTime() - b.plan.at.getTime();
  if (a.plan.generation.id !== b.plan.generation.id) return byTime;
  const [last, other] = [a.plan, b.plan].map(({ segments, snapshot }) => ({
    offset: 0,
    ...(segments.at(-1) ?? snapshot),
  }));
  return (last?.index ?? 0) - (other?.index ?? 0) || (last?.offset ?? 0) - (other?.offset ?? 0);
}

/** "generation 0123456789abcdef of Litestream 0.3, uploaded at 2026-01-01T00:00:00.000Z" */
export function describeOld({ plan }: Pick<OldCandidate, 'plan'>): string {
  return `generation ${plan.generation.id} of Litestream 0.3, uploaded at ${plan.at.toISOString()}`;
}
