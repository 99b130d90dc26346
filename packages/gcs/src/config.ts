/**
 * The configuration of a replica in a bucket of Google Cloud Storage. `bucket`, `path` and `url` are
 * Litestream's; the other keys are ours.
 */

import { createPrivateKey } from 'node:crypto';
import {
  ReplicationError,
  rootOfURLPath,
  type ConfigSchema,
  type DestinationDescription,
  type Secret,
} from '@sluice/core/backend';
import {
  bucketName,
  endpoint,
  exclusive,
  keyPath,
  rules,
  secret,
  secretFile,
  size,
  type AddIssue,
} from '@sluice/core/backend/config';
import { z } from 'zod';

export interface GCSConfig {
  readonly bucket: string;
  /** A service account key in JSON; undefined: the SDK finds credentials. */
  readonly credentials: Secret | undefined;
  /** "https://host", without a trailing slash; undefined: Google's, or the emulator's. */
  readonly endpoint: string | undefined;
  readonly partSizeBytes: number;
}

const MIB = 1024 * 1024;
/** Google requires parts to be multiples of this, except the last. */
const PART_BYTES_STEP: number = 256 * 1024;
/** A part is kept in memory. */
const PART_BYTES_MAX = 512 * MIB;

const KEYS = z.strictObject({
  bucket: bucketName('the bucket', { example: 'my-backups' }),
  path: keyPath(),
  credentials: secret('a service account key, in JSON', {
    example: '{"type": "service_account"}',
    defaultText: 'application default credentials',
    check: problemWithKey,
  }).optional(),
  'credentials-file': secretFile('a file with the service account key', {
    example: '/run/secrets/key.json',
    check: problemWithKey,
  }).optional(),
  endpoint: endpoint('a private endpoint, or an emulator', {
    example: 'https://storage.example.com',
    defaultText: 'STORAGE_EMULATOR_HOST, or Google’s',
  }).optional(),
  'part-size': size(
    'part size of resumable uploads, a multiple of 256 KiB; a smaller file is one request. Larger parts mean fewer requests and more memory',
    { example: '16MiB', min: PART_BYTES_STEP, max: PART_BYTES_MAX },
  )
    .refine((bytes) => bytes % PART_BYTES_STEP === 0, 'must be a multiple of 256KiB')
    .prefault('8MiB'),
});

export const schema: ConfigSchema<GCSConfig & { readonly path: string }> = KEYS.superRefine(
  ...rules(exclusive('credentials', 'credentials-file'), refuseOpenCredentials),
).transform((keys) => ({
  bucket: keys.bucket,
  credentials: keys.credentials ?? keys['credentials-file'],
  endpoint: keys.endpoint,
  partSizeBytes: keys['part-size'],
  path: keys.path,
}));

/** `gs://bucket/path?key=value`. */
export function configFromURL({ href }: URL): unknown {
  const parts = /^gc?s:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/i.exec(href);
  if (parts === null) throw new ReplicationError('CONFIG_INVALID', 'must begin with gs://');
  const [, bucket = '', pathname = '', query = ''] = parts;
  const path = rootOfURLPath(pathname);
  return {
    // An empty part is left out, so that the error is "bucket is missing", not "bucket is empty".
    ...(bucket !== '' && { bucket }),
    ...(path !== '' && path !== '.' && { path }),
    ...Object.fromEntries(new URLSearchParams(query)),
  };
}

export function describe(config: GCSConfig, path: string): DestinationDescription {
  const { bucket, endpoint: at, partSizeBytes: partBytes } = config;
  return { target: `gs://${bucket}/${path}${at === undefined ? '' : ` at ${at}`}`, partBytes };
}

/** Credentials must not be sent to another machine without encryption. */
function refuseOpenCredentials(keys: Readonly<Record<string, unknown>>, issue: AddIssue): void {
  const { endpoint: url, credentials = keys['credentials-file'] } = keys;
  if (credentials === undefined || typeof url !== 'string' || url.startsWith('https:')) return;
  if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname)) return;
  issue('endpoint', 'must be https, because credentials are sent to it');
}

/** A service account key. Nothing about it is checked yet. */
export interface ServiceAccountKey {
  readonly type?: unknown;
  readonly client_email?: unknown;
  readonly private_key?: unknown;
  readonly private_key_id?: unknown;
}

/** The message does not contain the key. */
function problemWithKey(json: string): string | undefined {
  let key: ServiceAccountKey | undefined;
  try {
    key = JSON.parse(json) as ServiceAccountKey | undefined;
  } catch {
    return 'must be a service account key in JSON; for a file, use credentials-file';
  }
  if (key?.type !== 'service_account') {
    return 'must be of type service_account; for other types, set GOOGLE_APPLICATION_CREDENTIALS';
  }
  if (typeof key.client_email !== 'string') return 'has no client_email';
  try {
    createPrivateKey(String(key.private_key));
    return undefined;
  } catch {
    return 'has no readable private_key';
  }
}
