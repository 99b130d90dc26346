/**
 * What a server must have said before it is believed. Vendors judge the form of an answer; here is what no
 * form may lack: whoever cannot name what it lists or stored is not the storage. REPLICA_UNAVAILABLE.
 */

import { ReplicationError } from '../../error.ts';
import type { ObjectInfo } from '../client.ts';

export function checkListed({ key, sizeBytes, modifiedAt }: ObjectInfo, what: string): void {
  if (key === '') throw unbelievable(what, 'an entry of the listing has no key');
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw unbelievable(what, `the listing gives no size of ${key}`);
  }
  if (Number.isNaN(modifiedAt.getTime())) {
    throw unbelievable(what, `the listing gives no time of ${key}`);
  }
}

/** For an object that was written or copied: it must have the server's own token and time. */
export function checkStored(info: ObjectInfo, what: string): ObjectInfo {
  const { version, sizeBytes, modifiedAt } = info;
  if (version === undefined || version === '') {
    throw unbelievable(what, 'the answer has no ETag or generation');
  }
  if (!Number.isSafeInteger(sizeBytes)) throw unbelievable(what, 'the answer has no size');
  if (Number.isNaN(modifiedAt.getTime())) throw unbelievable(what, 'the answer has no time');
  return info;
}

export function unbelievable(what: string, why: string): ReplicationError {
  const next = 'check endpoint, and whether a proxy or a login page answers in its place';
  return new ReplicationError('REPLICA_UNAVAILABLE', `${what}: ${why}; ${next}`);
}

/** A missing object has not the version that was asked for. */
export function goneError(what: string, cause: ReplicationError): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause });
}
