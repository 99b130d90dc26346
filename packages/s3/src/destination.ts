/** One bucket with one set of credentials: one SDK client, whatever the number of databases. */

import { Agent as HTTPAgent } from 'node:http';
import { Agent as HTTPSAgent } from 'node:https';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import {
  Budget,
  Work,
  type Capabilities,
  type ConnectContext,
  type Destination,
} from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { S3Replica } from './client.ts';
import type { S3Config } from './config.ts';
import { findCredentials } from './credentials.ts';
import { objectsOf } from './objects.ts';
import { presetFor, type DeleteChecksum, type Preset } from './presets.ts';
import { REGION_DEFAULT, regionOfEndpoint, regionOnce } from './region.ts';
import { shapeRequests } from './wire.ts';

/** Kept open between requests: as many as core has calls on their way at once. */
const IDLE_SOCKETS_MAX = 16;
/**
 * A file that is being read holds its socket until it has been read, however many are open, and no
 * other call may wait for that. So this is not what limits requests (core and the budget do); it is
 * well below the 256 sessions that Hetzner allows an address.
 */
const SOCKETS_MAX = 128;
const CONNECT_MS_MAX = 10_000;
/** Nothing sent and nothing received for so long: the request has failed. */
const SILENCE_MS_MAX = 60_000;

/** Sends nothing: what is not right is told by the first call. */
export async function connect(config: S3Config, context: ConnectContext): Promise<Destination> {
  const sdk = await import('@aws-sdk/client-s3');
  const preset = presetFor(config.endpoint);
  const name = `s3://${config.bucket}`;
  const work = new Work(name);
  const client = makeClient(config, sdk);
  shapeRequests(client, {
    headers: {
      ...preset.headers,
      ...(!config.signPayload && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    },
    deleteChecksum: deleteChecksum(config, preset),
  });
  const partsAtOnce = config.partsAtOnce ?? preset.partsAtOnce;
  const budget = new Budget(partsAtOnce * config.partSizeBytes);
  const { logger } = context;
  const bucket: Bucket = { name, client, sdk, config, preset, logger, work, budget };
  let closed: Promise<void> | undefined;
  return {
    name,
    capabilities: capabilitiesOf(preset),
    replica: (path) => new S3Replica(bucket, path),
    objects: (path) => objectsOf(bucket, path),
    async close() {
      closed ??= work.close().then(() => client.destroy());
      await closed;
    },
  };
}

function capabilitiesOf({ conditions }: Preset): Capabilities {
  return { ranges: true, ...(conditions === 'honoured' && { ifAbsent: 'any-size' }) };
}

/** Litestream's key, where it is given, over what is known of the provider. */
function deleteChecksum({ requireContentMD5 }: S3Config, { deletes }: Preset): DeleteChecksum {
  if (requireContentMD5 === true) return 'md5';
  if (deletes === 'one-by-one') return 'none';
  return requireContentMD5 === false && deletes === 'md5' ? 'crc32' : deletes;
}

function makeClient(config: S3Config, sdk: typeof import('@aws-sdk/client-s3')): S3Client {
  const { endpoint } = config;
  let client: S3Client;
  const shared = { credentials: findCredentials(() => client), ...clientConfig(config) };
  const given = config.region ?? (endpoint === undefined ? undefined : regionOfEndpoint(endpoint));
  if (given !== undefined || endpoint !== undefined) {
    client = new sdk.S3Client({ ...shared, region: given ?? REGION_DEFAULT });
    return client;
  }
  client = new sdk.S3Client({
    ...shared,
    // The same sockets and credentials serve both, so there is one client to close.
    region: regionOnce(config.bucket, sdk, (region) => {
      const { requestHandler, credentials } = client.config;
      return new sdk.S3Client({ ...shared, region, requestHandler, credentials });
    }),
  });
  return client;
}

function clientConfig(config: S3Config): S3ClientConfig {
  const { accessKeyID, secretAccessKey, sessionToken, endpoint } = config;
  const agent = { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: IDLE_SOCKETS_MAX };
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
      socketTimeout: SILENCE_MS_MAX,
      httpAgent: new HTTPAgent(agent),
      httpsAgent: new HTTPSAgent({ ...agent, rejectUnauthorized: !config.skipVerify }),
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
