/**
 * Receives a body. Its length must be known beforehand, and every checksum sent with it must match;
 * otherwise the body is discarded.
 */

import { createHash } from 'node:crypto';
import { AWSChunkedDecoder } from './aws-chunked.ts';
import { checksumOf, isChecksumName, type Checksum } from './checksum.ts';
import { ConnectionGone, S3Error } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { Body } from './store.ts';

/** Largest XML document that a client may send: 10,000 parts or 1,000 long keys fit. */
const DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;

export async function receiveBody(exchange: Exchange): Promise<Body> {
  const { request, entry } = exchange;
  const { headers } = request;
  const claimed = headerText(headers['x-amz-content-sha256']);
  const chunked = claimed.startsWith('STREAMING-') ? new AWSChunkedDecoder() : undefined;
  applyQuirks(exchange, claimed);
  const sizeBytes = expectedSize(exchange, chunked !== undefined);
  const checksums = checksumsOf(exchange);

  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const raw of arriving(exchange)) {
    for (const chunk of chunked?.push(raw) ?? [raw]) {
      received += chunk.byteLength;
      sha256.update(chunk);
      md5.update(chunk);
      for (const { checksum } of checksums) checksum.update(chunk);
      chunks.push(chunk);
    }
  }
  if (received !== sizeBytes || chunked?.isDone === false) {
    throw new S3Error('IncompleteBody', 'The request body terminated unexpectedly.');
  }
  if (chunked !== undefined) entry.trailers = chunked.trailers;

  checkSHA256(claimed, sha256.digest('hex'));
  const digest = md5.digest();
  checkMD5(headerText(headers['content-md5']), digest);
  for (const { name, checksum } of checksums) {
    const sent = headerText(headers[name]) || entry.trailers[name];
    if (sent !== checksum.digest()) throw badDigest(name);
  }
  return { chunks, sizeBytes, md5: digest.toString('hex') };
}

/** A small body as text. */
export async function receiveDocument(exchange: Exchange): Promise<string> {
  if (Number(exchange.request.headers['content-length']) > DOCUMENT_BYTES_MAX) {
    throw new S3Error('MalformedXML', 'The document is too long.');
  }
  const body = await receiveBody(exchange);
  return Buffer.concat(body.chunks).toString();
}

/** The bytes as they arrive, subject to the fault of the request, if any. */
async function* arriving(exchange: Exchange): AsyncGenerator<Uint8Array> {
  const { request, entry, fault } = exchange;
  if (fault?.passes('request', 0, 1) === 0) await fault.stop();
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const passes = fault?.passes('request', entry.bodyBytes, chunk.byteLength);
      entry.bodyBytes += passes ?? chunk.byteLength;
      if (passes !== undefined && passes < chunk.byteLength) await fault?.stop();
      await fault?.throttle(chunk.byteLength);
      yield chunk;
    }
  } catch (error) {
    if (request.destroyed && !request.complete) {
      throw new ConnectionGone('the client went away', { cause: error });
    }
    throw error;
  }
}

function applyQuirks(exchange: Exchange, claimed: string): void {
  const { quirks } = exchange.settings;
  const { headers } = exchange.request;
  if (claimed.startsWith('STREAMING-')) {
    if (quirks.refuseTrailers === true) {
      throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
    }
    if (claimed !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
      throw new S3Error('NotImplemented', `${claimed} is not implemented.`);
    }
  }
  if (quirks.refuseUnsignedPayload === true && claimed === 'UNSIGNED-PAYLOAD') {
    throw new S3Error('AccessDenied', 'Unsigned payloads are not allowed.');
  }
  const name = Object.keys(headers).find(
    (header) => isChecksumName(header) || header === 'x-amz-sdk-checksum-algorithm',
  );
  if (quirks.refuseChecksumHeaders === true && name !== undefined) {
    throw new S3Error(
      'InvalidArgument',
      `Unsupported header '${name}' received for this API call.`,
    );
  }
}

function expectedSize(exchange: Exchange, isChunked: boolean): number {
  const { headers } = exchange.request;
  const text = isChunked ? headers['x-amz-decoded-content-length'] : headers['content-length'];
  const size = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : undefined;
  if (size === undefined) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  return size;
}

function checksumsOf(exchange: Exchange): { name: string; checksum: Checksum }[] {
  const { headers } = exchange.request;
  const inTrailer = headerText(headers['x-amz-trailer']).split(',');
  const names = [...Object.keys(headers), ...inTrailer.map((name) => name.trim().toLowerCase())];
  return names.filter(isChecksumName).map((name) => {
    const checksum = checksumOf(name);
    if (checksum === undefined) throw new S3Error('NotImplemented', `${name} is not implemented.`);
    return { name, checksum };
  });
}

function checkSHA256(claimed: string, actual: string): void {
  if (claimed === 'UNSIGNED-PAYLOAD' || claimed.startsWith('STREAMING-')) return;
  if (claimed === '') {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    );
  }
  if (claimed === actual) return;
  throw new S3Error(
    'XAmzContentSHA256Mismatch',
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  );
}

function checkMD5(claimed: string, actual: Buffer): void {
  if (claimed === '') return;
  const bytes = Buffer.from(claimed, 'base64');
  if (bytes.byteLength !== actual.byteLength) {
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.');
  }
  if (!bytes.equals(actual)) throw badDigest('content-md5');
}

function badDigest(name: string): S3Error {
  return new S3Error('BadDigest', `The ${name} you specified did not match what we received.`);
}

function headerText(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
