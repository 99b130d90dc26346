/** Asks every destination what it has for a restore. */

import {
  isError,
  messageOf,
  surveyReplica,
  type NewestFile,
  type RestorePlan,
  type RestoreTarget,
  type Surveyed,
} from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { Sent, SentTo } from './records.ts';

/** Once one has answered, the others get so long: one that hangs must not stop a restore. */
const PATIENCE_MS = 30_000;

export interface Candidate extends Surveyed {
  readonly kind: 'restorable';
  readonly destination: DestinationConfig;
  readonly plan: RestorePlan;
}

/** It answered, and what is asked for cannot be restored from it. */
export interface Unusable extends Omit<Surveyed, 'newest'> {
  readonly kind: 'unusable';
  readonly destination: DestinationConfig;
  readonly error: ReplicationError;
  readonly newest: NewestFile | undefined;
}

export interface NoAnswer {
  readonly kind: 'no-answer';
  readonly destination: DestinationConfig;
  readonly error: Error;
}

export type Answer =
  | Candidate
  | Unusable
  | NoAnswer
  | { readonly kind: 'empty'; readonly destination: DestinationConfig };

export interface Question {
  readonly destinations: readonly DestinationConfig[];
  readonly target: RestoreTarget;
  readonly open: Destinations;
  /** What was sent to a destination last, as far as this machine knows. */
  readonly sentTo: SentTo;
  readonly signal: AbortSignal;
  readonly patienceMs?: number | undefined;
}

/** In the order in which they came. Rejects only with the reason of the signal, and for a wrong configuration. */
export async function askAll(question: Question): Promise<Answer[]> {
  const late = new AbortController();
  const signal = AbortSignal.any([question.signal, late.signal]);
  const patienceMs = question.patienceMs ?? PATIENCE_MS;
  let timer: NodeJS.Timeout | undefined;
  const answers: Answer[] = [];
  const ask = async (destination: DestinationConfig): Promise<void> => {
    try {
      const answer = await askOne(destination, { ...question, signal });
      answers.push(answer);
      if (answer.kind !== 'restorable') return;
      timer ??= setTimeout(() => late.abort(tooLate(patienceMs)), patienceMs);
    } catch (error) {
      question.signal.throwIfAborted();
      if (isError(error, 'CONFIG_INVALID')) throw error;
      answers.push({ kind: 'no-answer', destination, error: toError(error) });
    }
  };
  try {
    await Promise.all(question.destinations.map(ask));
  } finally {
    clearTimeout(timer);
  }
  return answers;
}

async function askOne(
  destination: DestinationConfig,
  { target, open, sentTo, signal }: Question,
): Promise<Answer> {
  const sent = await sentTo(destination); // before the listing: a replicator may be sending
  const { client } = await open.open(destination, signal);
  const survey = await surveyReplica(client, target, signal);
  if (survey.kind === 'empty') {
    if (sent !== undefined) throw isEmptied(destination, sent);
    return { kind: 'empty', destination };
  }
  const { listed, newest } = survey;
  if (survey.kind === 'restorable') {
    const { plan } = survey;
    if (target.kind !== 'latest' || sent === undefined || sent.txid <= plan.txid) {
      return { kind: 'restorable', destination, client, plan, newest: survey.newest, listed };
    }
    // What was sent is the newest state that was there, whatever is left of it.
    const lost = { ...survey.newest, ...sent };
    const error = isCut(plan, sent);
    return { kind: 'unusable', destination, client, error, newest: lost, listed };
  }
  return { kind: 'unusable', destination, client, error: survey.error, newest, listed };
}

function tooLate(patienceMs: number): ReplicationError {
  const seconds = patienceMs / 1_000;
  return new ReplicationError(
    'REPLICA_UNAVAILABLE',
    `no answer within ${seconds} s of another one's; to wait for it, choose it with -replica`,
  );
}

function isEmptied({ target }: DestinationConfig, { txid }: Sent): ReplicationError {
  return new ReplicationError(
    'REPLICA_DESTINATION_NOT_FOUND',
    `list ${target}: nothing is there, and TXID ${formatTXID(txid)} was sent there, as the staging folder of the ` +
      'database tells: mount its disk, or correct its name. If it was emptied on purpose, remove the staging folder',
  );
}

function isCut(plan: RestorePlan, { txid }: Sent): ReplicationError {
  return new ReplicationError(
    'RESTORE_GAP',
    `TXID ${formatTXID(txid)} was sent there, as the staging folder of the database tells, and the newest that is there ` +
      `is ${formatTXID(plan.txid)}; to restore that one, say so with -txid ${formatTXID(plan.txid)}`,
  );
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

export function describeFailure(error: unknown): { message: string; code?: string } {
  const message = messageOf(error);
  return isError(error) ? { message, code: error.code } : { message };
}
