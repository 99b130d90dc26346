import { inspect } from 'node:util';
import {
  isError,
  type ConfigIssue,
  parseConfig as parse,
  type ParsedConfig,
} from '@sluice/core/backend';
import { keyOf, toTXID } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { backend, type S3Config } from '../src/index.ts';

const KEY_BASE64 = Buffer.alloc(32, 7).toString('base64');
const KEY_MD5 = 'y4HAEFCYWuvAXWFTtA1Qpg==';

const DEFAULTS: S3Config = {
  bucket: 'b',
  endpoint: undefined,
  region: undefined,
  forcePathStyle: undefined,
  skipVerify: false,
  accessKeyID: undefined,
  secretAccessKey: undefined,
  sessionToken: undefined,
  partSizeBytes: 8_388_608,
  partsAtOnce: undefined,
  signPayload: true,
  requireContentMD5: undefined,
  storageClass: undefined,
  sseCustomerKey: undefined,
  sseKMSKeyID: undefined,
  objectLock: undefined,
};

function parseConfig(input: unknown): ParsedConfig<S3Config> {
  return parse(backend, input);
}

function parseURL(text: string): ReturnType<typeof parseConfig> {
  return parseConfig(backend.fromURL(new URL(text)));
}

function issuesOf(input: unknown): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) {
      return (error.issues ?? []).map((issue: ConfigIssue) => issue.message);
    }
    throw error;
  }
  return [];
}

test('a bucket, a path and a region are enough', () => {
  const { config, path } = parseConfig({
    type: 's3',
    name: 'off-site',
    bucket: 'my-app-backups',
    path: 'app.db',
    region: 'eu-west-1',
  });
  expect(path).toBe('app.db');
  expect(config).toEqual({ ...DEFAULTS, bucket: 'my-app-backups', region: 'eu-west-1' });
});

test('every key of Litestream is read, from YAML or the environment', () => {
  const { config } = parseConfig({
    bucket: 'b',
    endpoint: 'https://s3.example.com',
    region: 'nl-1',
    'force-path-style': 'false',
    'skip-verify': true,
    'access-key-id': 'id',
    'secret-access-key': 'hidden',
    'session-token': 'token',
    'part-size': '10MB',
    concurrency: '3',
    'sign-payload': false,
    'require-content-md5': true,
    'storage-class': 'STANDARD_IA',
    'sse-kms-key-id': 'alias/backups',
    'object-lock-mode': 'COMPLIANCE',
    'object-lock-retention': '720h',
  });
  expect({
    ...config,
    secretAccessKey: config.secretAccessKey?.reveal(),
    sessionToken: config.sessionToken?.reveal(),
  }).toEqual({
    ...DEFAULTS,
    endpoint: 'https://s3.example.com',
    region: 'nl-1',
    forcePathStyle: false,
    skipVerify: true,
    accessKeyID: 'id',
    secretAccessKey: 'hidden',
    sessionToken: 'token',
    partSizeBytes: 10_000_000,
    partsAtOnce: 3,
    signPayload: false,
    requireContentMD5: true,
    storageClass: 'STANDARD_IA',
    sseKMSKeyID: 'alias/backups',
    objectLock: { mode: 'COMPLIANCE', retentionMs: 720 * 3_600_000 },
  });
});

test.each([
  'forcePathStyle=false&skipVerify=true&signPayload=false&requireContentMD5=true&partSize=5242880&storageClass=GLACIER_IR&sseKmsKeyId=k',
  'force-path-style=false&skip-verify=true&sign-payload=false&require-content-md5=true&part-size=5242880&storage-class=GLACIER_IR&sse-kms-key-id=k',
])('a query says the same in camelCase and in kebab-case: %s', (query) => {
  const { config } = parseURL(`s3://b/db?region=r&concurrency=2&endpoint=h.example&${query}`);
  expect(config).toEqual({
    ...DEFAULTS,
    region: 'r',
    partsAtOnce: 2,
    endpoint: 'https://h.example',
    forcePathStyle: false,
    skipVerify: true,
    signPayload: false,
    requireContentMD5: true,
    partSizeBytes: 5_242_880,
    storageClass: 'GLACIER_IR',
    sseKMSKeyID: 'k',
  });
});

describe('the host of a URL', () => {
  const hosts: [string, Partial<S3Config>][] = [
    ['b', {}],
    ['my.dotted.bucket', { bucket: 'my.dotted.bucket' }],
    ['b.localhost:9000', { endpoint: 'http://localhost:9000', forcePathStyle: true }],
    ['b.10.0.0.7:9000', { endpoint: 'http://10.0.0.7:9000', forcePathStyle: true }],
    ['b.s3.amazonaws.com', {}],
    ['b.s3.eu-west-3.amazonaws.com', { region: 'eu-west-3' }],
    ['a.b.s3.eu-west-3.amazonaws.com', { bucket: 'a.b', region: 'eu-west-3' }],
    [
      'b.nyc3.digitaloceanspaces.com',
      { region: 'nyc3', endpoint: 'https://nyc3.digitaloceanspaces.com', forcePathStyle: false },
    ],
    [
      'b.s3.us-west-002.backblazeb2.com',
      {
        region: 'us-west-002',
        endpoint: 'https://s3.us-west-002.backblazeb2.com',
        forcePathStyle: true,
      },
    ],
    ['b.s3.filebase.com', { endpoint: 'https://s3.filebase.com', forcePathStyle: true }],
    [
      'b.s3.nl-ams.scw.cloud',
      { region: 'nl-ams', endpoint: 'https://s3.nl-ams.scw.cloud', forcePathStyle: false },
    ],
  ];
  test.each(hosts)('%s', (host, expected) => {
    const { config, path } = parseURL(`s3://${host}/db`);
    expect(config).toEqual({ ...DEFAULTS, ...expected });
    expect(path).toBe('db');
  });

  test('host:port without a bucket before it has no bucket', () => {
    expect(issuesOf(backend.fromURL(new URL('s3://localhost:9000/db')))).toEqual([
      'bucket is missing',
    ]);
  });

  test('a url may contain an access point as the bucket', () => {
    const arn = 'arn:aws:s3:eu-west-1:123456789012:accesspoint/point';
    const { config, path } = parseConfig({ url: `s3://${arn}/some/db` });
    expect(config).toEqual({ ...DEFAULTS, bucket: arn, region: 'eu-west-1' });
    expect(path).toBe('some/db');
    expect(parseConfig({ url: `s3://${arn}` }).path).toBe('');
  });
});

describe('keys are the same as in Litestream', () => {
  const file = { level: 0, minTXID: toTXID(1), maxTXID: toTXID(1) };
  const name = '0000000000000001-0000000000000001.ltx';
  const roots: [unknown, string][] = [
    [backend.fromURL(new URL('s3://b/db')), `db/0000/${name}`],
    [backend.fromURL(new URL('s3://b/db/')), `db/0000/${name}`],
    [backend.fromURL(new URL('s3://b//db')), `db/0000/${name}`],
    [backend.fromURL(new URL('s3://b/')), `/0000/${name}`],
    [backend.fromURL(new URL('s3://b')), `./0000/${name}`],
    [backend.fromURL(new URL('s3://b/a%20b/100%25')), `a b/100%/0000/${name}`],
    [backend.fromURL(new URL('s3://b/100%')), `100%/0000/${name}`],
    [{ bucket: 'b', path: 'db' }, `db/0000/${name}`],
    [{ bucket: 'b', path: 'db/' }, `db//0000/${name}`],
    [{ bucket: 'b', path: '/db' }, `/db/0000/${name}`],
    [{ bucket: 'b' }, `/0000/${name}`],
  ];
  test.each(roots)('%j', (input, key) => {
    expect(keyOf('levels', parseConfig(input).path, file)).toBe(key);
  });
});

test('a separate key overrides the url', () => {
  const { config, path } = parseConfig({
    url: 's3://b/db?region=one&concurrency=2',
    region: 'two',
  });
  expect(config).toEqual({ ...DEFAULTS, region: 'two', partsAtOnce: 2 });
  expect(path).toBe('db');
});

test.each([
  ['localhost:9000', 'http://localhost:9000'],
  ['127.0.0.1:9000', 'http://127.0.0.1:9000'],
  ['192.168.1.2', 'http://192.168.1.2'],
  ['172.16.0.1', 'http://172.16.0.1'],
  ['172.32.0.1', 'https://172.32.0.1'],
  ['nas.local:9000', 'http://nas.local:9000'],
  ['s3.example.com', 'https://s3.example.com'],
  ['http://s3.example.com/', 'http://s3.example.com'],
])('endpoint %s is %s', (endpoint, expected) => {
  expect(parseConfig({ bucket: 'b', endpoint }).config.endpoint).toBe(expected);
});

test('5MB is taken as 5 MiB, which S3 needs at least', () => {
  const { config } = parseConfig({ bucket: 'b', 'part-size': '5MB' });
  expect(config.partSizeBytes).toBe(5 * 1024 * 1024);
});

test('all issues are reported at once, with the nearest known key', () => {
  expect(
    issuesOf({
      type: 's3',
      endpoint: 'https://user:pass@host/path',
      'access-key-id': 'id',
      'part-size': '4,999,999',
      concurrency: 0,
      'sign-payload': 'perhaps',
      'force-pathstyle': true,
    }),
  ).toEqual([
    'bucket is missing',
    'endpoint must be a host, or http(s)://host, without a password or a query',
    'sign-payload must be true or false, not "perhaps"',
    'part-size is 4999999 bytes: the minimum is 5242880 bytes',
    'concurrency is 0: the minimum is 1',
    'secret-access-key is missing beside access-key-id',
    'force-pathstyle is not a key of s3: did you mean force-path-style?',
  ]);
});

describe('an impossible value is refused by name', () => {
  test.each([
    ['s3://x', 'bucket is a URL (s3://), not the name of a bucket: write bucket: x'],
    [
      's3://x/backups/app/',
      'bucket is a URL (s3://), not the name of a bucket: write bucket: x, path: backups/app',
    ],
    [
      'x/y',
      'bucket is a name with a path, not the name of a bucket alone: write bucket: x, path: y',
    ],
    ['x/', 'bucket is a name with a path, not the name of a bucket alone: write bucket: x'],
    ['my bucket', 'bucket must be the name of a bucket, without blanks, ? and #'],
  ])('bucket %s', (bucket, message) => {
    expect(issuesOf({ bucket })).toEqual([message]);
  });

  test.each([
    ['logs--use1-az4--x-s3', /directory bucket .* use a general purpose bucket/],
    ['point--use1-az4--xa-s3', /directory bucket/],
    ['facts--table-s3', /table bucket/],
  ])('bucket %s', (bucket, message) => {
    expect(issuesOf({ bucket })).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['a\\b', /^path must have no backslashes.*: write a\/b$/],
    ['a/../b', /^path must have no backslashes, and no \. or \.\. between slashes: write b$/],
    ['./a', /: write a$/],
    ['..', /between slashes$/],
    ['s3://b/p', /^path is a URL \(s3:\/\/\): write it under url$/],
    ['a\u0000b', /control character/],
  ])('path %s', (path, message) => {
    expect(issuesOf({ bucket: 'b', path })).toEqual([expect.stringMatching(message)]);
  });
});

test('unusual but valid names are accepted', () => {
  const buckets = ['b', 'Old_Bucket', 'b.example.com', 'x-s3', 'tenant:b', 'b--x', 'table-s3'];
  for (const bucket of buckets) expect(issuesOf({ bucket })).toEqual([]);
  for (const path of ['.', 'a.b', '...', 'a b', 'ä', 'a:b', 'C:']) {
    expect(issuesOf({ bucket: 'b', path })).toEqual([]);
  }
});

test.each(['ftp://x', 's3://x', 'HTTPSS://x', 'https:/x', 'http:x'])(
  'the endpoint %s is refused',
  (endpoint) => {
    expect(issuesOf({ bucket: 'bb', endpoint })).toEqual([
      expect.stringMatching(/^endpoint must be a host/),
    ]);
  },
);

test('an access point cannot be combined with an endpoint', () => {
  const bucket = 'arn:aws:s3:us-east-1:123456789012:accesspoint/a';
  for (const key of [{ endpoint: 'http://localhost:9000' }, { 'force-path-style': true }]) {
    expect(issuesOf({ bucket, ...key })).toEqual([
      expect.stringMatching(/^bucket is the ARN of an access point, .* the name of a bucket/),
    ]);
  }
  expect(parseConfig({ bucket }).config.bucket).toBe(bucket);
});

test('an endpoint may have a path', () => {
  const endpoint = 'https://project.storage.supabase.co/storage/v1/s3';
  for (const written of [endpoint, `${endpoint}/`]) {
    expect(parseConfig({ bucket: 'b', endpoint: written }).config.endpoint).toBe(endpoint);
  }
});

test('a session token without its keys and a url with another scheme are refused', () => {
  expect(issuesOf({ bucket: 'b', 'session-token': 't' })).toEqual([
    'session-token needs access-key-id beside it',
  ]);
  expect(issuesOf({ url: 'gs://b/db' })).toContain('url must begin with s3://');
});

describe("a customer's key", () => {
  test('is 32 bytes in base64, and its MD5 must match if given', () => {
    const key = { bucket: 'b', 'sse-customer-algorithm': 'AES256', 'sse-customer-key': KEY_BASE64 };
    expect(parseConfig(key).config.sseCustomerKey?.reveal()).toBe(KEY_BASE64);
    expect(issuesOf({ ...key, 'sse-customer-key-md5': KEY_MD5 })).toEqual([]);
    expect(issuesOf({ ...key, 'sse-customer-key-md5': KEY_BASE64 })).toEqual([
      'sse-customer-key-md5 is not the MD5 of the key',
    ]);
    expect(issuesOf({ bucket: 'b', 'sse-customer-key': 'c2hvcnQ=' })).toEqual([
      'sse-customer-key has 5 bytes after base64 decoding: it must have 32',
    ]);
  });

  test('cannot be combined with KMS, and is sent over plain HTTP to private hosts only', () => {
    const key = { bucket: 'b', 'sse-customer-key': KEY_BASE64 };
    expect(issuesOf({ ...key, 'sse-kms-key-id': 'k' })).toHaveLength(1);
    expect(issuesOf({ ...key, endpoint: 'http://s3.example.com' })).toEqual([
      'endpoint must be https, because a customer key is sent to it',
    ]);
    expect(issuesOf({ ...key, endpoint: 'http://127.0.0.1:9000' })).toEqual([]);
    expect(issuesOf({ bucket: 'b', 'sse-customer-algorithm': 'AES256' })).toEqual([
      'sse-customer-algorithm needs sse-customer-key or sse-customer-key-path beside it',
    ]);
    expect(issuesOf({ bucket: 'b', 'sse-customer-key-path': '/no/such/file' })[0]).toContain(
      'sse-customer-key-path cannot be read',
    );
  });
});

test('a printed configuration contains no secret', () => {
  const { config } = parseConfig({
    bucket: 'b',
    'access-key-id': 'id',
    'secret-access-key': 'hidden-secret',
    'session-token': 'hidden-token',
    'sse-customer-key': KEY_BASE64,
  });
  const printed = inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config);
  expect(printed).toContain('[redacted]');
  for (const secret of ['hidden-secret', 'hidden-token', KEY_BASE64]) {
    expect(printed).not.toContain(secret);
  }
});
