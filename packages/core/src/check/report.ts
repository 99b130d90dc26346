/**
 * What a check says of a destination: a verdict for each feature, what was seen, what to do next.
 * Pure, as is everything that decides here: the probes look (check-probes.ts), check-judge.ts and
 * check-errors.ts judge what they saw.
 */

import type { ErrorCode } from '../error.ts';
import type { Capabilities } from '../store/client.ts';

export type CheckFeature =
  | 'reach'
  | 'write'
  | 'list'
  | 'read'
  | 'ranges'
  | 'large'
  | 'abort'
  | 'if-absent'
  | 'if-absent-large'
  | 'objects'
  | 'if-version'
  | 'delete';

export type CheckVerdict = 'works' | 'does not' | 'not judged';

/**
 * What credentials must be allowed to do. `replace`: to write a name anew, which is deleting to some.
 * `abort`: to remove an upload that was not completed.
 */
export type CheckRight = 'list' | 'read' | 'write' | 'replace' | 'delete' | 'abort';

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
  /** What is still there, or may be, by its keys. */
  readonly left: readonly string[];
}

/** What is being done: told as a feature begins, and as bytes of its probe move. */
export interface CheckProgress {
  readonly feature: CheckFeature;
  readonly doneBytes: number;
  /** 0 where it moves next to nothing. */
  readonly totalBytes: number;
}

interface Feature {
  readonly needed: 'yes' | 'no';
  /** What has to work before it can be judged. */
  readonly after: readonly CheckFeature[];
  readonly right: CheckRight;
}

/** In the order of judging. Without those that are needed, nothing is backed up or restored. */
export const CHECK_FEATURES: Readonly<Record<CheckFeature, Feature>> = {
  reach: { needed: 'yes', after: [], right: 'list' },
  write: { needed: 'yes', after: ['reach'], right: 'write' },
  list: { needed: 'yes', after: ['reach', 'write'], right: 'list' },
  read: { needed: 'yes', after: ['write'], right: 'read' },
  ranges: { needed: 'yes', after: ['read'], right: 'read' },
  large: { needed: 'yes', after: ['read'], right: 'write' },
  abort: { needed: 'no', after: ['list', 'large'], right: 'abort' },
  'if-absent': { needed: 'no', after: ['read'], right: 'write' },
  'if-absent-large': { needed: 'no', after: ['large'], right: 'write' },
  objects: { needed: 'no', after: ['list', 'read'], right: 'write' },
  'if-version': { needed: 'no', after: ['objects'], right: 'replace' },
  delete: { needed: 'no', after: [], right: 'delete' },
};

/** The first thing that is needed and does not work; undefined where backups can be kept there. */
export function checkFailure(report: CheckReport): FeatureReport | undefined {
  return report.features.find(
    ({ feature, verdict }) => verdict === 'does not' && CHECK_FEATURES[feature].needed === 'yes',
  );
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

/** What a destination claims. */
export interface Claims {
  readonly capabilities: Capabilities;
  /** Who keeps the files, for a sentence: "s3.us-west-004.backblazeb2.com". */
  readonly provider: string;
}

/** Why it is not probed at all; undefined where it is. `sizeBytes` is what its probe would write. */
export function skip(
  feature: CheckFeature,
  done: readonly FeatureReport[],
  { capabilities, provider }: Claims,
  sizeBytes: number,
): FeatureReport | undefined {
  const missed = CHECK_FEATURES[feature].after.find((needed) =>
    done.some((report) => report.feature === needed && report.verdict !== 'works'),
  );
  if (missed !== undefined) return notJudged(feature, `cannot be seen without ${missed}`);
  const { ranges, conditions, versions, sizeMax } = capabilities;
  if (feature === 'ranges' && ranges !== true) {
    return notJudged(feature, 'not claimed: whole files are read, and cut here');
  }
  if (sizeMax !== undefined && sizeBytes > sizeMax) {
    return notJudged(feature, `takes files up to ${sizeMax} bytes, and this would have more`);
  }
  if (!feature.startsWith('if-')) return undefined;
  if (conditions === undefined) {
    const what = feature === 'if-version' ? 'no lease can be held' : 'fencing is off';
    const seen = `${provider} is not known to honour conditional writes: ${what}`;
    return notJudged(feature, seen, ONE_WRITER);
  }
  if (feature === 'if-version' && versions !== true) {
    const seen = `not claimed: ${provider} knows no conditions on versions, so no lease can be held`;
    return notJudged(feature, seen, ONE_WRITER);
  }
  if (conditions !== 'any-size' && sizeBytes > conditions.sizeMax) {
    return notJudged(feature, `not claimed above ${conditions.sizeMax} bytes`, ONE_WRITER);
  }
  return undefined;
}

/** Where nothing but discipline keeps two writers apart. */
export const ONE_WRITER =
  'replication works without it; see that never two replicators write to one place';
