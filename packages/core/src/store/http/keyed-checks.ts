/**
 * What every store by keys must have said before it is believed. Vendors judge the form of an answer;
 * here is what no form may lack: who cannot name what it lists or stored is not the store.
 */

import { ReplicationError } from '../../error.ts';
import type {
  KeyedCopied,
  KeyedObject,
  KeyedPage,
  KeyedPaging,
  KeyedUploaded,
} from './keyed-store.ts';

/** REPLICA_UNAVAILABLE where an entry of a listing is not the answer to what was asked. */
export function checkEntry(
  { key, sizeBytes, modifiedAt }: KeyedObject,
  { prefix, what }: KeyedPaging,
): void {
  if (key === '') throw unbelievable(what, 'an entry of the listing has no key');
  if (!key.startsWith(prefix)) {
    throw unbelievable(what, `${prefix}* was asked for, and the listing has ${key}`);
  }
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw unbelievable(what, `the listing says no size of ${key}`);
  }
  if (Number.isNaN(modifiedAt.getTime())) {
    throw unbelievable(what, `the listing says no time of ${key}`);
  }
}

/** REPLICA_UNAVAILABLE for a page that would be asked for without end. */
export function checkPage({ nextPageToken }: KeyedPage, { pageToken, what }: KeyedPaging): void {
  if (nextPageToken === undefined || nextPageToken !== pageToken) return;
  throw unbelievable(what, 'the listing goes on where it was');
}

/** REPLICA_UNAVAILABLE where the store gave no token of its own for what it stored. */
export function checkUploaded(
  { version, modifiedAt }: Pick<KeyedUploaded, 'version' | 'modifiedAt'>,
  what: string,
): void {
  if (version === '') throw unbelievable(what, 'the answer has no ETag or generation');
  if (Number.isNaN(modifiedAt.getTime())) throw unbelievable(what, 'the answer has no time');
}

export function checkCopied({ sizeBytes }: KeyedCopied, what: string): void {
  if (Number.isSafeInteger(sizeBytes)) return;
  throw unbelievable(what, 'the answer says no size of the copy');
}

function unbelievable(what: string, why: string): ReplicationError {
  const next = 'check endpoint, and whether a proxy or a login page answers in its place';
  return new ReplicationError('REPLICA_UNAVAILABLE', `${what}: ${why}; ${next}`);
}
