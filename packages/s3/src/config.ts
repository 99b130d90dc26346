/**
 * The configuration of a replica in a bucket, by YAML or by URL. All keys of Litestream 0.5.
 *
 *  s3://bucket/path?endpoint=…&region=…   keys in kebab-case or camelCase
 */

import fs from 'node:fs';
import {
  ConfigReader,
  rootOfURLPath,
  secret,
  type ParsedConfig,
  type Secret,
} from '@sluice/core/backend';
import { hostOf } from './host.ts';

export interface S3Config {
  readonly bucket: string;
  /** With its scheme; undefined for AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly forcePathStyle: boolean | undefined;
  readonly skipVerify: boolean;
  /** Together or not at all: without them, the SDK's own chain of credentials. */
  readonly accessKeyID: string | undefined;
  readonly secretAccessKey: Secret | undefined;
  readonly sessionToken: Secret | undefined;
  readonly partSizeBytes: number;
  /** Parts of one upload at once; undefined for what suits the provider. */
  readonly partsAtOnce: number | undefined;
  readonly signPayload: boolean;
  /** Content-MD5 on DeleteObjects; undefined for what suits the provider. */
  readonly requireContentMD5: boolean | undefined;
  readonly storageClass: string | undefined;
  readonly sseCustomerKey: Secret | undefined;
  readonly sseKMSKeyID: string | undefined;
}

/** S3 refuses smaller parts, but for the last. */
const PART_BYTES_MIN = 5 * 1024 * 1024;
/** 10,000 parts of it are 80 GB; a small file is one request. */
const PART_BYTES_DEFAULT = 8 * 1024 * 1024;
const PART_BYTES_MAX = 512 * 1024 * 1024;
const PARTS_AT_ONCE_MAX = 32;

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<S3Config> {
  const reader = new ConfigReader('s3', input);
  reader.ignore('name');
  reader.oneOf('type', ['s3']);
  const bucket = reader.requiredString('bucket');
  reader.together('access-key-id', 'secret-access-key');
  reader.exclusive('sse-customer-key', 'sse-customer-key-path');
  reader.oneOf('sse-customer-algorithm', ['AES256']);
  const config: S3Config = {
    bucket,
    endpoint: readEndpoint(reader),
    region: reader.string('region'),
    forcePathStyle: reader.boolean('force-path-style'),
    skipVerify: reader.boolean('skip-verify') ?? false,
    accessKeyID: reader.string('access-key-id'),
    secretAccessKey: reader.secret('secret-access-key'),
    sessionToken: reader.secret('session-token'),
    partSizeBytes:
      reader.sizeBytes('part-size', { min: PART_BYTES_MIN, max: PART_BYTES_MAX }) ??
      PART_BYTES_DEFAULT,
    partsAtOnce: reader.integer('concurrency', { min: 1, max: PARTS_AT_ONCE_MAX }),
    signPayload: reader.boolean('sign-payload') ?? true,
    requireContentMD5: reader.boolean('require-content-md5'),
    storageClass: reader.string('storage-class'),
    sseCustomerKey: readCustomerKey(reader),
    sseKMSKeyID: reader.string('sse-kms-key-id'),
  };
  const path = reader.string('path') ?? '';
  reader.finish();
  return { config, path };
}

/** The input that YAML would give. What the host says of region and endpoint is filled in. */
export function configFromURL(url: URL): unknown {
  const input: Record<string, unknown> = { type: 's3', ...hostOf(url) };
  input['path'] = rootOfURLPath(url.pathname);
  if (input['path'] === '') delete input['path'];
  for (const [name, value] of url.searchParams) {
    const key = name.replaceAll(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
    input[key === 'require-content-md-5' ? 'require-content-md5' : key] = value;
  }
  return input;
}

function readEndpoint(reader: ConfigReader): string | undefined {
  const text = reader.string('endpoint');
  if (text === undefined) return undefined;
  const full = /^https?:\/\//.test(text) ? text : `${schemeFor(text)}://${text}`;
  if (URL.canParse(full) && new URL(full).pathname === '/') return full.replace(/\/$/, '');
  reader.issue('endpoint', `is "${text}": a host, or http(s)://host, without a path`);
  return undefined;
}

/** Plain HTTP is for this machine and private networks only. */
function schemeFor(host: string): 'http' | 'https' {
  const isPrivate =
    /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\])/.test(host) ||
    /\.(local|localhost)(:\d+)?$/.test(host);
  return isPrivate ? 'http' : 'https';
}

function readCustomerKey(reader: ConfigReader): Secret | undefined {
  const given = reader.secret('sse-customer-key');
  const file = reader.string('sse-customer-key-path');
  if (file === undefined) return given;
  try {
    return secret(fs.readFileSync(file, 'utf8').trim());
  } catch (error) {
    reader.issue('sse-customer-key-path', error instanceof Error ? error.message : String(error));
    return undefined;
  }
}
