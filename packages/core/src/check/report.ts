/**
 * The report of a check: for each feature a verdict, the observation, and the next step. The decisions are
 * pure: probes.ts collects the observations; verdicts.ts and errors.ts convert them to reports.
 */

import type { ErrorCode } from '../error.ts';
import type { Capabilities } from '../store/client.ts';

/** What is tested, in this order. */
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

/** `not judged`: it was not tested; the reason is in `seen`. */
export type CheckVerdict = 'works' | 'does not' | 'not judged';

/**
 * A permission of the credentials. `replace`: to overwrite an object; some providers treat it as a delete.
 * `abort`: to remove an unfinished upload.
 */
export type CheckRight = 'list' | 'read' | 'write' | 'replace' | 'delete' | 'abort';

/** Result for one feature: what was seen, and what to do next. */
export interface FeatureReport {
  readonly feature: CheckFeature;
  readonly verdict: CheckVerdict;
  /** What came back, for people. */
  readonly seen: string;
  /** What to do next; undefined if nothing. */
  readonly next?: string | undefined;
  /** The code of the error, if there was one. */
  readonly code?: ErrorCode | undefined;
  /** The missing permission, if access was denied. */
  readonly missing?: CheckRight | undefined;
}

/** Measured speeds. undefined if the test did not get that far. Times are in milliseconds. */
export interface CheckFigures {
  /** Median of small reads. */
  readonly readMs?: number | undefined;
  /** Median of small writes. */
  readonly writeMs?: number | undefined;
  /** Measured with the large file. */
  readonly upBytesPerSecond?: number | undefined;
  readonly downBytesPerSecond?: number | undefined;
}

/** Result of `checkDestination`. */
export interface CheckReport {
  /** The destination's name: "s3://bucket". */
  readonly destination: string;
  /** The path of the replica used by the probes. */
  readonly path: string;
  readonly features: readonly FeatureReport[];
  readonly figures: CheckFigures;
  /** Keys of objects that exist or may exist. */
  readonly left: readonly string[];
}

/** The progress of a check: reported when a probe begins, and as bytes are transferred. */
export interface CheckProgress {
  readonly feature: CheckFeature;
  readonly doneBytes: number;
  /** 0 if it is negligible. */
  readonly totalBytes: number;
}

interface Feature {
  readonly needed: 'yes' | 'no';
  /** Features that must work before it can be tested. */
  readonly after: readonly CheckFeature[];
  readonly right: CheckRight;
}

/** In the order of testing. `needed`: backups and restores do not work without it. */
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

/** The first needed feature that does not work; undefined if the destination is usable for backups. */
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

/** The claims of a destination. */
export interface Claims {
  readonly capabilities: Capabilities;
  /** The name of the provider for messages: "s3.us-west-004.backblazeb2.com". */
  readonly provider: string;
}

/** The report of a feature that is not tested; undefined if it is. `sizeBytes` is the size of its largest file. */
export function skip(
  feature: CheckFeature,
  done: readonly FeatureReport[],
  { capabilities, provider }: Claims,
  sizeBytes: number,
): FeatureReport | undefined {
  const missed = CHECK_FEATURES[feature].after.find((needed) =>
    done.some((report) => report.feature === needed && report.verdict !== 'works'),
  );
  if (missed !== undefined) return notJudged(feature, `cannot be tested without ${missed}`);
  const { ranges, conditions, versions, sizeMax } = capabilities;
  if (feature === 'ranges' && ranges !== true) {
    return notJudged(feature, 'not claimed: Sluice reads whole files instead');
  }
  if (sizeMax !== undefined && sizeBytes > sizeMax) {
    return notJudged(
      feature,
      `files are limited to ${sizeMax} bytes, and this test needs a larger one`,
    );
  }
  if (!feature.startsWith('if-')) return undefined;
  if (conditions === undefined) {
    const what = feature === 'if-version' ? 'no lease can be held' : 'fencing is off';
    const seen = `${provider} is not known to honor conditional writes: ${what}`;
    return notJudged(feature, seen, ONE_WRITER);
  }
  if (feature === 'if-version' && versions !== true) {
    const seen = `not claimed: ${provider} does not support conditions on versions: no lease can be held`;
    return notJudged(feature, seen, ONE_WRITER);
  }
  if (conditions !== 'any-size' && sizeBytes > conditions.sizeMax) {
    return notJudged(feature, `not claimed above ${conditions.sizeMax} bytes`, ONE_WRITER);
  }
  return undefined;
}

/** The next step if the destination cannot keep two writers apart. */
export const ONE_WRITER =
  'replication works without it; make sure that only one replicator writes to this path';
