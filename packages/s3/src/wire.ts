/**
 * What the SDK sends otherwise than we want: checksums of DeleteObjects, and headers of a provider.
 *
 * The SDK puts a CRC32 on DeleteObjects even when told to send checksums only where required; half
 * of the providers want Content-MD5 there, and some refuse either.
 */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Preset } from './presets.ts';

interface HTTPRequest {
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

interface MiddlewareArguments {
  readonly request?: unknown;
  readonly input?: unknown;
}

type Next<Arguments, Result> = (args: Arguments) => Promise<Result>;
type Context = { readonly commandName?: string };

/** Adds headers to every request. */
export function sendHeaders(headers: Readonly<Record<string, string>>) {
  return <A extends MiddlewareArguments, R>(next: Next<A, R>): Next<A, R> =>
    async (args) => {
      Object.assign(toRequest(args).headers, headers);
      return await next(args);
    };
}

/** Takes the SDK's own checksum headers off: the payload is signed, or carries Content-MD5. */
export const stripChecksumHeaders =
  <A extends MiddlewareArguments, R>(next: Next<A, R>): Next<A, R> =>
  async (args) => {
    const { headers } = toRequest(args);
    for (const name of Object.keys(headers)) {
      if (/^x-amz-(checksum-|sdk-checksum-|trailer)/i.test(name)) delete headers[name];
    }
    return await next(args);
  };

export function sendDeleteChecksum(kind: Preset['deleteChecksum']) {
  return <A extends MiddlewareArguments, R>(next: Next<A, R>, context: Context): Next<A, R> =>
    async (args) => {
      if (context.commandName === 'DeleteObjectsCommand') addChecksum(toRequest(args), kind);
      return await next(args);
    };
}

function addChecksum(request: HTTPRequest, kind: Preset['deleteChecksum']): void {
  const body = typeof request.body === 'string' ? request.body : '';
  if (kind === 'md5') {
    request.headers['content-md5'] = createHash('md5').update(body).digest('base64');
  }
  if (kind === 'crc32') request.headers['x-amz-checksum-crc32'] = crc32Base64(body);
}

function crc32Base64(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
}

function toRequest(args: MiddlewareArguments): HTTPRequest {
  return args.request as HTTPRequest;
}
