/** The SDK's client: its sockets, its credentials, and where the bucket is. */

import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { HTTP_SILENCE_MS_MAX, httpAgent } from '@sluice/core/backend/http';
import type { S3Config } from './config.ts';
import { judgeAnswers } from './answers.ts';
import { findCredentials } from './credentials.ts';
import { regionNamedBy, toReplicationError } from './errors.ts';
import type { DeleteChecksum, Preset } from './presets.ts';
import { closeSockets, shapeRequests } from './wire.ts';

type SDK = typeof import('@aws-sdk/client-s3');

const CONNECT_MS_MAX = 10_000;

/** Sends nothing. */
export function makeClient(config: S3Config, preset: Preset, sdk: SDK): S3Client {
  const { endpoint } = config;
  const shared = { credentials: findCredentials((): S3Client => client), ...clientConfig(config) };
  const given = config.region ?? (endpoint === undefined ? undefined : regionOfEndpoint(endpoint));
  const client: S3Client = new sdk.S3Client({
    ...shared,
    region:
      given ??
      (endpoint === undefined
        ? // The same sockets and credentials serve both, so there is one client to close.
          regionOnce(config.bucket, sdk, (region) => {
            const { requestHandler, credentials } = client.config;
            const asking = new sdk.S3Client({ ...shared, region, requestHandler, credentials });
            closeSockets(asking);
            return asking;
          })
        : REGION_DEFAULT),
  });
  judgeAnswers(client);
  shapeRequests(client, {
    headers: {
      ...preset.headers,
      ...(!config.signPayload && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    },
    deleteChecksum: deleteChecksum(config, preset),
  });
  return client;
}

/** Litestream's key, where it is given, over what is known of the provider. */
function deleteChecksum({ requireContentMD5 }: S3Config, { deletes }: Preset): DeleteChecksum {
  if (requireContentMD5 === true) return 'md5';
  if (deletes === 'one-by-one') return 'none';
  return requireContentMD5 === false && deletes === 'md5' ? 'crc32' : deletes;
}

function clientConfig(config: S3Config): S3ClientConfig {
  const { accessKeyID, secretAccessKey, sessionToken, endpoint } = config;
  return {
    customUserAgent: 'sluice',
    forcePathStyle: config.forcePathStyle ?? endpoint !== undefined,
    useArnRegion: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With agents of our own the SDK does not wait for "100 Continue", so it need not ask for it.
    expectContinueHeader: false,
    maxAttempts: 1, // core retries, once for all backends
    requestHandler: {
      connectionTimeout: CONNECT_MS_MAX,
      // Where the SDK is not told, it takes the agent's away.
      socketTimeout: HTTP_SILENCE_MS_MAX,
      httpAgent: httpAgent('http:'),
      httpsAgent: httpAgent('https:', { skipVerify: config.skipVerify }),
    },
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKeyID !== undefined &&
      secretAccessKey !== undefined && {
        credentials: {
          accessKeyId: accessKeyID,
          secretAccessKey: secretAccessKey.reveal(),
          ...(sessionToken !== undefined && { sessionToken: sessionToken.reveal() }),
        },
      }),
  };
}

/** Where nothing says otherwise. Every S3-compatible server takes it. */
const REGION_DEFAULT = 'us-east-1';

/**
 * Gives the region, and asks again only after a failure. HeadBucket needs s3:ListBucket, and even
 * where it is denied or sent elsewhere the answer names the region. (GetBucketLocation is often
 * denied.) `askIn` makes a client for that one request: the region where it is signed for matters
 * to the partitions of AWS only (China, GovCloud).
 */
function regionOnce(
  bucket: string,
  sdk: SDK,
  askIn: (region: string) => S3Client,
): () => Promise<string> {
  let asked: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const first = regionOfEnvironment();
    try {
      const client = askIn(first);
      const answer = await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }));
      return answer.BucketRegion ?? first;
    } catch (error) {
      const region = regionNamedBy(error);
      if (region !== undefined) return region;
      throw toReplicationError(error, `look for the region of s3://${bucket}`);
    }
  };
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}

/** The SDK reads the same variables, and fails where there is none. */
function regionOfEnvironment(): string {
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = process.env;
  return region ?? fallback ?? REGION_DEFAULT;
}

/** What the endpoint of AWS itself says: https://s3.eu-west-1.amazonaws.com */
export function regionOfEndpoint(endpoint: string): string | undefined {
  const { hostname } = new URL(endpoint);
  return /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(
    hostname,
  )?.[1];
}
