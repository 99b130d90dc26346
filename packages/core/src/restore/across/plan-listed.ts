/** Plans a restore from listings, without the files and sources that turn out to be unreadable meanwhile. */

import type { LTXHeader } from '../../ltx/header.ts';
import { toPlanTarget, type RestoreTarget } from '../plan/listing.ts';
import type { Moment } from '../plan/moment.ts';
import type { PlanTarget, RestorePlan } from '../plan/plan.ts';
import type { SourcedFile } from '../plan/sources.ts';
import { UnusableFileError } from '../plan/unusable-file.ts';
import { requireSoundHeader } from './examine.ts';
import type { Losses } from './losses.ts';
import { planAcross } from './plan-across.ts';
import { SourceError } from './source-error.ts';

export interface PlannedRestore {
  readonly target: PlanTarget;
  readonly plan: RestorePlan<SourcedFile>;
}

export interface HeaderAccess {
  readonly headerOf: (file: SourcedFile) => Promise<LTXHeader>;
  readonly signal: AbortSignal;
}

/** Adds unreadable files and sources to `losses`. */
export async function planListed(
  listed: readonly SourcedFile[],
  wanted: RestoreTarget,
  losses: Losses,
  { headerOf, signal }: HeaderAccess,
): Promise<PlannedRestore> {
  const isAvoided = (file: SourcedFile): boolean => losses.has(file);
  for (;;) {
    try {
      const found = await toPlanTarget(listed, wanted, headerOf, isAvoided);
      const { target, moment } = found;
      for (const [file, error] of found.unreadable) losses.addFile(file, error);
      const isSure = moment === undefined || (await hasSoundTimes(listed, moment, losses, signal));
      if (isSure) return { target, plan: planAcross(listed, target, { isAvoided, moment }) };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      losses.addCause(error, listed);
    } // one file or source less in each round
  }
}

/**
 * A time is only as good as its file. With several sources, the two files that decide about a moment are read
 * whole, because another source may have them undamaged: the state itself, and the next one. A damaged one is added to
 * `losses`, and the result is false.
 */
async function hasSoundTimes(
  listed: readonly SourcedFile[],
  { txid, next }: Moment,
  losses: Losses,
  signal: AbortSignal,
): Promise<boolean> {
  if (new Set(listed.map(({ source }) => source.name)).size < 2) return true;
  for (const wanted of [txid, next?.txid]) {
    const file = listed
      .filter((each) => each.maxTXID === wanted && !losses.has(each))
      .reduce<SourcedFile | undefined>((a, b) => (a && a.level <= b.level ? a : b), undefined);
    if (file === undefined) continue;
    try {
      await requireSoundHeader(file, signal);
    } catch (error) {
      if (!(error instanceof UnusableFileError)) throw error;
      losses.addFile(file, error);
      return false;
    }
  }
  return true;
}
