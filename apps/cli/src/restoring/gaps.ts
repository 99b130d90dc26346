/**
 * A time in a gap of one destination: no other destination may replace the gap by a state that is older
 * than the last one before it. Pure.
 */

import type { NewestFile } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import { describeState } from './newest-first.ts';
import { nextOf, type Answer, type Candidate, type LTXUnusable, type Unusable } from './survey.ts';

/** The answers, with candidates that a gap elsewhere shows to be too old as unusable ones. */
export function refuseBeforeGaps(answers: readonly Answer[]): readonly Answer[] {
  const gaps = answers.filter((answer) => answer.kind === 'unusable').filter(isInGap);
  return answers.map((answer) => {
    if (answer.kind !== 'restorable') return answer;
    const gap = gaps.find(({ beforeGap }) => isTooOld(answer, beforeGap));
    return gap === undefined ? answer : refuse(answer, gap);
  });
}

type InGap = LTXUnusable & { readonly beforeGap: NewestFile };

function isInGap(answer: Unusable): answer is InGap {
  return answer.layout === 'ltx' && answer.beforeGap !== undefined;
}

/**
 * The state before the gap is the right one only at a destination that also has the next state: then
 * nothing that is missing in the gap was committed at or before the time.
 */
function isTooOld(candidate: Candidate, before: NewestFile): boolean {
  const order = compare(candidate, before);
  return order < 0 || (order === 0 && nextOf(candidate) === undefined);
}

/** By TXID within one lineage, otherwise by time. */
function compare(candidate: Candidate, before: NewestFile): number {
  if (candidate.layout === 'v03') return candidate.plan.at.getTime() - before.at.getTime();
  const { txid, lineage, at } = candidate.newest;
  const isOneLineage = lineage === before.lineage && lineage !== 0n;
  return isOneLineage ? Number(txid - before.txid) : at.getTime() - before.at.getTime();
}

function refuse(candidate: Candidate, { destination: { name }, beforeGap }: InGap): Unusable {
  const error = new ReplicationError(
    'RESTORE_OUT_OF_RANGE',
    `its last state at or before that time is ${describeState(candidate)}, which is not newer than the last one ` +
      `before the gap at ${name} (TXID ${formatTXID(beforeGap.txid)}, written at ${beforeGap.at.toISOString()}); ` +
      `to restore it all the same, use -replica ${candidate.destination.name}`,
  );
  if (candidate.layout === 'ltx') return { ...candidate, kind: 'unusable', error };
  const { destination, layout, plan } = candidate;
  return { kind: 'unusable', layout, destination, updatedAt: plan.generation.updatedAt, error };
}
