/** PutObject, GetObject, HeadObject, DeleteObject, CopyObject. */

import type { IncomingHttpHeaders } from 'node:http';
import { receiveBody } from './body.ts';
import { checkRead, checkWrite, noSuchKey } from './conditions.ts';
import { S3Error } from './errors.ts';
import { element, xmlAnswer, type Answer, type Exchange } from './exchange.ts';
import type { Bucket, StoredObject } from './store.ts';

const KEY_BYTES_MAX = 1024;

/** Headers, in addition to x-amz-meta-*, that are stored with an object and returned by reads. */
const KEPT_HEADERS = ['content-type', 'content-encoding', 'cache-control', 'x-amz-storage-class'];

export async function putObject(exchange: Exchange): Promise<Answer> {
  const { bucket, target, settings } = exchange;
  checkKey(target.key);
  checkWrite(exchange); // refuse before receiving the body
  const body = await receiveBody(exchange);
  checkWrite(exchange); // check again immediately before the commit
  const object: StoredObject = {
    ...body,
    etag: `"${body.md5}"`,
    modifiedAt: new Date(settings.now()),
    headers: keptHeaders(exchange.request.headers),
  };
  bucket.set(target.key, object);
  return { status: 200, headers: { etag: object.etag } };
}

export function readObject(exchange: Exchange): Answer {
  const { bucket, target, request } = exchange;
  const object = bucket.get(target.key);
  if (object === undefined) throw noSuchKey(target.key);
  const headers = {
    ...object.headers,
    etag: object.etag,
    'last-modified': object.modifiedAt.toUTCString(),
    'accept-ranges': 'bytes',
  };
  if (checkRead(request.headers, object) === 'not-modified') return { status: 304, headers };
  const range = parseRange(request.headers.range, object.sizeBytes);
  if (range === undefined) {
    return { status: 200, headers, body: { of: object, start: 0, end: object.sizeBytes } };
  }
  const contentRange = `bytes ${range.start}-${range.end - 1}/${object.sizeBytes}`;
  return {
    status: 206,
    headers: { ...headers, 'content-range': contentRange },
    body: { of: object, ...range },
  };
}

export function deleteObject(exchange: Exchange): Answer {
  const { bucket, target } = exchange;
  checkWrite(exchange);
  if (exchange.protectedKeys.has(target.key)) throw new S3Error('AccessDenied', 'Access Denied');
  bucket.delete(target.key);
  return { status: 204 };
}

export function copyObject(exchange: Exchange, bucketNamed: (name: string) => Bucket): Answer {
  const { bucket, target, request, settings } = exchange;
  checkKey(target.key);
  checkWrite(exchange);
  const source = sourceOf(request.headers);
  const from = bucketNamed(source.bucket).get(source.key);
  if (from === undefined) throw noSuchKey(source.key);
  const replaces = request.headers['x-amz-metadata-directive'] === 'REPLACE';
  const object: StoredObject = {
    ...from,
    etag: `"${from.md5}"`,
    modifiedAt: new Date(settings.now()),
    headers: replaces ? keptHeaders(request.headers) : from.headers,
  };
  bucket.set(target.key, object);
  return xmlAnswer(
    'CopyObjectResult',
    element('LastModified', object.modifiedAt.toISOString()) + element('ETag', object.etag),
  );
}

export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const isKept = name.startsWith('x-amz-meta-') || KEPT_HEADERS.includes(name);
    if (isKept && typeof value === 'string') kept[name] = value;
  }
  return kept;
}

export function checkKey(key: string): void {
  if (Buffer.byteLength(key) <= KEY_BYTES_MAX) return;
  throw new S3Error({ code: 'KeyTooLongError', status: 400 }, 'Your key is too long');
}

/** Half-open range. Undefined, for the whole object, if the `bytes=` range is missing or invalid. */
function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined;
  const start = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (start < end) return { start, end };
  throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
    headers: { 'content-range': `bytes */${sizeBytes}` },
    fields: { ActualObjectSize: String(sizeBytes) },
  });
}

function sourceOf(headers: IncomingHttpHeaders): { bucket: string; key: string } {
  const header = headers['x-amz-copy-source'];
  const path = decodeURIComponent(typeof header === 'string' ? header : '').replace(/^\//, '');
  const slash = path.indexOf('/');
  if (slash <= 0) throw new S3Error('InvalidArgument', 'Copy Source must mention the source.');
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
}
