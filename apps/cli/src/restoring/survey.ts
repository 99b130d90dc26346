/** Reads the state of every destination for a restore. */

import {
  FileSet,
  isError,
  listGenerations,
  messageOf,
  surveyReplica,
  type ListedFiles,
  type NewestFile,
  type RestorePlan,
  type RestoreSource,
  type RestoreTarget,
  type SurveyedReplica,
} from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { Across } from './across.ts';
import { describeLeftOut } from './left-out.ts';
import type { Sent, SentTo } from './records.ts';
import { newerOf, surveyOld, type OldCandidate, type OldFlags, type OldUnusable } from './old.ts';

/**
 * Time limit for the other destinations after one has responded: a destination that hangs must not
 * block a restore.
 */
const RESPONSE_MS_MAX = 30_000;

/** What was listed at a destination. */
export interface Listed extends ListedFiles {
  readonly capabilities: RestoreSource['capabilities'];
}

/** LTX files, of Sluice or Litestream 0.5. */
export interface LTXCandidate extends SurveyedReplica, Listed {
  readonly kind: 'restorable';
  readonly layout: 'ltx';
  /** The one that has the last file. */
  readonly destination: DestinationConfig;
  readonly plan: RestorePlan;
  /** Several destinations that are read together. */
  readonly across?: Across | undefined;
  /** Says what else is there and is not restored. */
  readonly note?: string | undefined;
}

export interface LTXUnusable extends Omit<SurveyedReplica, 'newest'>, Listed {
  readonly kind: 'unusable';
  readonly layout: 'ltx';
  readonly destination: DestinationConfig;
  readonly error: ReplicationError;
  readonly newest: NewestFile | undefined;
  /** The last state before the gap, if the target is a time in a gap of this destination. */
  readonly beforeGap?: NewestFile | undefined;
}

export type Candidate = LTXCandidate | OldCandidate;

/** It responded, but the requested state cannot be restored from it. */
export type Unusable = LTXUnusable | OldUnusable;

export interface Unanswered {
  readonly kind: 'unanswered';
  readonly destination: DestinationConfig;
  readonly error: Error;
  /** The highest TXID listed there, if only the contents of its files cannot be read. */
  readonly listedTXID?: bigint | undefined;
}

export type LTXAnswer =
  | LTXCandidate
  | LTXUnusable
  | { readonly kind: 'empty'; readonly destination: DestinationConfig };

export type Answer = LTXAnswer | OldCandidate | OldUnusable | Unanswered;

export interface SurveyOptions {
  readonly destinations: readonly DestinationConfig[];
  readonly target: RestoreTarget;
  /** A part of a backup of Litestream 0.3 that was asked for: LTX files are then ignored. */
  readonly old?: OldFlags | undefined;
  readonly connections: Destinations;
  /** Returns the newest state known to have been sent to a destination from this machine. */
  readonly sentTo: SentTo;
  readonly signal: AbortSignal;
  readonly responseMsMax?: number | undefined;
}

/**
 * In order of arrival. Rejects only with the reason of the signal, or for an invalid configuration.
 */
export async function surveyAll(options: SurveyOptions): Promise<Answer[]> {
  const late = new AbortController();
  const signal = AbortSignal.any([options.signal, late.signal]);
  const responseMsMax = options.responseMsMax ?? RESPONSE_MS_MAX;
  let timer: NodeJS.Timeout | undefined;
  const answers: Answer[] = [];
  const survey = async (destination: DestinationConfig): Promise<void> => {
    try {
      const answer = await surveyOne(destination, { ...options, signal });
      answers.push(answer);
      if (answer.kind === 'empty') return;
      timer ??= setTimeout(() => late.abort(tooLateError(responseMsMax)), responseMsMax);
    } catch (error) {
      options.signal.throwIfAborted();
      if (isError(error, 'CONFIG_INVALID')) throw error;
      const listedTXID = isError(error, 'REPLICA_NO_IDENTITY')
        ? await highestListed(destination, { ...options, signal })
        : undefined;
      answers.push({ kind: 'unanswered', destination, error: toError(error), listedTXID });
    }
  };
  try {
    await Promise.all(options.destinations.map(survey));
  } finally {
    clearTimeout(timer);
  }
  return answers;
}

async function surveyOne(destination: DestinationConfig, options: SurveyOptions): Promise<Answer> {
  const { target, old, connections, signal } = options;
  const { client } = await connections.connect(destination, signal);
  const source = { client, root: destination.path };
  const at = target.kind === 'timestamp' ? target.at : undefined;
  if (old !== undefined) {
    const generations = await listGenerations(client, source.root, { signal });
    if (generations.length === 0) {
      const latest = { ...options, target: { kind: 'latest' } } as const;
      const ltx = await surveyLTX(destination, latest, 'known');
      if (ltx.kind !== 'empty') return { ...ltx, kind: 'unusable', error: onlyLTXError(ltx, old) };
    }
    return await surveyOld({ destination, source, generations, target: { at, ...old }, signal });
  }
  if (target.kind === 'txid') return await surveyLTX(destination, options, 'refused');
  const [ltx, generations] = await bothOf(
    surveyLTX(destination, options, 'known'),
    listGenerations(client, source.root, { signal }),
  );
  if (generations.length === 0) return ltx;
  const other = await surveyOld({ destination, source, generations, target: { at }, signal });
  const answer = newerOf(ltx, other, target);
  if (answer.kind !== 'restorable') return answer;
  const notes = [answer.note, describeLeftOut(generations)].filter((note) => note !== undefined);
  return notes.length === 0 ? answer : { ...answer, note: notes.join('; ') };
}

/** Names are not encrypted. undefined if it cannot be listed either. */
async function highestListed(
  destination: DestinationConfig,
  { connections, signal }: Pick<SurveyOptions, 'connections' | 'signal'>,
): Promise<bigint | undefined> {
  try {
    const { client } = await connections.open(destination, signal);
    const files = new FileSet();
    for await (const file of client.listFiles('all', { signal })) files.add(file);
    return files.highest === 0n ? undefined : files.highest;
  } catch {
    return undefined; // the first error is reported
  }
}

/** Waits for both, at once. If both fail, the first one's error counts. */
async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

async function surveyLTX(
  destination: DestinationConfig,
  { target, connections, sentTo, signal }: SurveyOptions,
  generations: 'known' | 'refused',
): Promise<LTXAnswer> {
  const layout = 'ltx';
  const sent = await sentTo(destination); // before the listing, because a replicator may be sending
  const { client, capabilities } = await connections.open(destination, signal);
  const survey = await surveyReplica(client, target, signal, generations);
  if (survey.kind === 'empty') {
    if (sent !== undefined) throw emptiedError(destination, sent);
    return { kind: 'empty', destination };
  }
  const { listed, headers, listedInMs, newest } = survey;
  const found = { layout, destination, client, capabilities, listed, headers, listedInMs } as const;
  if (survey.kind === 'unusable') {
    const { error, beforeGap } = survey;
    return { kind: 'unusable', ...found, error, newest, beforeGap };
  }
  const { plan } = survey;
  const next = plan.moment?.next;
  if (!isNewestWanted(target, next) || sent === undefined || sent.txid <= plan.txid) {
    return { kind: 'restorable', ...found, plan, newest: survey.newest };
  }
  // The state that was sent is the newest one known, even if files are missing now.
  const newestSent = { ...survey.newest, ...sent };
  return { kind: 'unusable', ...found, error: truncatedError(plan, sent), newest: newestSent };
}

/**
 * Whether a newer state at this destination, or at another one, would be restored instead. `next` is the
 * state after the chosen one.
 */
export function isNewestWanted(target: RestoreTarget, next: object | undefined): boolean {
  return target.kind === 'latest' || (target.kind === 'timestamp' && next === undefined);
}

export function nextOf(candidate: Candidate): object | undefined {
  return candidate.layout === 'ltx' ? candidate.plan.moment?.next : candidate.plan.next;
}

/** There is a backup, but not the one that was asked for. */
function onlyLTXError(
  { destination: { target }, newest }: LTXCandidate | LTXUnusable,
  { generation }: OldFlags,
): ReplicationError {
  const txid = newest === undefined ? '' : ` (up to TXID ${formatTXID(newest.txid)})`;
  return new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `generation ${generation} is not stored at ${target}: there is no backup of Litestream 0.3, only LTX ` +
      `files${txid}; to restore these, leave out -generation`,
  );
}

function tooLateError(responseMsMax: number): ReplicationError {
  const seconds = responseMsMax / 1_000;
  return new ReplicationError(
    'REPLICA_UNAVAILABLE',
    `it did not answer within ${seconds} s after another destination did; to wait for it, choose it with -replica`,
  );
}

function emptiedError({ target }: DestinationConfig, { txid }: Sent): ReplicationError {
  return new ReplicationError(
    'REPLICA_DESTINATION_NOT_FOUND',
    `list ${target}: it is empty, but according to the staging folder TXID ${formatTXID(txid)} was sent there: ` +
      'mount its disk, or correct its name. If it was emptied on purpose, remove the staging folder of the database',
  );
}

function truncatedError(plan: RestorePlan, { txid }: Sent): ReplicationError {
  return new ReplicationError(
    'RESTORE_GAP',
    `according to the staging folder TXID ${formatTXID(txid)} was sent there, but the newest there ` +
      `is ${formatTXID(plan.txid)}; to restore that state, use -txid ${formatTXID(plan.txid)}`,
  );
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

export function describeFailure(error: unknown): { message: string; code?: string } {
  const message = messageOf(error);
  return isError(error) ? { message, code: error.code } : { message };
}
