/** What a repair has found and done, in plain JSON except for bigint TXIDs. */

import type { LTXFileRef } from '../store/layout.ts';
import type { Conflict, ExaminedFile } from './histories.ts';
import type { UnansweredDestination } from './inspect.ts';
import type { LostStates } from './plan.ts';

export interface RepairedFile {
  readonly file: LTXFileRef;
  readonly reason: 'missing' | 'damaged';
  /** The destination that had it. */
  readonly from: string;
  readonly sizeBytes: number;
}

/** A file of a destination that cannot be used: its code in docs/errors.md, and what was found. */
export interface DamagedFile {
  readonly file: LTXFileRef;
  readonly code: string;
  readonly why: string;
}

/** What was found and done at one destination. */
export interface DestinationRepair {
  readonly name: string;
  readonly files: number;
  /** Promised states that could not be restored from it before. */
  readonly lacking: number;
  /** Damaged files that were found there, mended or not. */
  readonly damaged: readonly DamagedFile[];
  /** Copied, or with 'dry-run' to be copied. */
  readonly copies: readonly RepairedFile[];
  /** Why a file that it lacks could not be copied. */
  readonly failures: readonly DamagedFile[];
  /** Damaged files that are not mended: no destination has them good, or the write failed. */
  readonly stillDamaged: readonly LTXFileRef[];
  /** Files that could not be read here: they were taken for whole, and nothing was copied from them. */
  readonly unread: readonly DamagedFile[];
  /** The newest state that can be restored, if newer files are listed somewhere, or were sent; 0n if there is none. */
  readonly stuckAt: bigint | undefined;
}

/** The result of a repair. */
export interface RepairReport {
  readonly destinations: readonly DestinationRepair[];
  readonly lost: readonly LostStates[];
  readonly conflicts: readonly Conflict[];
  /** Groups of destinations between which nothing was copied. One group: all share their history. */
  readonly groups: readonly (readonly string[])[];
  readonly unanswered: readonly UnansweredDestination[];
  readonly bytesRead: number;
}

/** `whole`: nothing was found. `mended`: everything that was found is mended. `open`: something is not. */
export type RepairOutcome = 'whole' | 'mended' | 'open';

/** Whether destinations answered, and none has a file: there is no backup, or this is not its place. */
export function isWithoutBackup({ destinations }: Pick<RepairReport, 'destinations'>): boolean {
  return destinations.length > 0 && destinations.every(({ files }) => files === 0);
}

/** Sums a report up. With "dry-run", what would be copied counts as not mended. */
export function outcomeOf(report: RepairReport, mode: 'mend' | 'dry-run'): RepairOutcome {
  const { destinations, lost, conflicts, groups, unanswered } = report;
  const isOpen =
    lost.length > 0 ||
    conflicts.length > 0 ||
    groups.length > 1 ||
    unanswered.length > 0 ||
    isWithoutBackup(report) ||
    destinations.some(
      ({ failures, stillDamaged, unread, stuckAt }) =>
        failures.length + stillDamaged.length + unread.length > 0 || stuckAt !== undefined,
    );
  if (isOpen) return 'open';
  if (destinations.every(({ copies, damaged }) => copies.length + damaged.length === 0)) {
    return 'whole';
  }
  return mode === 'mend' ? 'mended' : 'open';
}

export function toDamaged(file: ExaminedFile): DamagedFile[] {
  const { level, minTXID, maxTXID, found } = file;
  if (found.kind !== 'bad' && found.kind !== 'unread') return [];
  return [{ file: { level, minTXID, maxTXID }, code: found.code, why: found.why }];
}
