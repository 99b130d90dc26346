/** Connects to a bucket of a test server, as a destination or with the vendor's SDK. */

import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

import type { ConnectContext, Logger, ReplicaClient } from '@sluice/core/backend';
import { complete } from '@sluice/core/backend/testing';
import { backend } from '@sluice/s3';
import type { Credentials } from './s3/index.ts';
import { parseConfig } from '@sluice/core/backend';

export interface S3Place {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: Credentials;
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Configuration input for the bucket. `more` overrides its keys. */
export function s3Input(
  place: S3Place,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const { accessKeyId, secretAccessKey, sessionToken } = place.credentials;
  return {
    type: 's3',
    bucket: place.bucket,
    endpoint: place.endpoint,
    region: place.region,
    'access-key-id': accessKeyId,
    'secret-access-key': secretAccessKey,
    ...(sessionToken !== undefined && { 'session-token': sessionToken }),
    ...more,
  };
}

export async function connectS3(
  place: S3Place,
  more: Record<string, unknown> = {},
  context: Partial<ConnectContext> = {},
): Promise<ReplicaClient> {
  const { config } = parseConfig(backend, s3Input(place, more));
  return complete(await backend.connect(config, { logger: SILENT, access: 'write', ...context }));
}

/** The vendor's client. */
function rawClient(place: S3Place): S3Client {
  const { accessKeyId, secretAccessKey } = place.credentials;
  return new S3Client({
    endpoint: place.endpoint,
    region: place.region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
}

export async function rawKeys(place: S3Place, prefix: string): Promise<string[]> {
  const client = rawClient(place);
  const keys: string[] = [];
  let token: string | undefined;
  try {
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: place.bucket,
          Prefix: prefix,
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      );
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  } finally {
    client.destroy();
  }
}

export async function rawPut(place: S3Place, key: string, bytes: Uint8Array): Promise<void> {
  const client = rawClient(place);
  try {
    await client.send(new PutObjectCommand({ Bucket: place.bucket, Key: key, Body: bytes }));
  } finally {
    client.destroy();
  }
}

/** Uploads without any checksum, like a careless client. */
export async function putWithoutChecksum(
  place: S3Place,
  key: string,
  bytes: Uint8Array,
): Promise<void> {
  const { accessKeyId, secretAccessKey } = place.credentials;
  const client = new S3Client({
    endpoint: place.endpoint,
    region: place.region,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId, secretAccessKey },
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return await next(args);
    },
    { step: 'build' },
  );
  try {
    await client.send(new PutObjectCommand({ Bucket: place.bucket, Key: key, Body: bytes }));
  } finally {
    client.destroy();
  }
}
