/** One case at one layer of one subject: what became of it. */

import { messageOf } from '@sluice/core/backend';

import { NotJudged, whyNotJudged, type Case } from './case.ts';
import { newSeed, withContext } from './context.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import type { Layer, Setup, Subject } from './subject.ts';

export type Verdict = 'kept' | 'broken' | 'not judged';

export interface Result {
  readonly id: string;
  /** The promise, in a sentence. */
  readonly promise: string;
  readonly layer: Layer;
  readonly verdict: Verdict;
  /** Why it is not judged, or what is known of a promise that is broken. */
  readonly why?: string | undefined;
  /** What the case saw: of a broken promise, what came instead. */
  readonly seen?: string | undefined;
  /** What was thrown. */
  readonly error?: unknown;
  /** Whether this is as its author says: kept, not judged, or a deviation that is known. */
  readonly isExpected: boolean;
  readonly seed: number;
  readonly tookMs: number;
}

export interface JudgeOptions {
  /** Of what is random within a case. Default: another one for each case. */
  readonly seed?: number | undefined;
  /** How long a case may take: one that hangs is broken. Default CASE_MS_MAX. */
  readonly caseMsMax?: number | undefined;
}

/** Many times what 2,500 files take on a slow server. */
export const CASE_MS_MAX = 240_000;

export async function judge(
  each: Case,
  subject: Subject,
  setup: Setup,
  layer: Layer,
  options: JudgeOptions = {},
): Promise<Result> {
  const { seed = newSeed(), caseMsMax = CASE_MS_MAX } = options;
  const common = { id: each.id, promise: each.says, layer, seed };
  const why = whyNotJudged(each, subject, layer);
  if (why !== undefined) {
    return { ...common, verdict: 'not judged', why, isExpected: true, tookMs: 0 };
  }
  const since = performance.now();
  const notes: string[] = [];
  const trial = { subject, setup, layer, seed, saw: (what: string): unknown => notes.push(what) };
  const outcome = await settled(within(caseMsMax, withContext(trial, each.run)));
  const tookMs = Math.round(performance.now() - since);
  const seen = notes.join('; ') || undefined;
  return { ...common, ...ruling(outcome, deviationOf(each.id, layer, subject), seen), tookMs };
}

type Outcome = { readonly kind: 'ended' } | { readonly kind: 'threw'; readonly error: unknown };
type Ruling = Pick<Result, 'verdict' | 'why' | 'seen' | 'error' | 'isExpected'>;

/** Pure: what an outcome means beside what is known. */
function ruling(outcome: Outcome, known: Deviation | undefined, seen: string | undefined): Ruling {
  if (outcome.kind === 'ended') {
    if (known === undefined) return { verdict: 'kept', seen, isExpected: true };
    if (known.fails === 'sometimes') {
      const why = `this time; it is known to fail sometimes: ${known.reason}`;
      return { verdict: 'kept', why, seen, isExpected: true };
    }
    const why = `it is listed as a deviation (${known.reason}), and holds: take it off the list`;
    return { verdict: 'kept', why, seen, isExpected: false };
  }
  const { error } = outcome;
  if (error instanceof NotJudged) {
    return { verdict: 'not judged', why: error.message, isExpected: true };
  }
  const came = [...messagesOf(error), seen].filter((text) => text !== undefined).join('; ');
  const why = known === undefined ? undefined : `known: ${known.reason}`;
  return { verdict: 'broken', why, seen: came, error, isExpected: known !== undefined };
}

/** Of an error and of what caused it. */
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

async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no end after ${ms} ms`)), ms);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
