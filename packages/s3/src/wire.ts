/**
 * What goes over the wire otherwise than the SDK would have it, as middleware of its client.
 *
 * The SDK puts a CRC-32 on DeleteObjects even when told to send checksums only where required;
 * many providers want Content-MD5 there, and some refuse either.
 *
 * A bucket with Object Lock and a retention of its own takes no object without Content-MD5, though
 * the signature vouches for the bytes. Which bucket is one is told by its first refusal: from then on
 * the header is sent.
 */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DeleteChecksum } from './presets.ts';

export interface WireOptions {
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly deleteChecksum: DeleteChecksum;
}

export function shapeRequests(client: S3Client, options: WireOptions): void {
  let wantsMD5 = false;
  // "low": when the SDK has put in its own headers, and before it signs.
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
      if (wantsMD5) addMD5();
      try {
        return await next(args);
      } catch (error) {
        if (wantsMD5 || (error as Partial<Error>).name !== 'InvalidRequest') throw error;
        addMD5();
        const result = await next(args);
        wantsMD5 = true;
        return result;
      }
    },
    { name: 'sluiceShapeRequests', step: 'build', priority: 'low' },
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

/** For what is asked at another host than all else: there its socket would be one too many. */
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

/** Dates of answers, by the output that the SDK makes of them. */
const DATES = new WeakMap<object, Date>();

/** The server's clock when it answered, in whole seconds; ours where it did not say. */
export function dateOf(output: object): Date {
  return DATES.get(output) ?? new Date();
}

interface HTTPRequest {
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

interface HTTPResponse {
  readonly headers: Readonly<Record<string, string | undefined>>;
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
