/**
 * A small S3 server for tests, demos and benchmarks, with node:http only.
 *
 * It is as strict as providers are (signatures, checksums, part sizes), can imitate their differences
 * (quirks) and can inject faults. Objects are kept in memory. Not supported: versions, ACLs, presigned
 * URLs, signed aws-chunked bodies, CRC-64/NVME. The conformance suite also runs with real servers, to
 * keep this one consistent with them.
 */

import { createHash } from 'node:crypto';
import type { Faults } from './faults.ts';
import type { RequestLog } from './log.ts';
import type { Credentials, Quirks, StartOptions } from './options.ts';
import { S3Server } from './server.ts';

export type { FaultKind } from './faults.ts';
export type { LoggedRequest, RequestLog } from './log.ts';
export type { Credentials, Operation, Quirks, StartOptions } from './options.ts';

export interface RunningS3 {
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: Credentials;
  /** All requests so far. */
  readonly requests: RequestLog;
  readonly faults: Faults;
  /** May be changed at any time. */
  readonly quirks: Quirks;
  /** Direct access to the stored objects. */
  readonly raw: RawAccess;
  stop(): Promise<void>;
}

export interface RawAccess {
  keys(bucket?: string): readonly string[];
  /** Undefined when there is no such object. */
  get(
    key: string,
  ): { readonly bytes: Buffer; readonly headers: Record<string, string> } | undefined;
  /** Without a request. `modifiedAt` is LastModified. */
  put(key: string, bytes: Uint8Array, modifiedAt: Date): void;
  remove(key: string): boolean;
  /** Multipart uploads that were neither completed nor aborted. */
  uploads(): readonly { readonly key: string; readonly parts: number }[];
  /** DeleteObject and DeleteObjects answer AccessDenied for this key. */
  protect(key: string): void;
  createBucket(name: string): void;
  removeBucket(name: string): void;
  /** Hides the bucket until the returned function is called. */
  hideBucket(name: string): () => void;
}

export async function start(options: StartOptions = {}): Promise<RunningS3> {
  const buckets = options.buckets ?? ['sluice-test'];
  const server = new S3Server(options, buckets);
  const port = await server.listen(options.port ?? 0);
  const bucket = buckets[0] ?? '';
  const [credentials] = server.settings.credentials;
  if (credentials === undefined) throw new TypeError('the S3 test server needs credentials');
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    region: server.settings.region,
    bucket,
    credentials,
    requests: server.log,
    faults: server.faults,
    quirks: server.settings.quirks,
    raw: rawAccess(server, bucket),
    stop: () => server.close(),
  };
}

function rawAccess(server: S3Server, bucket: string): RawAccess {
  return {
    keys: (name = bucket) => [...server.bucket(name).keys()],
    get: (key) => {
      const object = server.bucket(bucket).get(key);
      return object && { bytes: Buffer.concat(object.chunks), headers: { ...object.headers } };
    },
    put: (key, bytes, modifiedAt) => {
      const md5 = createHash('md5').update(bytes).digest('hex');
      const body = { chunks: [bytes], sizeBytes: bytes.length, md5 };
      server.bucket(bucket).set(key, { ...body, etag: `"${md5}"`, modifiedAt, headers: {} });
    },
    remove: (key) => server.bucket(bucket).delete(key),
    uploads: () =>
      Array.from(server.bucket(bucket).uploads.values(), ({ key, parts }) => ({
        key,
        parts: parts.size,
      })),
    protect: (key) => void server.protectedKeys.add(key),
    createBucket: (name) => server.createBucket(name),
    removeBucket: (name) => server.removeBucket(name),
    hideBucket: (name) => server.hideBucket(name),
  };
}
