/** Opens an object by its key, and says so when it is another one by now. */

import { isError, ReplicationError } from '../error.ts';
import type { OpenedObject } from './client.ts';
import type { KeyedOpening, KeyedStore } from './keyed-store.ts';

/** REPLICA_CHANGED when another version is there than the one that was asked for. */
export async function openKey(
  store: KeyedStore,
  key: string,
  call: KeyedOpening,
): Promise<OpenedObject> {
  try {
    return await store.open(key, call);
  } catch (error) {
    throw isError(error, 'REPLICA_CONFLICT') ? versionChanged(call.what, error) : error;
  }
}

/** What a version that is gone means to whoever reads it. */
export function versionChanged(what: string, cause?: ReplicationError): ReplicationError {
  const details = { cause, status: cause?.status };
  return new ReplicationError('REPLICA_CHANGED', `${what}: it is another version now`, details);
}
