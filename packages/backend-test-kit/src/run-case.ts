/** Runs one case at one layer of one subject. */

import { messageOf } from '@sluice/core/backend';

import { NotTested, whyNotTested, type Case } from './case.ts';
import { newSeed, withContext } from './context.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import type { Layer, Setup, Subject } from './subject.ts';

export type Status = 'passed' | 'failed' | 'not tested';

export interface Result {
  readonly id: string;
  readonly promise: string;
  readonly layer: Layer;
  readonly status: Status;
  /** Why the case was not tested, or the reason of the deviation. */
  readonly reason?: string | undefined;
  /** Notes of the case, and the error messages if it failed. */
  readonly details?: string | undefined;
  readonly error?: unknown;
  /** Whether the case passed, was not tested, or failed as a known deviation. */
  readonly isExpected: boolean;
  readonly seed: number;
  readonly tookMs: number;
}

export interface CaseOptions {
  /** Seed of random values in the case. Default: random for each case. */
  readonly seed?: number | undefined;
  /** Maximum duration of a case, in milliseconds. Default: CASE_MS_MAX. */
  readonly caseMsMax?: number | undefined;
}

/** Many times the duration of the slowest case (2,500 files) with a slow server. */
export const CASE_MS_MAX = 240_000;

export async function runCase(
  testCase: Case,
  subject: Subject,
  setup: Setup,
  layer: Layer,
  options: CaseOptions = {},
): Promise<Result> {
  const { seed = newSeed(), caseMsMax = CASE_MS_MAX } = options;
  const common = { id: testCase.id, promise: testCase.promise, layer, seed };
  const reason = whyNotTested(testCase, subject, layer);
  if (reason !== undefined) {
    return { ...common, status: 'not tested', reason, isExpected: true, tookMs: 0 };
  }
  const since = performance.now();
  const notes: string[] = [];
  const note = (text: string): unknown => notes.push(text);
  const run = withContext({ subject, setup, layer, seed, note }, testCase.run);
  const outcome = await settled(withTimeout(caseMsMax, run));
  const tookMs = Math.round(performance.now() - since);
  const details = notes.join('; ') || undefined;
  const deviation = deviationOf(testCase.id, layer, subject);
  return { ...common, ...evaluate(outcome, deviation, details), tookMs };
}

type Outcome = { readonly kind: 'ended' } | { readonly kind: 'threw'; readonly error: unknown };
type Evaluation = Pick<Result, 'status' | 'reason' | 'details' | 'error' | 'isExpected'>;

/** Pure. */
function evaluate(
  outcome: Outcome,
  deviation: Deviation | undefined,
  notes: string | undefined,
): Evaluation {
  if (outcome.kind === 'ended') {
    if (deviation === undefined) return { status: 'passed', details: notes, isExpected: true };
    if (deviation.fails === 'sometimes') {
      const reason = `passed this time, known to fail sometimes: ${deviation.reason}`;
      return { status: 'passed', reason, details: notes, isExpected: true };
    }
    const reason = `passed, but is listed as a deviation (${deviation.reason}): remove it from the list`;
    return { status: 'passed', reason, details: notes, isExpected: false };
  }
  const { error } = outcome;
  if (error instanceof NotTested) {
    return { status: 'not tested', reason: error.message, isExpected: true };
  }
  const details = [...messagesOf(error), notes].filter((text) => text !== undefined).join('; ');
  const reason = deviation === undefined ? undefined : `known: ${deviation.reason}`;
  return { status: 'failed', reason, details, error, isExpected: deviation !== undefined };
}

/** The messages of an error and its causes. */
function messagesOf(error: unknown): string[] {
  const cause = error instanceof Error ? error.cause : undefined;
  return [messageOf(error), ...(cause === undefined ? [] : messagesOf(cause))];
}

async function settled(work: Promise<void>): Promise<Outcome> {
  try {
    await work;
    return { kind: 'ended' };
  } catch (error) {
    return { kind: 'threw', error };
  }
}

async function withTimeout(timeoutMs: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`timed out after ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
