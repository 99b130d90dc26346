/**
 * s3://BUCKET[.host]/PATH?key=value, read as in Litestream 0.5.
 *
 *  host                              bucket   region     endpoint                               path style
 *  b.HOST:PORT, without ".com"       b                   http://HOST:PORT                       yes
 *  b.s3.amazonaws.com                b
 *  b.s3.REGION.amazonaws.com         b        REGION
 *  b.REGION.digitaloceanspaces.com   b        REGION     https://REGION.digitaloceanspaces.com  no
 *  b.s3.REGION.backblazeb2.com       b        REGION     https://s3.REGION.backblazeb2.com      yes
 *  b.s3.filebase.com                 b                   https://s3.filebase.com                yes
 *  b.s3.REGION.scw.cloud             b        REGION     https://s3.REGION.scw.cloud            no
 *  arn:…:REGION:…:accesspoint/NAME   the ARN  REGION     (colons come as %3A: core's parseURL)
 *  anything else                     all of it
 *
 * Without a region, it is looked up (sdk.ts).
 */

import { keysOfQuery, ReplicationError, rootOfURLPath } from '@sluice/core/backend';

/** Keys from a URL, as in YAML: values are text, and keys may be unknown. */
export type Input = Record<string, unknown>;

/** A missing bucket is reported when the result is parsed. */
export function configFromURL({ href }: URL): Input {
  const parts = /^s3:\/\/([^?#]*)(?:\?([^#]*))?/i.exec(href);
  if (parts === null) throw new ReplicationError('CONFIG_INVALID', 'must begin with s3://');
  const [, place = '', search = ''] = parts;
  return { ...readPlace(place), ...keysOfQuery(search) };
}

function readPlace(place: string): Input {
  const arn = /^(arn%3A[^/]*%3Aaccesspoint\/[^/]+)(?:\/(.*))?$/i.exec(place);
  if (arn !== null) {
    const [, escaped = '', path = ''] = arn;
    const bucket = escaped.replaceAll(/%3A/gi, ':');
    return withPath({ bucket, region: bucket.split(':')[3] }, `/${path}`);
  }
  const slash = place.indexOf('/');
  const authority = (slash < 0 ? place : place.slice(0, slash)).replace(/^.*@/, '');
  const path = slash < 0 ? '' : place.slice(slash);
  return withPath(readHost(authority), path);
}

/** Leaves out an empty path: a key must not be empty. */
function withPath(input: Input, pathname: string): Input {
  const path = rootOfURLPath(pathname);
  return path === '' ? input : { ...input, path };
}

function readHost(host: string): Input {
  if (host === '') return {}; // the error will be "bucket is missing"
  if (host.includes(':') && !host.includes('.com')) {
    const dot = host.indexOf('.');
    if (dot < 0) return {}; // host:port alone has no bucket
    const endpoint = `http://${host.slice(dot + 1)}`;
    return { bucket: host.slice(0, dot), endpoint, 'force-path-style': true };
  }
  for (const { form, read } of FORMS) {
    const match = form.exec(host);
    if (match !== null) return read(match[1] ?? '', match[2] ?? '');
  }
  return { bucket: host };
}

interface Form {
  readonly form: RegExp;
  readonly read: (bucket: string, region: string) => Input;
}

const FORMS: readonly Form[] = [
  { form: /^(.+)\.s3\.amazonaws\.com$/, read: (bucket) => ({ bucket }) },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.amazonaws\.com$/,
    read: (bucket, region) => ({ bucket, region }),
  },
  {
    form: /^(.+)\.([a-z0-9-]+)\.digitaloceanspaces\.com$/,
    read: (bucket, region) => inHost(bucket, `${region}.digitaloceanspaces.com`, region),
  },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
    read: (bucket, region) => inPath(bucket, `s3.${region}.backblazeb2.com`, region),
  },
  {
    form: /^(.+)\.s3\.filebase\.com$/,
    read: (bucket) => inPath(bucket, 's3.filebase.com'),
  },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.scw\.cloud$/,
    read: (bucket, region) => inHost(bucket, `s3.${region}.scw.cloud`, region),
  },
];

/** The bucket is in the path of requests (inPath) or in their host (inHost). */
function inPath(bucket: string, host: string, region?: string): Input {
  return { ...inHost(bucket, host, region), 'force-path-style': true };
}

function inHost(bucket: string, host: string, region?: string): Input {
  const known = region === undefined ? {} : { region };
  return { bucket, endpoint: `https://${host}`, 'force-path-style': false, ...known };
}
