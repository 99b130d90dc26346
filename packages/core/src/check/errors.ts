/** Converts errors to reports. The first words separate errors that look alike. */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import {
  CHECK_FEATURES,
  notJudged,
  type CheckFeature,
  type CheckReport,
  type CheckRight,
  type FeatureReport,
} from './report.ts';

/** The report if the destination could not be connected. */
export function connectionFailure(destination: string, path: string, error: unknown): CheckReport {
  const features: FeatureReport[] = [failed('reach', error)];
  for (const feature of Object.keys(CHECK_FEATURES) as CheckFeature[]) {
    if (feature !== 'reach') features.push(notJudged(feature, 'cannot be tested without reach'));
  }
  return { destination, path, features, figures: {}, left: [] };
}

/** The report of a probe that ended with an error. */
export function failed(feature: CheckFeature, error: unknown): FeatureReport {
  const code: ErrorCode = isError(error) ? error.code : 'REPLICA_UNKNOWN';
  const { right } = CHECK_FEATURES[feature];
  return {
    feature,
    verdict: 'does not',
    seen: inOneLine(seenOf(code, messageOf(error), right)),
    next: nextOf(code, right),
    code,
    missing: code === 'REPLICA_PERMISSION_DENIED' ? right : undefined,
  };
}

/** Vendors' messages may have several lines. */
export function inOneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim();
}

function seenOf(code: ErrorCode, message: string, right: CheckRight): string {
  switch (code) {
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return `the bucket or folder does not exist: ${message}`;
    case 'REPLICA_PERMISSION_DENIED':
      return `access is denied: the right to ${right} is missing: ${message}`;
    case 'REPLICA_UNAVAILABLE':
      return `cannot be reached: ${message}`;
    case 'REPLICA_RATE_LIMITED':
      return `it limits the rate of requests: ${message}`;
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
      return 'correct the credentials, or the clock of this machine';
    case 'REPLICA_HOST_UNTRUSTED':
      return 'make this machine trust the certificate or the host key of the server';
    case 'REPLICA_UNAVAILABLE':
      return 'check the network, the address (http or https) and the port; then check again';
    case 'REPLICA_RATE_LIMITED':
      return 'wait, and check again';
    case 'REPLICA_FULL':
      return 'free some space there';
    case 'REPLICA_UNSUPPORTED':
      return 'choose another type of storage, or another provider';
    case 'REPLICA_TRUNCATED':
    case 'REPLICA_CHANGED':
      return 'check again; if the error persists, check the network between this machine and the destination';
    default:
      return 'check that the server is of the configured type; otherwise report this error with its message';
  }
}
