/** The fields of a new object, the same for both ways of writing it, and how the answer is checked. */

import { ReplicationError, type ObjectInfo } from '@sluice/core/backend';
import type { Upload } from '@sluice/core/backend/http';
import { formatTimestamp } from '@sluice/core/backend/http';
import {
  foreign,
  TIMESTAMP,
  type Bucket,
  type Request,
  type ObjectResource,
  type Read,
} from './bucket.ts';

const FIELDS = 'name,generation,timeCreated,size,md5Hash';

export function resourceOf({ key, body: { createdAt } }: Upload): ObjectResource {
  if (createdAt === undefined) return { name: key };
  return { name: key, metadata: { [TIMESTAMP]: formatTimestamp(createdAt) } };
}

/** Generation 0 is that of an object that is not there. */
function generationOf({ condition }: Upload): string | undefined {
  return condition === 'if-absent' ? '0' : condition?.version;
}

export function callOf({ config }: Bucket, of: Upload, uploadType: string): Request {
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
export function readNewObject(bucket: Bucket, answer: Read, of: Upload): NewObject {
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
  of: Upload,
  md5: string | undefined,
): ObjectInfo {
  const isOther = md5 !== undefined && md5Hash !== undefined && md5Hash !== md5;
  if (isOther || Number(size) !== of.body.sizeBytes) {
    const message = `${of.what}: the server has other bytes than were sent (${size} bytes, MD5 ${md5Hash})`;
    throw new ReplicationError('REPLICA_UNAVAILABLE', message);
  }
  const modifiedAt = new Date(timeCreated ?? Date.now());
  const { sizeBytes, createdAt } = of.body;
  return { key: of.key, sizeBytes, modifiedAt, version: generation, createdAt };
}
