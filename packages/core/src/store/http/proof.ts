/**
 * Checks common to all providers: an answer without a key, size, time or version does not come from the
 * storage, and is REPLICA_UNAVAILABLE. Each backend checks the form of its provider's answers.
 */

import { ReplicationError } from '../../error.ts';
import type { ObjectInfo } from '../client.ts';

export function checkListed({ key, sizeBytes, modifiedAt }: ObjectInfo, what: string): void {
  if (key === '') throw foreignServer(what, 'an entry of the listing has no key');
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw foreignServer(what, `the listing gives no size of ${key}`);
  }
  if (Number.isNaN(modifiedAt.getTime())) {
    throw foreignServer(what, `the listing gives no time of ${key}`);
  }
}

/** For an object that was written or copied: it must have a version and a time from the server. */
export function checkStored(info: ObjectInfo, what: string): ObjectInfo {
  const { version, sizeBytes, modifiedAt } = info;
  if (version === undefined || version === '') {
    throw foreignServer(what, 'the answer has no ETag or generation');
  }
  if (!Number.isSafeInteger(sizeBytes)) throw foreignServer(what, 'the answer has no size');
  if (Number.isNaN(modifiedAt.getTime())) throw foreignServer(what, 'the answer has no time');
  return info;
}

export function foreignServer(what: string, why: string): ReplicationError {
  const next = 'check endpoint, and whether a proxy or a login page answers instead';
  return new ReplicationError('REPLICA_UNAVAILABLE', `${what}: ${why}; ${next}`);
}

/** The error for a condition on a version if the object does not exist. */
export function goneError(what: string, cause: ReplicationError): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${what}: the object no longer exists`, {
    cause,
  });
}
