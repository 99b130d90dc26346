/**
 * Decides whether a kept copy can be brought to the newest state of a listing. Pure. In doubt a full restore.
 */

import type { LTXFileInfo } from '../../replica/replica.ts';
import { planSteps } from '../../warm-copy/steps.ts';
import type { KnownState } from '../verdict.ts';

/** The copy must be restored in full. That says nothing about the destination. */
export class FullRestoreNeeded extends Error {}

export interface WarmInput<File extends LTXFileInfo> {
  readonly listed: readonly File[];
  readonly base: KnownState;
  readonly newest: KnownState;
  /** What a full restore reads. */
  readonly fullBytes: number;
}

/** The files to apply, oldest first; none if the copy has the newest state. Throws FullRestoreNeeded. */
export function planWarm<File extends LTXFileInfo>(input: WarmInput<File>): readonly File[] {
  const { listed, base, newest, fullBytes } = input;
  if (base.lineage === 0n || base.lineage !== newest.lineage) {
    throw new FullRestoreNeeded('the newest state has another lineage, or an unknown one');
  }
  const steps = planSteps(listed, base.txid);
  if (steps.kind === 'current') return [];
  if (steps.kind !== 'files') throw new FullRestoreNeeded('no files continue the copy');
  const sizeBytes = steps.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (sizeBytes >= fullBytes) throw new FullRestoreNeeded('a full restore reads less');
  return steps.files;
}
