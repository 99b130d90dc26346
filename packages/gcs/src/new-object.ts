/** What both ways of writing an object say of it, and what the answer has to say. */

import {
  formatTimestamp,
  ReplicationError,
  type KeyedUpload,
  type KeyedUploaded,
} from '@sluice/core/backend';
import {
  foreign,
  TIMESTAMP,
  type Bucket,
  type Call,
  type ObjectResource,
  type Read,
} from './bucket.ts';

const FIELDS = 'name,generation,timeCreated,size,md5Hash';

export function resourceOf({ key, createdAt }: KeyedUpload): ObjectResource {
  if (createdAt === undefined) return { name: key };
  return { name: key, metadata: { [TIMESTAMP]: formatTimestamp(createdAt) } };
}

/** Generation 0 is that of an object that is not there. */
function generationOf({ condition }: KeyedUpload): string | undefined {
  return condition === 'if-absent' ? '0' : condition?.version;
}

export function callOf({ config }: Bucket, of: KeyedUpload, uploadType: string): Call {
  const { key, what, signal } = of;
  return {
    url: `/upload/storage/v1/b/${encodeURIComponent(config.bucket)}/o`,
    method: 'POST',
    params: { uploadType, name: key, ifGenerationMatch: generationOf(of), fields: FIELDS },
    what,
    about: 'bucket',
    signal,
  };
}

/** The object that has been written: it has a generation, which only Google gives it. */
export interface NewObject extends ObjectResource {
  readonly generation: string;
  readonly size: string;
}

/** REPLICA_UNAVAILABLE where the answer is not Google's. */
export function readNewObject(bucket: Bucket, answer: Read, of: KeyedUpload): NewObject {
  const object = (bucket.read(answer, of) ?? {}) as ObjectResource;
  const { name = of.key, generation, size } = object;
  if (generation !== undefined && generation !== '' && size !== undefined && name === of.key) {
    return { ...object, generation, size };
  }
  throw foreign(answer, of.what, 'no generation of this object');
}

/** REPLICA_UNAVAILABLE where the server has other bytes than were sent. */
export function toUploaded(
  { generation, timeCreated, size, md5Hash }: NewObject,
  of: KeyedUpload,
  md5: string | undefined,
): KeyedUploaded {
  const isOther = md5 !== undefined && md5Hash !== undefined && md5Hash !== md5;
  if (isOther || Number(size) !== of.body.sizeBytes) {
    const message = `${of.what}: the server has other bytes than were sent (${size} bytes, MD5 ${md5Hash})`;
    throw new ReplicationError('REPLICA_UNAVAILABLE', message);
  }
  const modifiedAt = new Date(timeCreated ?? Date.now());
  return { version: generation, modifiedAt, createdAt: of.createdAt };
}
