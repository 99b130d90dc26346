/** Verdicts on what probes saw, where the answer alone does not tell. Pure. */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import { CONDITIONS_IGNORED, CONDITIONS_REFUSED } from '../replica/fencing.ts';
import { failed, inOneLine } from './errors.ts';
import { doesNot, notJudged, ONE_WRITER, works, type FeatureReport } from './report.ts';

/** What came of one conditional write. */
export type ConditionOutcome = 'accepted' | 'conflict' | 'unsupported';

export interface ConditionSeen {
  /** Of a name that is free. */
  readonly first: ConditionOutcome;
  /** Of the same name, with other bytes. */
  readonly second: ConditionOutcome;
  /** Whose bytes lie there at the end. */
  readonly holds: 'first' | 'second' | 'neither';
}

/** Works if and only if the first of two writes of one name is kept and the second is refused. */
export function judgeConditions(
  feature: 'if-absent' | 'if-absent-large',
  { first, second, holds }: ConditionSeen,
): FeatureReport {
  if (first === 'unsupported' || second === 'unsupported') {
    return doesNot(feature, CONDITIONS_REFUSED, ONE_WRITER, 'REPLICA_UNSUPPORTED');
  }
  if (second === 'accepted') return doesNot(feature, CONDITIONS_IGNORED, ONE_WRITER);
  if (holds === 'first') return works(feature, 'a second write of the same name is refused');
  if (first === 'conflict' && holds === 'neither') {
    return doesNot(feature, 'a conditional write of a free name is refused', ONE_WRITER);
  }
  return doesNot(feature, 'a conditional write is refused, and done all the same', ONE_WRITER);
}

export interface VersionsSeen {
  /** Of a write that names the version that is there. */
  readonly right: ConditionOutcome;
  /** Of one that names the version before. */
  readonly stale: ConditionOutcome;
  /** Of one that wants the name to be free. */
  readonly absent: ConditionOutcome;
  /** Whether the bytes of the first of them are there at the end. */
  readonly holds: 'right' | 'another';
}

/** A lease is held if and only if of two that know the same version one alone can write the next. */
export function judgeVersions({ right, stale, absent, holds }: VersionsSeen): FeatureReport {
  const outcomes = [right, stale, absent];
  if (outcomes.includes('unsupported')) {
    const seen = 'writes that name a version are not known to this server: no lease can be held';
    return doesNot('if-version', seen, ONE_WRITER, 'REPLICA_UNSUPPORTED');
  }
  if (stale === 'accepted' || absent === 'accepted') {
    const seen = 'writes that name a version are ignored by this server: no lease can be held';
    return doesNot('if-version', seen, ONE_WRITER);
  }
  if (right === 'conflict') {
    const seen = 'a write that names the version that is there is refused: no lease can be renewed';
    return doesNot('if-version', seen, ONE_WRITER);
  }
  if (holds === 'right') {
    return works('if-version', 'a write that names a version is done only where that one is there');
  }
  const seen = 'a write that names another version is refused, and done all the same';
  return doesNot('if-version', seen, ONE_WRITER);
}

/** Where the backend itself refuses them, before anything is sent. */
export function unsupportedVersions(error: unknown): FeatureReport | undefined {
  if (!isError(error, 'REPLICA_UNSUPPORTED')) return undefined;
  return notJudged('if-version', `not claimed: ${inOneLine(messageOf(error))}`, ONE_WRITER);
}

export interface AbortSeen {
  /** Whether something has the name of the file whose write was aborted. */
  readonly isThere: boolean;
  /** What the backend said it could not remove, and why. */
  readonly warnings: readonly { readonly message: string; readonly code?: ErrorCode | undefined }[];
}

export function judgeAbort({ isThere, warnings: [warning] }: AbortSeen): FeatureReport {
  if (isThere) {
    const seen = 'a write that was aborted half-way is there all the same';
    return doesNot('abort', seen, 'report it: a backup must never find a part of a file');
  }
  if (warning === undefined) {
    return works('abort', 'a write that is aborted half-way leaves no file and no open upload');
  }
  const { message, code } = warning;
  return {
    ...doesNot('abort', inOneLine(message), ABORT_NEXT, code),
    missing: code === 'REPLICA_PERMISSION_DENIED' ? 'abort' : undefined,
  };
}

const ABORT_NEXT =
  'replication works without it; give these credentials the right to abort uploads, ' +
  'or have a lifecycle rule of the bucket remove those that are not completed: this check leaves two';

export interface DeletionSeen {
  /** Where the probes worked. */
  readonly path: string;
  readonly written: number;
  readonly error: unknown;
  /** Keys of what is still listed, below `path`; undefined where it cannot be listed. */
  readonly left: readonly string[] | undefined;
}

/** A destination that lets nothing be deleted is one for backups too: it is told what stays. */
export function judgeDeletion({ path, written, error, left }: DeletionSeen): FeatureReport {
  const below = (names: readonly string[]): string => `in ${path}: ${names.join(', ')}`;
  if (error === undefined) {
    if (left === undefined) return notJudged('delete', 'accepted, and not to be seen without list');
    if (left.length > 0) {
      const seen = `said to be done, and still there ${below(left)}`;
      return doesNot('delete', seen, `remove by hand what is left; ${KEEPS_GROWING}`);
    }
    if (written === 0) return notJudged('delete', NOTHING_WRITTEN);
    return works('delete', `${written} files deleted, and no longer listed`);
  }
  const report = failed('delete', error);
  if (left?.length === 0) return report;
  const names =
    left === undefined ? `what was written may be left in ${path}` : `left ${below(left)}`;
  return {
    ...report,
    seen: `${report.seen}; ${names}`,
    next: `replication works without it, and ${KEEPS_GROWING}; remove by hand what is left`,
  };
}

export const NOTHING_WRITTEN = 'nothing was written that could be deleted';
const KEEPS_GROWING = 'only a rule of the destination itself can make old backups go';
