import { isError, parseConfig } from '@sluice/core/backend';
import { sameConfig } from '@sluice/core/config';
import { describe, expect, test } from 'vitest';
import { backend, type AzureConfig } from '../src/index.ts';

const KEY = Buffer.from('a key').toString('base64');
const TOKEN = 'sv=2026-10-06&sp=rwdlc&sig=c2ln';
const ACCOUNT = { bucket: 'backups', 'account-name': 'account' };

function config(input: object): AzureConfig {
  return parseConfig(backend, input).config;
}

function issues(input: unknown): string[] {
  try {
    parseConfig(backend, input);
    return [];
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    return (error.issues ?? []).map((issue) => issue.message);
  }
}

/** The credentials with their secrets revealed. */
function credentials(input: object): unknown {
  const { credentials: given } = config(input);
  switch (given.kind) {
    case 'shared-key':
      return [given.kind, given.accountName, given.accountKey.reveal()];
    case 'sas':
      return [given.kind, given.token.reveal()];
    case 'sas-file':
      return [given.kind, given.path];
    case 'default':
      return [given.kind];
  }
}

describe('a URL', () => {
  test.each([
    ['abs://account@backups/app.db', 'app.db'],
    ['abs://account@backups/tenants/a%20b/', 'tenants/a b'],
    ['abs://account@backups//app.db', 'app.db'],
    ['abs://account@backups/', ''],
    ['abs://account@backups', ''],
  ])('%s has the path %j, as in Litestream', (url, path) => {
    const parsed = parseConfig(backend, backend.fromURL(new URL(url)));
    expect(parsed.path).toBe(path);
    expect(parsed.config.container).toBe('backups');
    expect(parsed.config.endpoint).toBe('https://account.blob.core.windows.net');
    expect(parseConfig(backend, { url }).path).toBe(path);
  });

  test('accepts every key in its query, in kebab-case or camelCase', () => {
    const query = `accountKey=${encodeURIComponent(KEY)}&part-size=2MiB&concurrency=3&accessTier=Cool`;
    const url = `abs://account@backups/app?${query}&endpoint=http://127.0.0.1:10000/account`;
    expect(config({ url })).toMatchObject({
      endpoint: 'http://127.0.0.1:10000/account',
      blockSizeBytes: 2 * 1024 * 1024,
      blocksAtOnce: 3,
      accessTier: 'Cool',
    });
    expect(credentials({ url })).toEqual(['shared-key', 'account', KEY]);
  });

  test('is overridden by separate keys', () => {
    const input = { url: 'abs://account@backups/app', 'account-name': 'another' };
    expect(issues({ ...input, path: 'other' })).toEqual(['url cannot be given together with path']);
    expect(config(input).endpoint).toBe('https://another.blob.core.windows.net');
  });

  test.each([
    ['abs:backups', ['url is not a URL such as s3://bucket/path']],
    ['s3://b/p', ['url must be abs://account@container/path']],
    ['abs://', ['bucket is missing']],
    ['abs://account@backups/%zz', ['url must be abs://account@container/path']],
    ['abs://backups/app', ['account-name is missing (or set endpoint)']],
    ['abs://account:cGFzcw@backups/app', ['url contains a password: use account-key instead']],
    ['abs://account@backups/app?skey=1', ['skey is not a key of abs']],
  ])('%s is refused with a clear message', (url, expected) => {
    expect(issues({ url })).toEqual(expect.arrayContaining(expected));
  });
});

describe('credentials', () => {
  test.each([
    [{ ...ACCOUNT, 'account-key': KEY }, ['shared-key', 'account', KEY]],
    [{ ...ACCOUNT, 'sas-token': TOKEN }, ['sas', TOKEN]],
    [{ ...ACCOUNT, 'sas-token': `?${TOKEN}\n` }, ['sas', TOKEN]],
    [{ ...ACCOUNT, 'sas-token': TOKEN, 'account-key': KEY }, ['sas', TOKEN]],
    [{ ...ACCOUNT, 'sas-token-path': '/run/sas' }, ['sas-file', '/run/sas']],
    [ACCOUNT, ['default']],
    [
      {
        bucket: 'backups',
        'connection-string': `DefaultEndpointsProtocol=https;AccountName=account;AccountKey=${KEY};EndpointSuffix=core.windows.net`,
      },
      ['shared-key', 'account', KEY],
    ],
    [
      {
        bucket: 'backups',
        'connection-string': `BlobEndpoint=https://a.example.com/;SharedAccessSignature=${TOKEN}`,
      },
      ['sas', TOKEN],
    ],
  ])('%#: the key, else the token, else the identity', (input, expected) => {
    expect(credentials(input)).toEqual(expected);
  });

  test.each([
    [{ 'account-key': KEY }, ['account-name is missing (or set endpoint)']],
    [
      { 'account-key': KEY, endpoint: 'https://a.example.com' },
      ['account-name is missing beside account-key'],
    ],
    [{ 'account-name': 'account', 'account-key': 'no base64' }, ['account-key must be base64']],
    [{ 'account-name': 'account', 'sas-token': 'sv=1' }, ['sas-token has no signature (sig=…)']],
    [
      { 'account-name': 'account', 'sas-token': TOKEN, 'sas-token-path': '/x' },
      ['sas-token-path cannot be given together with sas-token'],
    ],
    [
      { 'connection-string': `AccountName=account;AccountKey=${KEY}`, 'account-key': KEY },
      ['account-key cannot be given together with connection-string'],
    ],
    [
      { 'connection-string': `AccountKey=${KEY}` },
      ['connection-string has neither AccountName nor BlobEndpoint'],
    ],
    [
      { 'connection-string': 'AccountName=account' },
      ['connection-string has neither AccountKey nor SharedAccessSignature'],
    ],
  ])('%# are refused with a clear message', (input, expected) => {
    expect(issues({ bucket: 'backups', ...input })).toEqual(expect.arrayContaining(expected));
  });

  test('are not shown', () => {
    const texts = [
      JSON.stringify(config({ ...ACCOUNT, 'account-key': KEY })),
      JSON.stringify(config({ ...ACCOUNT, 'sas-token': TOKEN })),
      ...issues({ ...ACCOUNT, 'account-key': `${KEY}-`, 'sas-token': `sv=1&x=${KEY}`, x: 1 }),
      ...issues({ bucket: 'backups', endpoint: `https://a.example.com?${TOKEN}` }),
      ...issues({ bucket: 'backups', 'connection-string': `AccountKey=${KEY}` }),
    ];
    for (const text of texts) expect(text).not.toMatch(/YSBrZXk|c2ln/);
  });
});

test('the endpoint of a connection string is given, or made of its parts', () => {
  const of = (text: string): string =>
    config({ bucket: 'backups', 'connection-string': `${text};AccountKey=${KEY}` }).endpoint;
  expect(of('AccountName=a-cc;EndpointSuffix=core.chinacloudapi.cn')).toBe(
    'https://a-cc.blob.core.chinacloudapi.cn',
  );
  expect(of('AccountName=acc;BlobEndpoint=http://127.0.0.1:10000/acc/')).toBe(
    'http://127.0.0.1:10000/acc',
  );
});

test.each([
  [{}, ['bucket is missing', 'account-name is missing (or set endpoint)']],
  [
    { ...ACCOUNT, bucket: 'A' },
    ['bucket must be the name of a container: 3 to 63 characters of a-z, 0-9 and -'],
  ],
  [
    { ...ACCOUNT, bucket: 'backups', path: 'a\\b' },
    ['path must have no backslashes, and no . or .. between slashes: write a/b'],
  ],
  [
    { ...ACCOUNT, bucket: 'a/b' },
    ['bucket is a name with a path, not the name of a container alone: write bucket: a, path: b'],
  ],
  [
    { ...ACCOUNT, 'account-name': 'a.example.com/' },
    ['account-name must be the name of an account: a-z, 0-9'],
  ],
  [{ ...ACCOUNT, path: '../other' }, ['path leads out of the container']],
  [{ ...ACCOUNT, path: 'a/../../other' }, ['path leads out of the container']],
  [
    { ...ACCOUNT, endpoint: 'account.blob.core.windows.net' },
    ['endpoint must be http(s)://host, without a password or a query'],
  ],
  [
    { ...ACCOUNT, 'access-tier': 'Archive' },
    ['access-tier must be one of Hot, Cool, Cold, not "Archive"'],
  ],
  [{ ...ACCOUNT, 'part-size': '1KiB' }, ['part-size is 1024 bytes: the minimum is 1048576 bytes']],
  [{ ...ACCOUNT, concurrency: 17 }, ['concurrency is 17: the maximum is 16']],
  [
    { ...ACCOUNT, 'acount-key': 'x' },
    ['acount-key is not a key of abs: did you mean account-key?'],
  ],
])('%j is refused with a clear message', (input, expected) => {
  expect(issues(input)).toEqual(expected);
});

test('replicas that differ only in their path share a destination', () => {
  const one = parseConfig(backend, { ...ACCOUNT, 'account-key': KEY, path: 'a', name: 'one' });
  const url = `abs://account@backups/b?account-key=${encodeURIComponent(KEY)}`;
  const other = parseConfig(backend, { url, type: 'abs' });
  expect([one.path, other.path]).toEqual(['a', 'b']);
  expect(sameConfig(one.config, other.config)).toBe(true);
});
