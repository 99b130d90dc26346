/**
 * What an answer must have to be S3's. Everything else is REPLICA_UNAVAILABLE, never success, never an
 * empty listing, and never "not found".
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
 * An Error with status 200 is an error: S3 says so where it had begun to answer before it failed.
 */

import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { readBytes } from '@sluice/core/backend';
import {
  isPage,
  isRedirect,
  ForeignAnswerError,
  rootOfXML,
  type ForeignAnswer,
} from '@sluice/core/backend/http';

/** Of an answer that is not an object's bytes: a page of a listing is about 1 MB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** What the SDK makes of an Error that comes with 200, where it looks for one. */
const STATUS_OF_LATE_ERROR = 503;

const ROOTS: Readonly<Record<string, readonly string[]>> = {
  ListObjectsV2Command: ['ListBucketResult'],
  // The second is what servers made with gofakes3 say (rclone).
  CreateMultipartUploadCommand: ['InitiateMultipartUploadResult', 'InitiateMultipartUpload'],
  CompleteMultipartUploadCommand: ['CompleteMultipartUploadResult'],
  CopyObjectCommand: ['CopyObjectResult'],
  DeleteObjectsCommand: ['DeleteResult'],
};
/** S3 and every server like it says so of each page. Name is not looked at: that of an access point is another. */
const IS_TRUNCATED = /<IsTruncated>\s*(?:true|false)\s*<\/IsTruncated>/;
/** Their answer has no body. */
const WRITES: ReadonlySet<string> = new Set(['PutObjectCommand', 'UploadPartCommand']);
const READS: ReadonlySet<string> = new Set(['GetObjectCommand', 'HeadObjectCommand']);
const DELETES: ReadonlySet<string> = new Set([
  'DeleteObjectCommand',
  'AbortMultipartUploadCommand',
]);

export interface HTTPResponse {
  statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** A stream, or bytes. */
  body?: unknown;
}

/** Looks at each answer before the SDK does: it would take any document for the one it asked for. */
export function judgeAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const result = await next(args);
        await judge(commandName, result.response as HTTPResponse);
        return result;
      },
    // "low": as it came over the wire.
    { name: 'sluiceJudgeAnswers', step: 'deserialize', priority: 'low' },
  );
}

/** Throws ForeignAnswerError. Reads the body, unless it is an object's, and leaves its bytes there. */
async function judge(operation: string, response: HTTPResponse): Promise<void> {
  const { statusCode, headers } = response;
  const isRefused = statusCode >= 300;
  if (READS.has(operation) && !isRefused) return judgeRead(response);
  // HEAD has no body that could say more.
  if (operation.startsWith('Head')) return;
  const text = await takeText(response);
  const root = rootOfXML(text);
  const foreign = (lacks: string): ForeignAnswerError =>
    new ForeignAnswerError({ ...described(response), text, lacks });
  if (root === 'Error') {
    if (!isRefused) response.statusCode = STATUS_OF_LATE_ERROR;
    return;
  }
  if (isRefused) {
    if (isOwnRefusal(response, text)) return;
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

function judgeRead(response: HTTPResponse): void {
  const { headers } = response;
  const answer = described(response);
  if (!headers['etag']) throw new ForeignAnswerError({ ...answer, lacks: 'no ETag' });
  if (Number.isNaN(Date.parse(headers['last-modified'] ?? ''))) {
    throw new ForeignAnswerError({ ...answer, lacks: 'no Last-Modified' });
  }
  if (isPage(undefined, headers['content-type']))
    throw new ForeignAnswerError({ ...answer, lacks: '' });
}

function described({ statusCode: status, headers }: HTTPResponse): Omit<ForeignAnswer, 'lacks'> {
  return { status, contentType: headers['content-type'], location: headers['location'] };
}

/**
 * A refusal that is no Error document. S3 leaves the document out of some; what stands between us and
 * S3 answers for it with a status of 500 and more. But nothing that says "not found" or "elsewhere"
 * is taken from whoever cannot say it in S3's words.
 */
function isOwnRefusal(response: HTTPResponse, text: string): boolean {
  const { statusCode, headers } = response;
  if (statusCode >= 500) {
    response.body = new Uint8Array(0); // the SDK would look for XML in it
    return true;
  }
  if (isRedirect(statusCode)) return headers['x-amz-bucket-region'] !== undefined;
  return statusCode !== 404 && text.trim() === '';
}

async function takeText(response: HTTPResponse): Promise<string> {
  const { body } = response;
  if (body === undefined) return '';
  const bytes =
    body instanceof Uint8Array
      ? body
      : await readBytes(body as Readable & AsyncIterable<Uint8Array>, ANSWER_BYTES_MAX);
  response.body = bytes;
  return new TextDecoder().decode(bytes);
}
