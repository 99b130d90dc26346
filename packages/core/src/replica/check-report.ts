/**
 * What a check says of a destination: a verdict for each feature, what was seen, what to do next.
 * Pure, as is everything that decides here: the probes look (check-probes.ts), this judges.
 */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import type { Capabilities } from './backend.ts';

export type CheckFeature =
  | 'reach'
  | 'write'
  | 'list'
  | 'read'
  | 'ranges'
  | 'large'
  | 'if-absent'
  | 'if-absent-large'
  | 'delete';

export type CheckVerdict = 'works' | 'does not' | 'not judged';

/** What credentials must be allowed to do. */
export type CheckRight = 'list' | 'read' | 'write' | 'delete';

export interface FeatureReport {
  readonly feature: CheckFeature;
  readonly verdict: CheckVerdict;
  readonly seen: string;
  readonly next?: string | undefined;
  /** Of the error, where one came back. */
  readonly code?: ErrorCode | undefined;
  /** Where access was denied: to do what. */
  readonly missing?: CheckRight | undefined;
}

export interface CheckFigures {
  /** Median of small reads. */
  readonly readMs?: number | undefined;
  /** Median of small writes. */
  readonly writeMs?: number | undefined;
  /** Of the large file. */
  readonly upBytesPerSecond?: number | undefined;
  readonly downBytesPerSecond?: number | undefined;
}

export interface CheckReport {
  /** The destination's name: "s3://bucket". */
  readonly destination: string;
  /** Of the replica that the probes worked in, or would have. */
  readonly path: string;
  readonly features: readonly FeatureReport[];
  readonly figures: CheckFigures;
  /** Probe files that are still there, or may be, by their names. */
  readonly left: readonly string[];
}

interface Feature {
  readonly needed: 'yes' | 'no';
  /** What has to work before it can be judged. */
  readonly after: readonly CheckFeature[];
  readonly right: CheckRight;
}

/** In the order of judging. Without those that are needed, nothing is backed up or restored. */
const CHECK_FEATURES: Readonly<Record<CheckFeature, Feature>> = {
  reach: { needed: 'yes', after: [], right: 'list' },
  write: { needed: 'yes', after: ['reach'], right: 'write' },
  list: { needed: 'yes', after: ['reach', 'write'], right: 'list' },
  read: { needed: 'yes', after: ['write'], right: 'read' },
  ranges: { needed: 'yes', after: ['read'], right: 'read' },
  large: { needed: 'yes', after: ['read'], right: 'write' },
  'if-absent': { needed: 'no', after: ['read'], right: 'write' },
  'if-absent-large': { needed: 'no', after: ['large'], right: 'write' },
  delete: { needed: 'no', after: [], right: 'delete' },
};

/** The first thing that is needed and does not work; undefined where backups can be kept there. */
export function checkFailure(report: CheckReport): FeatureReport | undefined {
  return report.features.find(
    ({ feature, verdict }) => verdict === 'does not' && CHECK_FEATURES[feature].needed === 'yes',
  );
}

/** Where not even a connection came about. */
export function unconnected(destination: string, path: string, error: unknown): CheckReport {
  const features: FeatureReport[] = [failed('reach', error)];
  for (const feature of Object.keys(CHECK_FEATURES) as CheckFeature[]) {
    if (feature !== 'reach') features.push(notJudged(feature, 'cannot be seen without reach'));
  }
  return { destination, path, features, figures: {}, left: [] };
}

export function works(feature: CheckFeature, seen: string, next?: string): FeatureReport {
  return { feature, verdict: 'works', seen, next };
}

export function doesNot(
  feature: CheckFeature,
  seen: string,
  next: string,
  code?: ErrorCode,
): FeatureReport {
  return { feature, verdict: 'does not', seen, next, code };
}

export function notJudged(feature: CheckFeature, seen: string, next?: string): FeatureReport {
  return { feature, verdict: 'not judged', seen, next };
}

/** Why it is not probed at all; undefined where it is. `sizeBytes` is what its probe would write. */
export function skip(
  feature: CheckFeature,
  done: readonly FeatureReport[],
  capabilities: Capabilities,
  sizeBytes: number,
): FeatureReport | undefined {
  const missed = CHECK_FEATURES[feature].after.find((needed) =>
    done.some((report) => report.feature === needed && report.verdict !== 'works'),
  );
  if (missed !== undefined) return notJudged(feature, `cannot be seen without ${missed}`);
  const { ranges, ifAbsent, sizeMax } = capabilities;
  if (feature === 'ranges' && ranges !== true) {
    return notJudged(feature, 'not claimed: whole files are read, and cut here');
  }
  if (sizeMax !== undefined && sizeBytes > sizeMax) {
    return notJudged(feature, `takes files up to ${sizeMax} bytes, and this would have more`);
  }
  if (feature !== 'if-absent' && feature !== 'if-absent-large') return undefined;
  if (ifAbsent === undefined) {
    return notJudged(feature, 'not claimed for this destination: fencing is off', ONE_WRITER);
  }
  if (ifAbsent !== 'any-size' && sizeBytes > ifAbsent.sizeMax) {
    return notJudged(feature, `not claimed above ${ifAbsent.sizeMax} bytes`, ONE_WRITER);
  }
  return undefined;
}

/** Where nothing but discipline keeps two writers apart. */
const ONE_WRITER =
  'replication works without it; see that never two replicators write to one place';

/** The verdict where a probe ended in an error. */
export function failed(feature: CheckFeature, error: unknown): FeatureReport {
  const code: ErrorCode = isError(error) ? error.code : 'REPLICA_UNKNOWN';
  const { right } = CHECK_FEATURES[feature];
  return {
    feature,
    verdict: 'does not',
    seen: seenOf(code, messageOf(error), right),
    next: nextOf(code, right),
    code,
    missing: code === 'REPLICA_PERMISSION_DENIED' ? right : undefined,
  };
}

/** Three that look alike from afar are told apart in the first words. */
function seenOf(code: ErrorCode, message: string, right: CheckRight): string {
  switch (code) {
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return `there is no such bucket or folder: ${message}`;
    case 'REPLICA_PERMISSION_DENIED':
      return `access is denied: the right to ${right} is missing: ${message}`;
    case 'REPLICA_UNAVAILABLE':
    case 'REPLICA_RATE_LIMITED':
      return `cannot be reached: ${message}`;
    default:
      return message;
  }
}

function nextOf(code: ErrorCode, right: CheckRight): string {
  switch (code) {
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'create the bucket or mount the disk, or correct its name, its region or its endpoint';
    case 'REPLICA_PERMISSION_DENIED':
      return `give these credentials the right to ${right} there`;
    case 'REPLICA_UNAUTHENTICATED':
      return 'correct the credentials, or the time of this machine';
    case 'REPLICA_HOST_UNTRUSTED':
      return 'have the certificate or the host key of the other side trusted';
    case 'REPLICA_UNAVAILABLE':
      return 'check the network, the address and the port; then check again';
    case 'REPLICA_RATE_LIMITED':
      return 'wait, and check again';
    case 'REPLICA_FULL':
      return 'make room there';
    case 'REPLICA_UNSUPPORTED':
      return 'choose another kind of storage, or another provider';
    case 'REPLICA_TRUNCATED':
    case 'REPLICA_CHANGED':
      return 'check again; if it stays, look at what lies between this machine and the destination';
    default:
      return 'report it, with the message';
  }
}

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

export const CONDITIONS_IGNORED =
  'conditional writes are ignored by this server: fencing is off' as const;
export const CONDITIONS_REFUSED =
  'conditional writes are not known to this server: fencing is off' as const;

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

export interface DeletionSeen {
  readonly written: number;
  readonly error: unknown;
  /** Names of what is still listed; undefined where it cannot be listed. */
  readonly left: readonly string[] | undefined;
}

/** A destination that lets nothing be deleted is one for backups too: it is told what stays. */
export function judgeDeletion({ written, error, left }: DeletionSeen): FeatureReport {
  if (error === undefined) {
    if (left === undefined) return notJudged('delete', 'accepted, and not to be seen without list');
    if (left.length > 0) {
      const seen = `said to be done, and still there: ${left.join(', ')}`;
      return doesNot('delete', seen, `remove by hand what is left; ${KEEPS_GROWING}`);
    }
    if (written === 0) return notJudged('delete', 'nothing was written that could be deleted');
    return works('delete', `${written} files deleted, and no longer listed`);
  }
  const report = failed('delete', error);
  if (left?.length === 0) return report;
  const names = left === undefined ? 'what was written may be left' : `left: ${left.join(', ')}`;
  return {
    ...report,
    seen: `${report.seen}; ${names}`,
    next: `replication works without it, and ${KEEPS_GROWING}; remove by hand what is left`,
  };
}

const KEEPS_GROWING = 'only a rule of the destination itself can make old backups go';
