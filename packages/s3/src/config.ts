/**
 * The configuration of a replica in a bucket: all keys of Litestream 0.5 for s3, and some of ours. In YAML
 * or, in kebab-case or camelCase, in the query of an s3:// URL (url.ts).
 */

import { createHash } from 'node:crypto';
import {
  secret as hide,
  isSecret,
  type ConfigSchema,
  type DestinationDescription,
  type Secret,
} from '@sluice/core/backend';
import {
  boolean,
  choice,
  duration,
  endpoint,
  exclusive,
  integer,
  keyPath,
  requires,
  rules,
  secret,
  secretFile,
  size,
  text,
  together,
  problemWithBucket,
  type AddIssue,
} from '@sluice/core/backend/config';
import { z } from 'zod';

export interface S3Config {
  readonly bucket: string;
  /** With its scheme; undefined for AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly forcePathStyle: boolean | undefined;
  readonly skipVerify: boolean;
  /** Set together with the secret. */
  readonly accessKeyID: string | undefined;
  readonly secretAccessKey: Secret | undefined;
  readonly sessionToken: Secret | undefined;
  readonly partSizeBytes: number;
  readonly partsAtOnce: number | undefined;
  readonly signPayload: boolean;
  readonly requireContentMD5: boolean | undefined;
  readonly storageClass: string | undefined;
  /** 32 bytes, in base64. */
  readonly sseCustomerKey: Secret | undefined;
  readonly sseKMSKeyID: string | undefined;
  readonly objectLock: ObjectLock | undefined;
}

/** For this long, no version of a new LTX file can be deleted; a deletion only adds a delete marker. */
export interface ObjectLock {
  readonly mode: (typeof LOCK_MODES)[number];
  readonly retentionMs: number;
}

/** COMPLIANCE binds the account's owner too. */
const LOCK_MODES = ['GOVERNANCE', 'COMPLIANCE'] as const;

const MIB = 1024 * 1024;
/** S3's minimum for all parts but the last. */
const PART_BYTES_MIN = 5 * MIB;
/** `5MB`, as in the documentation of Litestream, is less than the minimum: there, each upload fails with it. */
const PART_BYTES_MEANT = 5_000_000;
/** A part is kept in memory. 10,000 parts of this size are S3's maximum. */
const PART_BYTES_MAX = 512 * MIB;
/** More parts need more memory, and are not faster on any link we know of. */
const PARTS_AT_ONCE_MAX = 32;
const CUSTOMER_KEY_BYTES = 32;
/** S3's maximum: 100 years. */
const LOCK_RETENTION_MS_MAX = 36_500 * 86_400_000;
/** A shorter time protects nothing, and clocks differ. */
const LOCK_RETENTION_MS_MIN = 60_000;

const KEYS = z.strictObject({
  bucket: text('the bucket, or the ARN of an access point', {
    example: 'my-backups',
    check: problemWithName,
  }),
  path: keyPath(),
  region: text('the region of the bucket', {
    example: 'eu-west-1',
    defaultText: 'looked up; us-east-1 with an endpoint',
  }).optional(),
  endpoint: endpoint('a provider other than AWS', {
    example: 'https://s3.example.com',
    scheme: schemeFor,
  }).optional(),
  'access-key-id': text('with secret-access-key', {
    example: 'AKIAEXAMPLE',
    defaultText: 'the credential chain of the AWS SDK',
    file: true,
  })
    .transform((id) => id.trim())
    .optional(),
  'secret-access-key': secret('with access-key-id', { example: 'example-secret' }).optional(),
  'session-token': secret('for temporary credentials', { example: 'example-token' }).optional(),
  'force-path-style': boolean('put the bucket in the path, not in the host name', {
    example: true,
    defaultText: 'true with an endpoint',
  }).optional(),
  'skip-verify': boolean('accept any TLS certificate', { example: true }).prefault(false),
  'sign-payload': boolean('sign the SHA-256 of bodies; otherwise Content-MD5 protects them', {
    example: false,
  }).prefault(true),
  'require-content-md5': boolean('send Content-MD5 with DeleteObjects', {
    example: false,
    defaultText: 'by provider',
  }).optional(),
  'storage-class': text('storage class of new objects', {
    example: 'STANDARD_IA',
    defaultText: 'the bucket’s',
  }).optional(),
  // Litestream uses 5 MiB. With 8 MiB, 10,000 parts hold 78 GiB; larger objects use larger parts.
  'part-size': size('part size of multipart uploads; a smaller file is one request; 5MB is 5MiB', {
    example: '16MiB',
    min: PART_BYTES_MIN,
    raiseFrom: PART_BYTES_MEANT,
    max: PART_BYTES_MAX,
  }).prefault('8MiB'),
  concurrency: integer('parts uploaded concurrently', {
    example: 3,
    min: 1,
    max: PARTS_AT_ONCE_MAX,
    defaultText: 'by provider',
  }).optional(),
  'sse-customer-algorithm': choice('with sse-customer-key', ['AES256'], {
    example: 'AES256',
  }).optional(),
  'sse-customer-key': secret(
    'the server encrypts with this key (base64, 32 bytes) and does not store it',
    { example: 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=', check: problemWithKey },
  ).optional(),
  'sse-customer-key-path': secretFile('a file with sse-customer-key', {
    example: '/run/secrets/sse-key',
    check: problemWithKey,
  }).optional(),
  'sse-customer-key-md5': text('MD5 of the key in base64, to verify it', {
    example: 'y4HAEFCYWuvAXWFTtA1Qpg==',
  }).optional(),
  'sse-kms-key-id': text('the server encrypts with this KMS key', {
    example: 'alias/backups',
  }).optional(),
  'object-lock-mode': choice(
    'lock new files for object-lock-retention (COMPLIANCE: even against the account owner)',
    LOCK_MODES,
    { example: 'GOVERNANCE' },
  ).optional(),
  'object-lock-retention': duration('how long new files cannot be deleted', {
    example: '720h',
    min: LOCK_RETENTION_MS_MIN,
    max: LOCK_RETENTION_MS_MAX,
  }).optional(),
});

export const schema: ConfigSchema<S3Config & { readonly path: string }> = KEYS.superRefine(
  ...rules(
    together('access-key-id', 'secret-access-key'),
    requires('session-token', 'access-key-id'),
    together('object-lock-mode', 'object-lock-retention'),
    exclusive('sse-customer-key', 'sse-customer-key-path'),
    requires('sse-customer-algorithm', 'sse-customer-key', 'sse-customer-key-path'),
    exclusive('sse-customer-key', 'sse-kms-key-id'),
    exclusive('sse-customer-key-path', 'sse-kms-key-id'),
    checkCustomerKey,
    checkAccessPoint,
  ),
).transform(toConfig);

function toConfig(keys: z.output<typeof KEYS>): S3Config & { readonly path: string } {
  const mode = keys['object-lock-mode'];
  const retentionMs = keys['object-lock-retention'];
  const key = keys['sse-customer-key'] ?? keys['sse-customer-key-path'];
  return {
    bucket: keys.bucket,
    endpoint: keys.endpoint,
    region: keys.region,
    forcePathStyle: keys['force-path-style'],
    skipVerify: keys['skip-verify'],
    accessKeyID: keys['access-key-id'],
    secretAccessKey: keys['secret-access-key'],
    sessionToken: keys['session-token'],
    partSizeBytes: keys['part-size'],
    partsAtOnce: keys.concurrency,
    signPayload: keys['sign-payload'],
    requireContentMD5: keys['require-content-md5'],
    storageClass: keys['storage-class'],
    sseCustomerKey: key === undefined ? undefined : hide(bytesOf(key).toString('base64')),
    sseKMSKeyID: keys['sse-kms-key-id'],
    objectLock: mode === undefined || retentionMs === undefined ? undefined : { mode, retentionMs },
    path: keys.path,
  };
}

export function describe(config: S3Config, path: string): DestinationDescription {
  const { bucket, endpoint: at, partSizeBytes: partBytes } = config;
  const target = `s3://${bucket}/${path}`;
  if (at === undefined) return { target, partBytes };
  return { target: `${target} at ${at}`, provider: new URL(at).host, partBytes };
}

/** A name, or the ARN of an access point, which has a slash. */
function problemWithName(bucket: string): string | undefined {
  if (bucket.startsWith('arn:')) return undefined;
  return problemWithBucket(bucket, 'a bucket') ?? problemWithKind(bucket);
}

/** Bucket types that support only a part of S3. AWS reserves these suffixes for them. */
function problemWithKind(bucket: string): string | undefined {
  if (/--xa?-s3$/.test(bucket)) {
    return (
      'is a directory bucket (S3 Express One Zone), which has unsorted listings and only one zone: ' +
      'use a general purpose bucket'
    );
  }
  return bucket.endsWith('--table-s3')
    ? 'is a table bucket, which cannot store objects: use a general purpose bucket'
    : undefined;
}

/** The scheme of an endpoint without one: plain HTTP for this machine and private networks only. */
function schemeFor(host: string): 'http' | 'https' {
  const isPrivate =
    /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\])/i.test(host) ||
    /\.(local|localhost)(:\d+)?$/i.test(host);
  return isPrivate ? 'http' : 'https';
}

function bytesOf(key: Secret): Buffer {
  return Buffer.from(key.reveal(), 'base64');
}

function problemWithKey(base64: string): string | undefined {
  const count = Buffer.from(base64, 'base64').byteLength;
  if (count === CUSTOMER_KEY_BYTES) return undefined;
  return `has ${count} bytes after base64 decoding: it must have ${CUSTOMER_KEY_BYTES}`;
}

function checkAccessPoint(keys: Readonly<Record<string, unknown>>, issue: AddIssue): void {
  const { bucket, endpoint: url, 'force-path-style': style } = keys;
  if (typeof bucket !== 'string' || !bucket.startsWith('arn:')) return;
  if (url === undefined && style !== true) return;
  issue(
    'bucket',
    'is the ARN of an access point, which only AWS has: with endpoint or force-path-style, use the ' +
      'name of a bucket',
  );
}

/** The key is sent with each request, so the endpoint must be https. */
function checkCustomerKey(keys: Readonly<Record<string, unknown>>, issue: AddIssue): void {
  const key = keys['sse-customer-key'] ?? keys['sse-customer-key-path'];
  if (!isSecret(key)) return;
  const { endpoint: url, 'sse-customer-key-md5': md5 } = keys;
  if (md5 !== undefined && md5 !== createHash('md5').update(bytesOf(key)).digest('base64')) {
    issue('sse-customer-key-md5', 'is not the MD5 of the key');
  }
  if (typeof url !== 'string' || !url.startsWith('http://')) return;
  if (schemeFor(url.slice('http://'.length)) === 'http') return;
  issue('endpoint', 'must be https, because a customer key is sent to it');
}
