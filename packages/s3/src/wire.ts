/**
 * Middleware of the SDK's client: requests are adjusted before they are signed, and responses are
 * checked before the SDK parses them.
 *
 * Requests. The SDK puts a CRC-32 on DeleteObjects even if told to send checksums only when required;
 * many providers want Content-MD5 there, and some refuse either. A bucket with a default retention of
 * Object Lock refuses objects without Content-MD5, although they are signed. The first refusal shows
 * which bucket needs it; the header is sent from then on.
 *
 * Responses. The SDK would accept any document for the one it expects. A response that is not S3's is
 * REPLICA_UNAVAILABLE: never a success, never an empty listing, never "not found".
 *
 *  operation                         status   body's root                      header
 *  ListObjectsV2                     2xx      ListBucketResult, with IsTruncated
 *  CreateMultipartUpload             2xx      InitiateMultipartUploadResult
 *  CompleteMultipartUpload           2xx      CompleteMultipartUploadResult
 *  CopyObject                        2xx      CopyObjectResult
 *  DeleteObjects                     2xx      DeleteResult
 *  PutObject, UploadPart             2xx      none                             etag
 *  GetObject                         2xx      the object                       etag, last-modified
 *  HeadObject                        2xx      -                                etag, last-modified
 *  DeleteObject                      204
 *    the same                        other    none                             x-amz-request-id
 *  any but HEAD                      3xx,4xx  Error
 *
 * An Error with status 200 is an error: S3 had started its response before it failed.
 */

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import { readBytes } from '@sluice/core/backend';
import {
  isPage,
  isRedirect,
  ForeignAnswerError,
  rootOfXML,
  type ForeignAnswer,
} from '@sluice/core/backend/http';
import type { DeleteChecksum } from './presets.ts';

export interface RequestOptions {
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly deleteChecksum: DeleteChecksum;
}

export function adjustRequests(client: S3Client, options: RequestOptions): void {
  let isMD5Required = false;
  // "low": after the SDK has added its headers, and before it signs.
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const request = args.request as HTTPRequest;
      for (const name of Object.keys(request.headers)) {
        if (/^x-amz-(checksum-|sdk-checksum-|trailer)/i.test(name)) delete request.headers[name];
      }
      if (context.commandName === 'DeleteObjectsCommand') {
        Object.assign(request.headers, checksumHeader(options.deleteChecksum, request.body));
      }
      Object.assign(request.headers, options.headers);
      const { body } = request;
      const isUpload = UPLOADS.has(context.commandName ?? '') && body instanceof Uint8Array;
      if (!isUpload || 'content-md5' in request.headers) return await next(args);
      const addMD5 = (): void => void (request.headers['content-md5'] = md5(body));
      if (isMD5Required) addMD5();
      try {
        return await next(args);
      } catch (error) {
        if (isMD5Required || (error as Partial<Error>).name !== 'InvalidRequest') throw error;
        addMD5();
        const result = await next(args);
        isMD5Required = true;
        return result;
      }
    },
    { name: 'sluiceAdjustRequests', step: 'build', priority: 'low' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as HTTPResponse;
      const date = new Date(headers['date'] ?? '');
      if (result.output !== undefined && !Number.isNaN(date.getTime())) {
        DATES.set(result.output, date);
      }
      return result;
    },
    { name: 'sluiceNoteDate', step: 'deserialize' },
  );
}

/** For requests to another host than the bucket's, where a kept socket would exceed the limit. */
export function closeSockets(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      (args.request as HTTPRequest).headers['connection'] = 'close';
      return await next(args);
    },
    { name: 'sluiceCloseSockets', step: 'build' },
  );
}

const UPLOADS: ReadonlySet<string> = new Set(['PutObjectCommand', 'UploadPartCommand']);

/** The Date header of each response, by the output that the SDK made of it. */
const DATES = new WeakMap<object, Date>();

/** The server's time when it responded, in whole seconds; ours if there was no Date header. */
export function dateOf(output: object): Date {
  return DATES.get(output) ?? new Date();
}

interface HTTPRequest {
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

function checksumHeader(kind: DeleteChecksum, body: unknown): Record<string, string> {
  const text = typeof body === 'string' ? body : '';
  switch (kind) {
    case 'none':
      return {};
    case 'md5':
      return { 'content-md5': md5(text) };
    case 'crc32': {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(crc32(text));
      return { 'x-amz-checksum-crc32': bytes.toString('base64') };
    }
  }
}

function md5(bytes: string | Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** Maximum size of a response other than an object's bytes. A page of a listing is about 1 MB. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
/** The SDK itself uses this status for an Error with status 200, for operations that it checks. */
const STATUS_OF_LATE_ERROR = 503;

const ROOTS: Readonly<Record<string, readonly string[]>> = {
  ListObjectsV2Command: ['ListBucketResult'],
  // The second is that of servers with gofakes3 (rclone).
  CreateMultipartUploadCommand: ['InitiateMultipartUploadResult', 'InitiateMultipartUpload'],
  CompleteMultipartUploadCommand: ['CompleteMultipartUploadResult'],
  CopyObjectCommand: ['CopyObjectResult'],
  DeleteObjectsCommand: ['DeleteResult'],
};
/** In every page of every server. Name is not checked: an access point returns a different one. */
const IS_TRUNCATED = /<IsTruncated>\s*(?:true|false)\s*<\/IsTruncated>/;
/** Operations whose response has no body. */
const WRITES: ReadonlySet<string> = new Set(['PutObjectCommand', 'UploadPartCommand']);
const READS: ReadonlySet<string> = new Set(['GetObjectCommand', 'HeadObjectCommand']);
const DELETES: ReadonlySet<string> = new Set([
  'DeleteObjectCommand',
  'AbortMultipartUploadCommand',
]);

interface HTTPResponse {
  statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** A stream or bytes. */
  body?: unknown;
}

export function checkResponses(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const result = await next(args);
        await checkResponse(commandName, result.response as HTTPResponse);
        return result;
      },
    // "low": before the SDK parses it.
    { name: 'sluiceCheckResponses', step: 'deserialize', priority: 'low' },
  );
}

/** Throws ForeignAnswerError. Reads the body, unless it is an object's, and puts its bytes back. */
async function checkResponse(operation: string, response: HTTPResponse): Promise<void> {
  const { statusCode, headers } = response;
  const isRefused = statusCode >= 300;
  if (READS.has(operation) && !isRefused) return checkRead(response);
  // A response to HEAD has no body.
  if (operation.startsWith('Head')) return;
  const text = await readText(response);
  const root = rootOfXML(text);
  const foreign = (lacks: string): ForeignAnswerError =>
    new ForeignAnswerError({ ...described(response), text, lacks });
  if (root === 'Error') {
    if (!isRefused) response.statusCode = STATUS_OF_LATE_ERROR;
    return;
  }
  if (isRefused) {
    if (isS3Refusal(response, text)) return;
    throw foreign('');
  }
  const roots = ROOTS[operation];
  if (roots !== undefined) {
    if (root === undefined || !roots.includes(root)) throw foreign(`no ${roots[0]}`);
    if (root === 'ListBucketResult' && !IS_TRUNCATED.test(text)) throw foreign('no IsTruncated');
    return;
  }
  if (WRITES.has(operation) && !headers['etag']) throw foreign('no ETag');
  if (DELETES.has(operation) && statusCode !== 204 && !headers['x-amz-request-id']) {
    throw foreign('no request id');
  }
  if (text.trim() !== '') throw foreign('');
}

function checkRead(response: HTTPResponse): void {
  const { headers } = response;
  const foreign = (lacks: string): ForeignAnswerError =>
    new ForeignAnswerError({ ...described(response), lacks });
  if (!headers['etag']) throw foreign('no ETag');
  if (Number.isNaN(Date.parse(headers['last-modified'] ?? ''))) throw foreign('no Last-Modified');
  if (isPage(undefined, headers['content-type'])) throw foreign('');
}

function described({ statusCode: status, headers }: HTTPResponse): Omit<ForeignAnswer, 'lacks'> {
  return { status, contentType: headers['content-type'], location: headers['location'] };
}

/**
 * Whether to accept a refusal without an Error document. S3 omits the document in some cases, and
 * gateways answer with 500 and above. But a 404 or a redirect must be in S3's own form.
 */
function isS3Refusal(response: HTTPResponse, text: string): boolean {
  const { statusCode, headers } = response;
  if (statusCode >= 500) {
    response.body = new Uint8Array(0); // the SDK would parse it as XML
    return true;
  }
  if (isRedirect(statusCode)) return headers['x-amz-bucket-region'] !== undefined;
  return statusCode !== 404 && text.trim() === '';
}

async function readText(response: HTTPResponse): Promise<string> {
  const { body } = response;
  if (body === undefined) return '';
  const bytes =
    body instanceof Uint8Array
      ? body
      : await readBytes(body as Readable & AsyncIterable<Uint8Array>, RESPONSE_BYTES_MAX);
  response.body = bytes;
  return new TextDecoder().decode(bytes);
}
