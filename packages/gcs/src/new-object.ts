/** What both ways of writing an object say of it, and what the answer has to say. */

import {
  formatTimestamp,
  ReplicationError,
  type KeyedUpload,
  type KeyedUploaded,
} from '@sluice/core/backend';
import { TIMESTAMP, type Bucket, type Call, type ObjectResource } from './bucket.ts';

const FIELDS = 'generation,timeCreated,size,md5Hash';

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

/** REPLICA_UNAVAILABLE where the server has other bytes than were sent. */
export function toUploaded(
  object: ObjectResource,
  of: KeyedUpload,
  md5: string | undefined,
): KeyedUploaded {
  const { generation = '', timeCreated, size, md5Hash } = object;
  const isOther = md5 !== undefined && md5Hash !== undefined && md5Hash !== md5;
  if (isOther || (size !== undefined && Number(size) !== of.body.sizeBytes)) {
    const message = `${of.what}: the server has other bytes than were sent (${size} bytes, MD5 ${md5Hash})`;
    throw new ReplicationError('REPLICA_UNAVAILABLE', message);
  }
  const modifiedAt = new Date(timeCreated ?? Date.now());
  return { version: generation, modifiedAt, createdAt: of.createdAt };
}
