/**
 * The configuration of a replica in a bucket: the keys that Litestream has for gs (0.5) and gcs
 * (0.3), which are the first three, and ours. By YAML, or by gs://bucket/path?key=value.
 *
 *  key               standard
 *  bucket            must be given
 *  path              none: files lie at the bucket's root, below ltx/
 *  url               gs://bucket/path, instead of the two; other keys win over its query
 *  credentials       application default credentials; the JSON of a service account's key
 *  credentials-file  none; a file that holds it
 *  endpoint          Google's, or STORAGE_EMULATOR_HOST
 *  part-size         8 MiB; a file up to this size is one request
 *
 * `type` and `name` are read by whoever chose this backend.
 */

import { createPrivateKey } from 'node:crypto';
import {
  ConfigReader,
  parseEndpoint,
  rootOfURLPath,
  whatIsWrongWithBucket,
  whatIsWrongWithPath,
  withKeysOfURL,
  type ParsedConfig,
  type Secret,
} from '@sluice/core/backend';

export interface GCSConfig {
  readonly bucket: string;
  /** The JSON of a service account's key; undefined: what the SDK finds. */
  readonly credentials: Secret | undefined;
  /** "https://host", without a slash behind; undefined: Google's, or the emulator's. */
  readonly endpoint: string | undefined;
  readonly partSizeBytes: number;
}

const MIB = 1024 * 1024;
/** Parts of a resumable upload are multiples of this, but for the last: Google refuses others. */
export const PART_BYTES_STEP: number = 256 * 1024;
/** As the S3 backend has it. Larger parts are fewer round trips, and more memory. */
const PART_BYTES_DEFAULT = 8 * MIB;
/** A part lies in memory whole. */
const PART_BYTES_MAX = 512 * MIB;

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<GCSConfig> {
  const reader = new ConfigReader('gs', withKeysOfURL(input, readURL));
  reader.ignore('name');
  reader.oneOf('type', ['gs', 'gcs']);
  const url = reader.string('url');
  if (url !== undefined && readURL(url) === undefined) {
    reader.issue('url', 'must begin with gs://');
  }
  const bucket = reader.requiredString('bucket');
  const wrong = whatIsWrongWithBucket(bucket, 'a bucket');
  if (bucket !== '' && wrong !== undefined) reader.issue('bucket', wrong);
  const config: GCSConfig = {
    bucket,
    credentials: readCredentials(reader),
    endpoint: readEndpoint(reader),
    partSizeBytes: readPartSize(reader),
  };
  if (config.credentials !== undefined && mayBeOverheard(config.endpoint)) {
    reader.issue('endpoint', 'must be https where credentials are sent to it');
  }
  const path = reader.string('path') ?? '';
  const wrongPath = whatIsWrongWithPath(path);
  if (wrongPath !== undefined) reader.issue('path', wrongPath);
  reader.finish();
  return { config, path };
}

/** The input that YAML would give. A URL that is not right becomes an issue of `parseConfig`. */
export function configFromURL(url: URL): unknown {
  return readURL(url.href);
}

/** Undefined for one that is not ours. */
function readURL(text: string): Record<string, unknown> | undefined {
  const parts = /^gc?s:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/i.exec(text);
  if (parts === null) return undefined;
  const [, bucket = '', pathname = '', query = ''] = parts;
  const path = rootOfURLPath(pathname);
  return {
    type: 'gs',
    // What is empty is not there: "bucket is missing" says more than "is empty".
    ...(bucket !== '' && { bucket }),
    ...(path !== '' && path !== '.' && { path }),
    ...Object.fromEntries(new URLSearchParams(query)),
  };
}

function readPartSize(reader: ConfigReader): number {
  const key = 'part-size';
  const sizeBytes = reader.sizeBytes(key, { min: PART_BYTES_STEP, max: PART_BYTES_MAX });
  if (sizeBytes !== undefined && sizeBytes % PART_BYTES_STEP !== 0) {
    reader.issue(key, 'must be a multiple of 256KiB');
  }
  return sizeBytes ?? PART_BYTES_DEFAULT;
}

function readEndpoint(reader: ConfigReader): string | undefined {
  const text = reader.string('endpoint');
  if (text === undefined) return undefined;
  const url = parseEndpoint(text);
  if (url !== undefined) return (url.origin + url.pathname).replace(/\/+$/, '');
  // Not shown: somebody may have put a password into it.
  reader.issue('endpoint', 'must be http(s)://host, without a password or a query');
  return undefined;
}

/** Plain HTTP, and not to this machine. */
function mayBeOverheard(endpoint: string | undefined): boolean {
  if (endpoint === undefined || endpoint.startsWith('https:')) return false;
  return !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(endpoint).hostname);
}

function readCredentials(reader: ConfigReader): Secret | undefined {
  const given = reader.secretOrFile('credentials', 'credentials-file');
  if (given === undefined) return undefined;
  const wrong = whatIsWrong(given.secret.reveal());
  if (wrong !== undefined) reader.issue(given.key, wrong);
  return given.secret;
}

/** What a service account's key must have. */
export interface ServiceAccountKey {
  readonly type?: unknown;
  readonly client_email?: unknown;
  readonly private_key?: unknown;
  readonly private_key_id?: unknown;
}

/** Says nothing of what is in it. */
function whatIsWrong(json: string): string | undefined {
  let key: ServiceAccountKey | undefined;
  try {
    key = JSON.parse(json) as ServiceAccountKey | undefined;
  } catch {
    return "must be the JSON of a service account's key, or its file must be given as credentials-file";
  }
  if (key?.type !== 'service_account') {
    return 'must be of type service_account: name other kinds in GOOGLE_APPLICATION_CREDENTIALS';
  }
  if (typeof key.client_email !== 'string') return 'has no client_email';
  try {
    createPrivateKey(String(key.private_key));
    return undefined;
  } catch {
    return 'has no private_key that can be read';
  }
}
