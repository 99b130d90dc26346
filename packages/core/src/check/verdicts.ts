/** Verdicts on probes that need more than one response. Pure. */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import { CONDITIONS_IGNORED, CONDITIONS_REFUSED } from '../replica/fencing.ts';
import { failed, inOneLine } from './errors.ts';
import { doesNot, notJudged, ONE_WRITER, works, type FeatureReport } from './report.ts';

/** The result of one conditional write. */
export type ConditionOutcome = 'accepted' | 'conflict' | 'unsupported';

export interface ConditionSeen {
  /** Result of the write of a new name. */
  readonly first: ConditionOutcome;
  /** Result of a second write of the same name, with other bytes. */
  readonly second: ConditionOutcome;
  /** The write whose bytes the object has in the end. */
  readonly holds: 'first' | 'second' | 'neither';
}

/** It works if and only if the first of two writes of one name is kept and the second is refused. */
export function conditionsReport(
  feature: 'if-absent' | 'if-absent-large',
  { first, second, holds }: ConditionSeen,
): FeatureReport {
  if (first === 'unsupported' || second === 'unsupported') {
    return doesNot(feature, CONDITIONS_REFUSED, ONE_WRITER, 'REPLICA_UNSUPPORTED');
  }
  if (second === 'accepted') return doesNot(feature, CONDITIONS_IGNORED, ONE_WRITER);
  if (holds === 'first') return works(feature, 'a second write of the same name is refused');
  if (first === 'conflict' && holds === 'neither') {
    return doesNot(feature, 'a conditional write of a new name is refused', ONE_WRITER);
  }
  return doesNot(feature, 'a conditional write is refused, but done anyway', ONE_WRITER);
}

export interface VersionsSeen {
  /** Result of a write on condition of the current version. */
  readonly right: ConditionOutcome;
  /** Result of a write on condition of the previous version. */
  readonly stale: ConditionOutcome;
  /** Result of a write on condition that the object does not exist. */
  readonly absent: ConditionOutcome;
  /** Whether the object has the bytes of the first of these writes in the end. */
  readonly holds: 'right' | 'another';
}

/** A lease can be held if and only if only one of two writers with the same version can write the next one. */
export function versionsReport({ right, stale, absent, holds }: VersionsSeen): FeatureReport {
  const outcomes = [right, stale, absent];
  if (outcomes.includes('unsupported')) {
    const seen = 'this server does not support conditions on versions: no lease can be held';
    return doesNot('if-version', seen, ONE_WRITER, 'REPLICA_UNSUPPORTED');
  }
  if (stale === 'accepted' || absent === 'accepted') {
    const seen = 'this server ignores conditions on versions: no lease can be held';
    return doesNot('if-version', seen, ONE_WRITER);
  }
  if (right === 'conflict') {
    const seen = 'a write on condition of the current version is refused: no lease can be renewed';
    return doesNot('if-version', seen, ONE_WRITER);
  }
  if (holds === 'right') {
    return works('if-version', 'a write on condition of a version requires the current version');
  }
  const seen = 'a write on condition of an old version is refused, but done anyway';
  return doesNot('if-version', seen, ONE_WRITER);
}

/** The report if the backend itself refuses conditions on versions, before anything is sent. */
export function unsupportedVersions(error: unknown): FeatureReport | undefined {
  if (!isError(error, 'REPLICA_UNSUPPORTED')) return undefined;
  return notJudged('if-version', `not claimed: ${inOneLine(messageOf(error))}`, ONE_WRITER);
}

export interface AbortSeen {
  /** Whether the file of the aborted write exists. */
  readonly isThere: boolean;
  /** The backend's warnings about uploads that it could not remove. */
  readonly warnings: readonly { readonly message: string; readonly code?: ErrorCode | undefined }[];
}

export function abortReport({ isThere, warnings: [warning] }: AbortSeen): FeatureReport {
  if (isThere) {
    const seen = 'the file of an aborted write exists';
    return doesNot('abort', seen, 'report it: a backup must never contain part of a file');
  }
  if (warning === undefined) {
    return works('abort', 'an aborted write leaves no file and no unfinished upload');
  }
  const { message, code } = warning;
  return {
    ...doesNot('abort', inOneLine(message), ABORT_NEXT, code),
    missing: code === 'REPLICA_PERMISSION_DENIED' ? 'abort' : undefined,
  };
}

const ABORT_NEXT =
  'replication works without it; give these credentials the right to abort uploads, ' +
  'or add a lifecycle rule that removes unfinished uploads: this check leaves two';

export interface DeletionSeen {
  /** The path of the probes. */
  readonly path: string;
  readonly written: number;
  readonly error: unknown;
  /** Keys below `path` that are still listed; undefined if they cannot be listed. */
  readonly left: readonly string[] | undefined;
}

/** A destination that allows no deletes is usable for backups: the report names the leftover files. */
export function deletionReport({ path, written, error, left }: DeletionSeen): FeatureReport {
  const below = (names: readonly string[]): string => `in ${path}: ${names.join(', ')}`;
  if (error === undefined) {
    if (left === undefined)
      return notJudged('delete', 'accepted, but cannot be verified without list');
    if (left.length > 0) {
      const seen = `reported as done, but still there ${below(left)}`;
      return doesNot('delete', seen, `delete the leftover files by hand; ${KEEPS_GROWING}`);
    }
    if (written === 0) return notJudged('delete', NOTHING_WRITTEN);
    return works('delete', `${written} files deleted, and no longer listed`);
  }
  const report = failed('delete', error);
  if (left?.length === 0) return report;
  const names = left === undefined ? `files may be left in ${path}` : `left ${below(left)}`;
  return {
    ...report,
    seen: `${report.seen}; ${names}`,
    next: `replication works without it, but ${KEEPS_GROWING}; delete the leftover files by hand`,
  };
}

export const NOTHING_WRITTEN = 'there is nothing to delete';
const KEEPS_GROWING = 'only a lifecycle rule of the destination can remove old backups';
