/** ListObjectsV2: pages of keys in UTF-8 order, with Prefix, Delimiter, StartAfter and tokens. */

import { S3Error } from './errors.ts';
import { element, wrap, xmlAnswer, type Answer, type Exchange } from './exchange.ts';
import type { Bucket } from './store.ts';

/** Appended to a prefix, sorts after every key with that prefix: no key contains U+10FFFF. */
const AFTER_ALL = '\u{10ffff}';

interface ListingQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** List only keys after this key, or after all keys with this common prefix. */
  readonly after: string;
  readonly keysMax: number;
}

interface Page {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** Start of the next page, or undefined at the end. */
  readonly next: string | undefined;
}

export function listObjects(exchange: Exchange): Answer {
  const { bucket, settings, target } = exchange;
  const query = queryOf(target.query, settings.pageSizeMax);
  const page = pageOf(bucket, query);
  const encode = target.query.get('encoding-type') === 'url' ? encodeURIComponent : String;
  const contents = page.keys.map((key) => contentsOf(bucket, key, encode(key)));
  const prefixes = page.commonPrefixes.map((prefix) =>
    wrap('CommonPrefixes', element('Prefix', encode(prefix))),
  );
  const head = [
    element('Name', bucket.name),
    element('Prefix', encode(query.prefix)),
    element('MaxKeys', query.keysMax),
    element('KeyCount', page.keys.length + page.commonPrefixes.length),
    element('IsTruncated', page.next !== undefined),
  ];
  if (page.next !== undefined) head.push(element('NextContinuationToken', tokenOf(page.next)));
  return xmlAnswer('ListBucketResult', [...head, ...contents, ...prefixes].join(''));
}

function contentsOf(bucket: Bucket, key: string, name: string): string {
  const object = bucket.get(key);
  if (object === undefined) return '';
  return wrap(
    'Contents',
    element('Key', name),
    element('LastModified', object.modifiedAt.toISOString()),
    element('ETag', object.etag),
    element('Size', object.sizeBytes),
    element('StorageClass', object.headers['x-amz-storage-class'] ?? 'STANDARD'),
  );
}

function queryOf(query: URLSearchParams, pageSizeMax: number): ListingQuery {
  const token = query.get('continuation-token');
  const keysMax = Number(query.get('max-keys') ?? pageSizeMax);
  if (!Number.isInteger(keysMax) || keysMax < 0) {
    throw new S3Error('InvalidArgument', 'Provided max-keys is not valid.');
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    after: token === null ? (query.get('start-after') ?? '') : keyOfToken(token),
    keysMax: Math.min(keysMax, pageSizeMax),
  };
}

function pageOf(bucket: Bucket, query: ListingQuery): Page {
  const { prefix, delimiter, keysMax } = query;
  const all = bucket.keys();
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  let index = Math.max(bucket.indexAtOrAfter(prefix), bucket.indexAtOrAfter(query.after));
  if (all[index] === query.after && query.after !== '') index++;
  let last = '';
  while (index < all.length) {
    const key = all[index] ?? '';
    if (!key.startsWith(prefix)) break;
    if (keys.length + commonPrefixes.length >= keysMax) return { keys, commonPrefixes, next: last };
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (cut < 0) {
      keys.push(key);
      last = key;
      index++;
      continue;
    }
    const common = key.slice(0, cut + delimiter.length);
    commonPrefixes.push(common);
    last = common + AFTER_ALL;
    index = bucket.indexAtOrAfter(last);
  }
  return { keys, commonPrefixes, next: undefined };
}

function tokenOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function keyOfToken(token: string): string {
  if (!/^[\w-]*$/.test(token)) {
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
  }
  return Buffer.from(token, 'base64url').toString();
}
