/** Operations on existing objects. */

import {
  checkCondition,
  json,
  noSuchObject,
  Refused,
  type Answer,
  type Exchange,
} from './exchange.ts';
import { toResource, type StoredObject } from './store.ts';

export function list({ entry, store, pageSizeMax }: Exchange): Answer {
  const { query } = entry;
  const prefix = query.get('prefix') ?? '';
  const from = Buffer.from(query.get('startOffset') ?? '');
  const after = Buffer.from(query.get('pageToken') ?? '', 'base64');
  const keys = store.keys().filter((key) => {
    const bytes = Buffer.from(key);
    const isAfter = after.byteLength === 0 || Buffer.compare(bytes, after) > 0;
    return key.startsWith(prefix) && isAfter && Buffer.compare(bytes, from) >= 0;
  });
  const page = keys.slice(0, pageSizeMax);
  const items = page.map((key) => toResource(key, store.get(key) as StoredObject));
  const isMore = page.length < keys.length;
  const nextPageToken = Buffer.from(page.at(-1) ?? '').toString('base64');
  return json({ kind: 'storage#objects', items, ...(isMore && { nextPageToken }) });
}

export function read({ entry, store, request }: Exchange): Answer {
  const object = store.get(entry.key);
  if (object === undefined) throw noSuchObject(entry.key);
  checkCondition(entry.query.get('ifGenerationMatch'), object.generation);
  if (entry.operation === 'get') return json(toResource(entry.key, object));
  const { bytes } = object;
  const headers = {
    'content-type': 'application/octet-stream',
    'x-goog-generation': object.generation,
    'x-goog-stored-content-length': String(bytes.byteLength),
    'last-modified': object.timeCreated.toUTCString(),
  };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) return { status: 200, headers, body: bytes };
  const start = Number(first);
  if (start >= bytes.byteLength) {
    throw new Refused(416, 'requestedRangeNotSatisfiable', 'The requested range cannot be met.');
  }
  const end = last === '' ? bytes.byteLength : Math.min(Number(last) + 1, bytes.byteLength);
  const range = `bytes ${start}-${end - 1}/${bytes.byteLength}`;
  const body = bytes.subarray(start, end);
  return { status: 206, headers: { ...headers, 'content-range': range }, body };
}

export function remove({ entry, store }: Exchange): Answer {
  const object = store.get(entry.key);
  if (object === undefined) throw noSuchObject(entry.key);
  checkCondition(entry.query.get('ifGenerationMatch'), object.generation);
  store.delete(entry.key);
  return { status: 204 };
}

/** A large object takes two requests, to test that clients continue a rewrite. */
export function rewrite({ entry, store }: Exchange, to: string): Answer {
  const object = store.get(entry.key);
  if (object === undefined) throw noSuchObject(entry.key);
  const objectSize = String(object.bytes.byteLength);
  if (object.bytes.byteLength > REWRITE_BYTES_MAX && entry.query.get('rewriteToken') === null) {
    const totalBytesRewritten = String(REWRITE_BYTES_MAX);
    return json({ done: false, rewriteToken: 'more', objectSize, totalBytesRewritten });
  }
  const resource = toResource(to, store.put(to, object.bytes, object));
  return json({ done: true, objectSize, totalBytesRewritten: objectSize, resource });
}

/** Much smaller than Google's limit. */
const REWRITE_BYTES_MAX = 1_000_000;
