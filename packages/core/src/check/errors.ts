/** What an error says of a feature. Three that look alike from afar are told apart in the first words. */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import {
  CHECK_FEATURES,
  notJudged,
  type CheckFeature,
  type CheckReport,
  type CheckRight,
  type FeatureReport,
} from './report.ts';

/** Where not even a connection came about. */
export function unconnected(destination: string, path: string, error: unknown): CheckReport {
  const features: FeatureReport[] = [failed('reach', error)];
  for (const feature of Object.keys(CHECK_FEATURES) as CheckFeature[]) {
    if (feature !== 'reach') features.push(notJudged(feature, 'cannot be seen without reach'));
  }
  return { destination, path, features, figures: {}, left: [] };
}

/** The verdict where a probe ended in an error. */
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

/** Vendors' messages may have several. */
export function inOneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim();
}

function seenOf(code: ErrorCode, message: string, right: CheckRight): string {
  switch (code) {
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return `there is no such bucket or folder: ${message}`;
    case 'REPLICA_PERMISSION_DENIED':
      return `access is denied: the right to ${right} is missing: ${message}`;
    case 'REPLICA_UNAVAILABLE':
      return `cannot be reached: ${message}`;
    case 'REPLICA_RATE_LIMITED':
      return `it answers, and wants to be asked less: ${message}`;
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
      return 'check the network, the address (http or https) and the port; then check again';
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
      return 'see whether what answers there is of the kind that is configured; else report it, with the message';
  }
}
