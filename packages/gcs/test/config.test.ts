import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { isError, parseConfig as parse, type ParsedConfig } from '@sluice/core/backend';
import { expect, onTestFinished, test } from 'vitest';
import { backend, type GCSConfig } from '../src/index.ts';

const DEFAULTS: GCSConfig = {
  bucket: 'b',
  credentials: undefined,
  endpoint: undefined,
  partSizeBytes: 8_388_608,
};

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ACCOUNT = {
  type: 'service_account',
  client_email: 'replicator@example.iam.gserviceaccount.com',
  private_key_id: '1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
};
const KEY = JSON.stringify(ACCOUNT);

function parseConfig(input: unknown): ParsedConfig<GCSConfig> {
  return parse(backend, input);
}

function parseURL(text: string): ReturnType<typeof parseConfig> {
  return parseConfig(backend.fromURL(new URL(text)));
}

function issuesOf(input: unknown): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return (error.issues ?? []).map((each) => each.message);
    throw error;
  }
  return [];
}

test.each(['gs', 'gcs'])('a bucket and a path are enough for type %s', (type) => {
  const { config, path } = parseConfig({ type, name: 'off-site', bucket: 'b', path: 'app.db' });
  expect(path).toBe('app.db');
  expect(config).toEqual(DEFAULTS);
});

test('every key is read', () => {
  const { config } = parseConfig({
    bucket: 'b',
    credentials: KEY,
    endpoint: 'https://storage.example.com/',
    'part-size': '16MiB',
  });
  expect({ ...config, credentials: config.credentials?.reveal() }).toEqual({
    bucket: 'b',
    credentials: KEY,
    endpoint: 'https://storage.example.com',
    partSizeBytes: 16 * 1024 * 1024,
  });
});

test.each([
  ['gs://b/db', 'db'],
  ['gcs://b/db', 'db'],
  ['gs://b/db/', 'db'],
  ['gs://b//tenants/a%20b', 'tenants/a b'],
  ['gs://b/', ''],
  ['gs://b', ''],
  ['gs://b/100%', '100%'],
])('%s is read as in Litestream', (url, path) => {
  expect(parseURL(url)).toEqual({ config: DEFAULTS, path });
  expect(parseConfig({ url })).toEqual({ config: DEFAULTS, path });
});

test('a URL may contain keys, and separate keys override them', () => {
  const url = 'gs://b/db?part-size=1MiB&endpoint=http://127.0.0.1:4443';
  const { config } = parseConfig({ url, 'part-size': '2MiB' });
  const endpoint = 'http://127.0.0.1:4443';
  expect(config).toEqual({ ...DEFAULTS, endpoint, partSizeBytes: 2 * 1024 * 1024 });
});

test('the service account key may be in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gcs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key.json');
  writeFileSync(file, KEY);
  const { config } = parseConfig({ bucket: 'b', 'credentials-file': file });
  expect(config.credentials?.reveal()).toBe(KEY);
  const both = issuesOf({ bucket: 'b', credentials: KEY, 'credentials-file': file });
  expect(both.join()).toMatch(/credentials.*together with/);
  expect(issuesOf({ bucket: 'b', 'credentials-file': `${file}x` }).join()).toMatch(/ENOENT/);
});

test.each([
  ['{', /must be a service account key in JSON/],
  ['/etc/key.json', /credentials-file/],
  [JSON.stringify({ type: 'external_account' }), /GOOGLE_APPLICATION_CREDENTIALS/],
  [JSON.stringify({ ...ACCOUNT, client_email: 1 }), /has no client_email/],
  [JSON.stringify({ ...ACCOUNT, private_key: 'hidden-key' }), /has no readable private_key/],
])('invalid credentials are refused without showing them: %s', (credentials, message) => {
  const issues = issuesOf({ bucket: 'b', credentials });
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatch(message);
  expect(issues[0]).not.toContain('hidden-key');
});

test.each([
  [{}, /bucket is missing/],
  [{ bucket: 'a/b' }, /bucket is a name with a path.*: write bucket: a, path: b/],
  [{ bucket: 'gs://b' }, /bucket is a URL .*: write bucket: b/],
  [{ bucket: 'b', path: 'a/../b' }, /path must have no backslashes/],
  [{ bucket: 'b', url: 's3://b/p' }, /url must begin with gs:/],
  [{ bucket: 'b', endpoint: 'storage.example.com' }, /endpoint must be http/],
  [{ bucket: 'b', endpoint: 'https://me:secret@example.com' }, /endpoint must be http/],
  [{ bucket: 'b', 'part-size': 1 }, /part-size/],
  [{ bucket: 'b', 'part-size': '1GiB' }, /part-size/],
  [{ bucket: 'b', 'part-size': 300_000 }, /multiple of 256KiB/],
  [{ bucket: 'b', credentials: KEY, endpoint: 'http://example.com' }, /must be https/],
  [{ bucket: 'b', regoin: 'x' }, /regoin is not a key of gs/],
])('%j is refused with a clear message', (input, message) => {
  const issues = issuesOf(input);
  expect(issues.join('; ')).toMatch(message);
  expect(issues.join()).not.toContain('secret');
});

test('credentials are sent over plain HTTP to this machine only', () => {
  for (const host of ['127.0.0.1:1', 'localhost:1', '[::1]:1']) {
    expect(issuesOf({ bucket: 'b', credentials: KEY, endpoint: `http://${host}` })).toEqual([]);
  }
});

test('no secret is printed', () => {
  const { config } = parseConfig({ bucket: 'b', credentials: KEY });
  const printed =
    inspect(config, { depth: 9 }) + JSON.stringify(config) + String(config.credentials);
  expect(printed).toContain('[redacted]');
  expect(printed).not.toContain('PRIVATE');
});
