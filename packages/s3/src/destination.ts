/** One bucket with one set of credentials: one SDK client, at most SOCKETS_MAX sockets. */

import { Agent as HTTPAgent } from 'node:http';
import { Agent as HTTPSAgent } from 'node:https';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { ReplicationError, type ConnectContext, type Destination } from '@sluice/core/backend';
import type { S3Config } from './config.ts';
import { S3Replica } from './client.ts';
import { S3Objects } from './objects.ts';
import { presetFor, type Preset } from './presets.ts';
import { sendDeleteChecksum, sendHeaders, stripChecksumHeaders } from './wire.ts';

/** For all databases together. */
const SOCKETS_MAX = 16;
const CONNECT_MS_MAX = 10_000;
/** No byte for so long on a socket: the request has failed. */
const SILENCE_MS_MAX = 60_000;
/** Where nothing says otherwise; every S3-compatible server takes it. */
const REGION_DEFAULT = 'us-east-1';

/** What the parts of a destination share. */
export interface Bucket {
  readonly client: S3Client;
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly config: S3Config;
  readonly preset: Preset;
  readonly name: string;
  /** Aborted at close. */
  readonly closing: AbortSignal;
}

export async function connect(config: S3Config, _context: ConnectContext): Promise<Destination> {
  const sdk = await import('@aws-sdk/client-s3');
  const preset = presetFor(config.endpoint);
  const client = new sdk.S3Client(clientConfig(config, preset));
  client.middlewareStack.add(sendHeaders(headersOf(config, preset)), { step: 'build' });
  client.middlewareStack.add(stripChecksumHeaders, { step: 'build', priority: 'low' });
  client.middlewareStack.add(sendDeleteChecksum(deleteChecksum(config, preset)), {
    step: 'build',
    priority: 'low',
  });
  const closing = new AbortController();
  const name = `s3://${config.bucket}`;
  const bucket: Bucket = { client, sdk, config, preset, name, closing: closing.signal };
  let closed = false;
  return {
    name,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new S3Replica(bucket, path),
    objects: (path) => new S3Objects(bucket, path),
    close: async () => {
      if (closed) return;
      closed = true;
      closing.abort(new ReplicationError('REPLICA_CLOSED', `${name} was closed`));
      client.destroy();
    },
  };
}

function headersOf(config: S3Config, preset: Preset): Record<string, string> {
  return {
    ...preset.headers,
    ...(!config.signPayload && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
  };
}

function deleteChecksum(config: S3Config, preset: Preset): Preset['deleteChecksum'] {
  if (config.requireContentMD5 === undefined) return preset.deleteChecksum;
  if (config.requireContentMD5) return 'md5';
  return preset.deleteChecksum === 'md5' ? 'none' : preset.deleteChecksum;
}

function clientConfig(config: S3Config, preset: Preset): S3ClientConfig {
  const { accessKeyID, secretAccessKey, sessionToken, endpoint } = config;
  const agent = { keepAlive: true, maxSockets: SOCKETS_MAX };
  return {
    region: config.region ?? (endpoint === undefined ? regionOfEnvironment() : REGION_DEFAULT),
    forcePathStyle: config.forcePathStyle ?? (endpoint !== undefined && preset.pathStyle === 'yes'),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    followRegionRedirects: endpoint === undefined,
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

/** The SDK reads the same variables, and fails where there is none; a bucket's own region is followed to. */
function regionOfEnvironment(): string {
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = process.env;
  return region ?? fallback ?? REGION_DEFAULT;
}
