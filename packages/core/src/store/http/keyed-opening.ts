/** Opens an object by its key, and says so when it is another one by now. */

import { isError, ReplicationError } from '../../error.ts';
import type { OpenedObject } from '../client.ts';
import { KeyedBody } from './keyed-body.ts';
import type { KeyedOpened, KeyedOpening, KeyedStore } from './keyed-store.ts';

/** REPLICA_CHANGED when another version is there than the one that was asked for. */
export async function openKey(
  store: KeyedStore,
  key: string,
  call: KeyedOpening,
): Promise<OpenedObject> {
  const opened = await openVersion(store, key, call);
  const { sizeBytes, modifiedAt, version } = opened;
  const body = new KeyedBody(opened, {
    work: store.work,
    signal: call.signal,
    range: {
      start: call.range?.start ?? 0,
      end: Math.min(call.range?.end ?? sizeBytes, sizeBytes),
    },
    toError: (error) => store.bodyError(error, call.what),
    // Only the same bytes can be gone on with.
    reopen:
      store.capabilities.ranges === true && version !== ''
        ? (range) => openVersion(store, key, { ...call, range, version })
        : undefined,
  });
  return { sizeBytes, modifiedAt, version, body: body.bytes() };
}

async function openVersion(
  store: KeyedStore,
  key: string,
  call: KeyedOpening,
): Promise<KeyedOpened> {
  try {
    const opened = await store.open(key, call);
    if (call.version === undefined || opened.version === call.version) return opened;
    opened.stream.destroy();
    opened.hold.release();
  } catch (error) {
    throw isError(error, 'REPLICA_CONFLICT') ? versionChanged(call.what, error) : error;
  }
  throw versionChanged(call.what); // the server does not heed the condition
}

/** What a version that is gone means to whoever reads it. */
function versionChanged(what: string, cause?: ReplicationError): ReplicationError {
  const details = { cause, status: cause?.status };
  return new ReplicationError('REPLICA_CHANGED', `${what}: it is another version now`, details);
}
