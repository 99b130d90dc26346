/**
 * The configuration of a replica in a bucket: all keys that Litestream 0.5 has for s3, by YAML or,
 * in kebab-case or camelCase, in the query of an s3:// URL (url.ts).
 *
 *  key                      standard
 *  bucket                   must be given; or the ARN of an access point
 *  path                     none: keys then begin with a slash, as Litestream's do
 *  url                      s3://bucket/path?…, instead of the above; other keys win over its query
 *  endpoint                 AWS; http for this machine and private networks, else https
 *  region                   the bucket's, asked for; us-east-1 where an endpoint is given
 *  force-path-style         true where an endpoint is given
 *  skip-verify              false
 *  access-key-id            with secret-access-key, or neither: the AWS SDK's chain of credentials
 *  secret-access-key
 *  session-token            none; only beside the two
 *  part-size                8 MiB; a file up to this size is one request
 *  concurrency              what suits the provider (presets.ts): parts at once
 *  sign-payload             true; else Content-MD5 vouches for the bytes
 *  require-content-md5      what suits the provider: Content-MD5 on DeleteObjects
 *  storage-class            the bucket's
 *  sse-customer-algorithm   AES256, beside sse-customer-key or -path
 *  sse-customer-key         none; 32 bytes in base64
 *  sse-customer-key-path    none; a file that holds it
 *  sse-customer-key-md5     none; checked against the key
 *  sse-kms-key-id           none
 *  object-lock-mode         none; with object-lock-retention (ours, both)
 *  object-lock-retention    none; how long each new file is kept, whoever wants it gone
 *
 * `type` and `name` are read by whoever chose this backend.
 */

import { createHash } from 'node:crypto';
import {
  ConfigReader,
  parseEndpoint,
  secret,
  whatIsWrongWithBucket,
  whatIsWrongWithPath,
  withKeysOfURL,
  type ParsedConfig,
  type Secret,
} from '@sluice/core/backend';
import { inputFromURL } from './url.ts';

export interface S3Config {
  readonly bucket: string;
  /** With its scheme; undefined for AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly forcePathStyle: boolean | undefined;
  readonly skipVerify: boolean;
  /** This and the secret, or neither. */
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

/** Each new LTX file cannot be deleted or replaced for so long: a version less is all one can do to it. */
export interface ObjectLock {
  readonly mode: (typeof LOCK_MODES)[number];
  readonly retentionMs: number;
}

/** COMPLIANCE binds the account's owner too. */
const LOCK_MODES = ['GOVERNANCE', 'COMPLIANCE'] as const;

const MIB = 1024 * 1024;
/** S3 refuses smaller parts, but for the last. */
const PART_BYTES_MIN = 5 * MIB;
/** Litestream has 5 MiB; with 8, the largest object of 10,000 parts is 78 GiB before parts grow. */
const PART_BYTES_DEFAULT = 8 * MIB;
/** A part lies in memory whole. 10,000 parts of it are as much as S3 takes. */
const PART_BYTES_MAX = 512 * MIB;
/** More is more memory, and not faster on any link that we know of. */
const PARTS_AT_ONCE_MAX = 32;
const CUSTOMER_KEY_BYTES = 32;
/** S3 takes no longer one: 100 years. */
const LOCK_RETENTION_MS_MAX = 36_500 * 86_400_000;
/** Less protects from nothing, and clocks differ. */
const LOCK_RETENTION_MS_MIN = 60_000;

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<S3Config> {
  const reader = new ConfigReader('s3', withKeysOfURL(input, readURL));
  reader.ignore('name');
  reader.oneOf('type', ['s3']);
  const url = reader.string('url');
  if (url !== undefined && readURL(url) === undefined) {
    reader.issue('url', 'must begin with s3://');
  }
  const bucket = readBucket(reader);
  const path = readPath(reader);
  const config: S3Config = {
    bucket,
    endpoint: readEndpoint(reader),
    region: reader.string('region'),
    forcePathStyle: reader.boolean('force-path-style'),
    skipVerify: reader.boolean('skip-verify') ?? false,
    ...readCredentials(reader),
    partSizeBytes:
      reader.sizeBytes('part-size', { min: PART_BYTES_MIN, max: PART_BYTES_MAX }) ??
      PART_BYTES_DEFAULT,
    partsAtOnce: reader.integer('concurrency', { min: 1, max: PARTS_AT_ONCE_MAX }),
    signPayload: reader.boolean('sign-payload') ?? true,
    requireContentMD5: reader.boolean('require-content-md5'),
    storageClass: reader.string('storage-class'),
    sseCustomerKey: readCustomerKey(reader),
    sseKMSKeyID: reader.string('sse-kms-key-id'),
    objectLock: readObjectLock(reader),
  };
  checkEncryption(reader, config);
  reader.finish();
  return { config, path };
}

/** The input that YAML would give. A URL that is not right becomes an issue of `parseConfig`. */
export function configFromURL(url: URL): unknown {
  return inputFromURL(url.href);
}

function readURL(text: string): ReturnType<typeof inputFromURL> | undefined {
  return /^s3:\/\//i.test(text) ? inputFromURL(text) : undefined;
}

/** A name, or the ARN of an access point, which has a slash. */
function readBucket(reader: ConfigReader): string {
  const bucket = reader.requiredString('bucket');
  if (bucket === '' || bucket.startsWith('arn:')) return bucket;
  const wrong = whatIsWrongWithBucket(bucket, 'a bucket') ?? whatIsUnfit(bucket);
  if (wrong !== undefined) reader.issue('bucket', wrong);
  return bucket;
}

/** Kinds of bucket that speak S3 in part. AWS keeps these endings for them. */
function whatIsUnfit(bucket: string): string | undefined {
  if (/--xa?-s3$/.test(bucket)) {
    return (
      'is a directory bucket (S3 Express One Zone), which lists in no order and is in one zone only: ' +
      'use a general purpose bucket'
    );
  }
  return bucket.endsWith('--table-s3')
    ? 'is a table bucket, which takes no objects: use a general purpose bucket'
    : undefined;
}

function readPath(reader: ConfigReader): string {
  const path = reader.string('path') ?? '';
  const wrong = whatIsWrongWithPath(path);
  if (wrong !== undefined) reader.issue('path', wrong);
  return path;
}

/** It may have a path, as that of Supabase has: https://PROJECT.storage.supabase.co/storage/v1/s3 */
function readEndpoint(reader: ConfigReader): string | undefined {
  const text = reader.string('endpoint');
  if (text === undefined) return undefined;
  const full = /^https?:\/\//i.test(text) ? text : `${schemeFor(text)}://${text}`;
  const url = parseEndpoint(full);
  if (url !== undefined) return (url.origin + url.pathname).replace(/\/+$/, '');
  // Not shown: somebody may have put a password into it.
  reader.issue('endpoint', 'must be a host, or http(s)://host, without a password or a query');
  return undefined;
}

/** Without a scheme, plain HTTP is for this machine and private networks only. */
function schemeFor(host: string): 'http' | 'https' {
  const isPrivate =
    /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\])/i.test(host) ||
    /\.(local|localhost)(:\d+)?$/i.test(host);
  return isPrivate ? 'http' : 'https';
}

function readCredentials(
  reader: ConfigReader,
): Pick<S3Config, 'accessKeyID' | 'secretAccessKey' | 'sessionToken'> {
  reader.together('access-key-id', 'secret-access-key');
  if (reader.has('session-token') && !reader.has('access-key-id')) {
    reader.issue('session-token', 'needs access-key-id and secret-access-key beside it');
  }
  return {
    accessKeyID: reader.string('access-key-id')?.trim(),
    secretAccessKey: reader.secret('secret-access-key'),
    sessionToken: reader.secret('session-token'),
  };
}

function readCustomerKey(reader: ConfigReader): Secret | undefined {
  const given = reader.secretOrFile('sse-customer-key', 'sse-customer-key-path');
  const md5 = reader.string('sse-customer-key-md5');
  if (given === undefined) return undefined;
  const bytes = Buffer.from(given.secret.reveal(), 'base64');
  if (bytes.byteLength !== CUSTOMER_KEY_BYTES) {
    const had = `${bytes.byteLength} bytes when read as base64`;
    reader.issue(given.key, `has ${had}: it must be ${CUSTOMER_KEY_BYTES}`);
  }
  if (md5 !== undefined && md5 !== createHash('md5').update(bytes).digest('base64')) {
    reader.issue('sse-customer-key-md5', 'is not that of the key');
  }
  return secret(bytes.toString('base64'));
}

function readObjectLock(reader: ConfigReader): ObjectLock | undefined {
  reader.together('object-lock-mode', 'object-lock-retention');
  const mode = reader.oneOf('object-lock-mode', LOCK_MODES);
  const limits = { min: LOCK_RETENTION_MS_MIN, max: LOCK_RETENTION_MS_MAX };
  const retentionMs = reader.durationMs('object-lock-retention', limits);
  return mode === undefined || retentionMs === undefined ? undefined : { mode, retentionMs };
}

function checkEncryption(reader: ConfigReader, config: S3Config): void {
  const algorithm = reader.oneOf('sse-customer-algorithm', ['AES256']);
  const { sseCustomerKey, sseKMSKeyID, endpoint } = config;
  if (algorithm !== undefined && sseCustomerKey === undefined) {
    reader.issue('sse-customer-algorithm', 'needs sse-customer-key or sse-customer-key-path');
  }
  if (sseCustomerKey === undefined) return;
  if (sseKMSKeyID !== undefined) {
    reader.issue('sse-kms-key-id', 'cannot be given together with a customer key');
  }
  // The key goes along with each request.
  if (endpoint?.startsWith('http://') === true && schemeFor(endpoint.slice(7)) === 'https') {
    reader.issue('endpoint', 'must be https where a customer key is sent to it');
  }
}
