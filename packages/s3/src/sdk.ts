/** The SDK's client: its sockets, its credentials and the region of the bucket. */

import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { ReplicationError, type ConnectContext } from '@sluice/core/backend';
import { HTTP_SILENCE_MS_MAX, httpAgent } from '@sluice/core/backend/http';
import type { S3Config } from './config.ts';
import { regionInError, toReplicationError } from './errors.ts';
import type { DeleteChecksum, Preset } from './presets.ts';
import { adjustRequests, checkResponses, closeSockets } from './wire.ts';

type SDK = typeof import('@aws-sdk/client-s3');

const CONNECT_MS_MAX = 10_000;

/** Sends nothing. */
export function makeClient(
  config: S3Config,
  preset: Preset,
  { sdk, ask }: { readonly sdk: SDK; readonly ask: ConnectContext['credentials'] },
): S3Client {
  const { endpoint } = config;
  const found =
    ask === undefined ? findCredentials((): S3Client => client) : askCredentials(config, ask);
  const shared = { credentials: found, ...clientConfig(config) };
  const known = config.region ?? (endpoint === undefined ? undefined : regionOfEndpoint(endpoint));
  const client: S3Client = new sdk.S3Client({
    ...shared,
    region:
      known ??
      (endpoint === undefined
        ? // It shares sockets and credentials with the client, so only the client has to be closed.
          regionOnce(config.bucket, sdk, (region) => {
            const { requestHandler, credentials } = client.config;
            const other = new sdk.S3Client({ ...shared, region, requestHandler, credentials });
            closeSockets(other);
            return other;
          })
        : REGION_DEFAULT),
  });
  checkResponses(client);
  adjustRequests(client, {
    headers: {
      ...preset.headers,
      ...(!config.signPayload && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    },
    deleteChecksum: checksumFor(config, preset),
  });
  return client;
}

/** Litestream's key overrides the preset of the provider. */
function checksumFor({ requireContentMD5 }: S3Config, preset: Preset): DeleteChecksum {
  if (requireContentMD5 === true) return 'md5';
  const { deleteChecksum } = preset;
  return requireContentMD5 === false && deleteChecksum === 'md5' ? 'crc32' : deleteChecksum;
}

function clientConfig(config: S3Config): S3ClientConfig {
  const { accessKeyID, secretAccessKey, sessionToken, endpoint } = config;
  return {
    customUserAgent: 'sluice',
    forcePathStyle: config.forcePathStyle ?? endpoint !== undefined,
    useArnRegion: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With our own agents the SDK does not wait for "100 Continue", so it need not request it.
    expectContinueHeader: false,
    maxAttempts: 1, // core retries, for all backends
    requestHandler: {
      connectionTimeout: CONNECT_MS_MAX,
      // Without this, the SDK removes the agent's timeout.
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

/** Every S3-compatible server accepts it. */
const REGION_DEFAULT = 'us-east-1';

/**
 * Looks up the region of the bucket once, and again only after a failure. HeadBucket needs
 * s3:ListBucket, but even a denial or a redirect names the region. (GetBucketLocation is often
 * denied.) `clientIn` makes a client for that one request; the region that it is signed for matters
 * only in other partitions of AWS (China, GovCloud).
 */
function regionOnce(
  bucket: string,
  sdk: SDK,
  clientIn: (region: string) => S3Client,
): () => Promise<string> {
  let result: Promise<string> | undefined;
  const lookUp = async (): Promise<string> => {
    const first = regionOfEnvironment();
    try {
      const client = clientIn(first);
      const head = await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }));
      return head.BucketRegion ?? first;
    } catch (error) {
      const region = regionInError(error);
      if (region !== undefined) return region;
      throw toReplicationError(error, `look up the region of s3://${bucket}`);
    }
  };
  return () => {
    result ??= lookUp().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

/** The SDK reads the same variables, but fails if they are not set. */
function regionOfEnvironment(): string {
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = process.env;
  return region ?? fallback ?? REGION_DEFAULT;
}

/** The region in an endpoint of AWS: https://s3.eu-west-1.amazonaws.com */
export function regionOfEndpoint(endpoint: string): string | undefined {
  const { hostname } = new URL(endpoint);
  return /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(
    hostname,
  )?.[1];
}

/**
 * The SDK refreshes credentials five minutes before they expire. So those without an expiry are read
 * again once a minute.
 */
const CREDENTIALS_LIFETIME_MS = 6 * 60_000;

interface FoundCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/**
 * Credentials from the SDK's own chain, for the client's `credentials`. The SDK caches those without
 * an expiry for as long as the process lives, such as a file; but key rotation rewrites such files.
 */
function findCredentials(clientOf: () => S3Client): () => Promise<FoundCredentials> {
  return async () => {
    const { config } = clientOf();
    const init = { ...config, parentClientConfig: config, ignoreCache: true };
    return expiring(await config.credentialDefaultProvider(init)());
  };
}

/** Credentials from the program. REPLICA_UNAUTHENTICATED if its answer is none. */
function askCredentials(
  { bucket }: S3Config,
  ask: () => Promise<unknown>,
): () => Promise<FoundCredentials> {
  return async () => {
    const found = await ask();
    if (isCredentials(found)) return expiring(found);
    throw new ReplicationError(
      'REPLICA_UNAUTHENTICATED',
      `ask for the credentials of s3://${bucket}: the answer has no accessKeyId and secretAccessKey, or an ` +
        'expiration that is no Date; check the credentials function',
    );
  };
}

function isCredentials(value: unknown): value is FoundCredentials {
  const { accessKeyId, secretAccessKey, expiration } = (value ?? {}) as Partial<
    Record<keyof FoundCredentials, unknown>
  >;
  const isDated = expiration === undefined || expiration instanceof Date;
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string' && isDated;
}

function expiring(found: FoundCredentials): FoundCredentials {
  const lifetimeMs =
    found.expiration === undefined
      ? CREDENTIALS_LIFETIME_MS
      : found.expiration.getTime() - Date.now();
  return { ...found, expiration: new Expiration(lifetimeMs) };
}

/**
 * Reached by the wall clock or after its lifetime, whichever is first. The SDK compares it with the
 * wall clock alone: if that clock were set back, old keys would be used for that much longer.
 */
class Expiration extends Date {
  readonly #endsAt: number;

  constructor(lifetimeMs: number) {
    super(Date.now() + lifetimeMs);
    this.#endsAt = performance.now() + lifetimeMs;
  }

  override getTime(): number {
    return Math.min(super.getTime(), Date.now() + this.#endsAt - performance.now());
  }
}
