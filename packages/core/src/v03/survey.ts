/**
 * Determines what a restore could get from a backup of Litestream 0.3, and whether it or the LTX files
 * beside it hold the newest state.
 */

import { isError, messageOf, ReplicationError } from '../error.ts';
import type { Generation } from './generations.ts';
import { checkStart, V03DamageError, type V03Source } from './objects.ts';
import { planV03, type V03Plan, type V03Target } from './plan.ts';

/** What a restore could get. */
export type V03Survey =
  | { readonly kind: 'restorable'; readonly plan: V03Plan }
  /** It does not lead to the target, or it is encrypted. */
  | { readonly kind: 'unusable'; readonly error: ReplicationError };

/** Other generations that an error names. Each costs one small read. */
const OTHERS_MAX = 3;
/** Other generations that are examined for that. */
const EXAMINED_MAX = 10;

/** Errors are those of the destination: it could not be read. */
export async function surveyV03(
  source: V03Source,
  generations: readonly Generation[],
  target: V03Target,
  signal?: AbortSignal,
): Promise<V03Survey> {
  const survey = await surveyTarget(source, generations, target, signal);
  if (survey.kind === 'restorable') return survey;
  const error = await withOthers(survey.error, { source, generations, target, signal });
  return { kind: 'unusable', error };
}

async function surveyTarget(
  source: V03Source,
  generations: readonly Generation[],
  target: V03Target,
  signal: AbortSignal | undefined,
): Promise<V03Survey> {
  const avoided = new Set<string>();
  let damage: V03DamageError | undefined;
  for (;;) {
    try {
      const plan = planV03(generations, target, ({ key }) => avoided.has(key));
      await checkStart(source, plan.snapshot, signal);
      return { kind: 'restorable', plan };
    } catch (error) {
      if (error instanceof V03DamageError) {
        damage ??= error;
        avoided.add(error.file.key);
      } else if (isContentError(error)) {
        return { kind: 'unusable', error: damage ?? error };
      } else throw error;
    }
  }
}

export interface FailedTarget {
  readonly source: V03Source;
  readonly generations: readonly Generation[];
  readonly target: V03Target;
  /** The generation that failed, if it seems to be restorable. */
  readonly without?: Generation | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Adds the other generations that can be restored to an error about missing or damaged objects. */
export async function withOthers<Failure>(
  error: Failure,
  { source, generations, target, without, signal }: FailedTarget,
): Promise<Failure | ReplicationError> {
  if (!isContentError(error) || isError(error, 'RESTORE_OUT_OF_RANGE')) return error;
  const others = generations
    .filter(({ id }) => id !== without?.id && id !== target.generation)
    .toReversed(); // the latest upload first
  const restorable: Generation[] = [];
  try {
    for (const { id } of others.slice(0, EXAMINED_MAX)) {
      const other = { at: target.at, generation: id };
      const survey = await surveyTarget(source, generations, other, signal);
      if (survey.kind === 'restorable') restorable.push(survey.plan.generation);
      if (restorable.length === OTHERS_MAX) break;
    }
  } catch (failure) {
    signal?.throwIfAborted();
    return withWords(error, `the other generations cannot be read: ${messageOf(failure)}`);
  }
  if (restorable.length === 0) return error;
  const list = restorable.map(
    ({ id, updatedAt }) => `-generation ${id} (last upload ${updatedAt.toISOString()})`,
  );
  return withWords(error, `other generations can be restored: ${list.join(', ')}`);
}

function withWords(error: ReplicationError, words: string): ReplicationError {
  return new ReplicationError(error.code, `${error.message}; ${words}`, { cause: error });
}

function isContentError(error: unknown): error is ReplicationError {
  return (
    isError(error) && (error.code.startsWith('RESTORE_') || error.code === 'REPLICA_NO_IDENTITY')
  );
}

/** Times of the newest LTX file. */
export interface LTXTimes {
  /** By the clock of the machine that wrote it. */
  readonly writtenAt: Date;
  /** By the server's clock. */
  readonly uploadedAt: Date;
}

/** Files that were uploaded this much later than written were probably copied. */
const COPY_MS_MIN: number = 5 * 60_000;

/**
 * Which layout of one destination holds the newest state, as in Litestream 0.5: the later one; of equal
 * times the LTX files. A copy of a bucket has new times, which say nothing about its objects: then
 * `unclear`, rather than an older state.
 */
export function newestLayout(
  { writtenAt, uploadedAt }: LTXTimes,
  v03UpdatedAt: Date,
): 'ltx' | 'v03' | 'unclear' {
  if (writtenAt >= v03UpdatedAt) return 'ltx';
  if (uploadedAt.getTime() - writtenAt.getTime() >= COPY_MS_MIN) return 'unclear';
  return uploadedAt >= v03UpdatedAt ? 'ltx' : 'v03';
}
