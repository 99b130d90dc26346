/** Parses a request: bucket and key from host and path, the operation from method and query. */

import type { IncomingMessage } from 'node:http';
import type { Operation, Settings } from './options.ts';
import { S3Error } from './errors.ts';

export interface Target {
  readonly bucket: string;
  /** '' for the bucket itself. Leading slashes, '//' and './' in keys are kept. */
  readonly key: string;
  readonly style: 'path' | 'virtual-host';
  /** The path as sent, without the query. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
}

export function targetOf(request: IncomingMessage, settings: Settings): Target {
  const url = request.url ?? '/';
  const question = url.indexOf('?');
  const rawPath = question < 0 ? url : url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  const path = decode(rawPath.slice(1));

  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const suffix = `.${settings.domain}`;
  if (host.endsWith(suffix)) {
    const bucket = host.slice(0, -suffix.length);
    return { bucket, key: path, style: 'virtual-host', rawPath, query };
  }
  const slash = path.indexOf('/');
  const bucket = slash < 0 ? path : path.slice(0, slash);
  const key = slash < 0 ? '' : path.slice(slash + 1);
  return { bucket, key, style: 'path', rawPath, query };
}

export function operationOf(request: IncomingMessage, target: Target): Operation {
  const { query } = target;
  return target.key === ''
    ? ofBucket(request.method, query)
    : ofObject(request.method, query, 'x-amz-copy-source' in request.headers);
}

function ofBucket(method: string | undefined, query: URLSearchParams): Operation {
  if (method === 'HEAD') return 'HeadBucket';
  if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
  if (method !== 'GET') return 'Unknown';
  if (query.get('list-type') === '2') return 'ListObjectsV2';
  if (query.has('uploads')) return 'ListMultipartUploads';
  if (query.has('location')) return 'GetBucketLocation';
  return 'Unknown';
}

function ofObject(method: string | undefined, query: URLSearchParams, isCopy: boolean): Operation {
  if (UNSUPPORTED_OF_OBJECT.some((name) => query.has(name))) return 'Unknown';
  const isOfUpload = query.has('uploadId');
  switch (method) {
    case 'GET':
      return isOfUpload ? 'ListParts' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'DELETE':
      return isOfUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      return isOfUpload ? 'CompleteMultipartUpload' : 'Unknown';
    case 'PUT':
      if (isOfUpload) return isCopy ? 'Unknown' : 'UploadPart';
      return isCopy ? 'CopyObject' : 'PutObject';
    default:
      return 'Unknown';
  }
}

/** Sub-resources. Without this list, `GET key?acl` would return the object. */
const UNSUPPORTED_OF_OBJECT = [
  'acl',
  'attributes',
  'legal-hold',
  'retention',
  'tagging',
  'torrent',
];

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new S3Error('InvalidArgument', "Couldn't parse the specified URI.");
  }
}
