/** What the S3 backend sends, as a server sees it: this is what providers refuse or misread. */

import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { keyOf, toTXID, type Destination, type LTXFileRef } from '@sluice/core/backend';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseConfig } from '../../packages/s3/src/config.ts';
import { connectAs } from '../../packages/s3/src/destination.ts';
import { OTHER, PRESETS, type Preset } from '../../packages/s3/src/presets.ts';
import { connectS3, s3Input } from '../servers/s3-access.ts';
import { start, type LoggedRequest, type Operation, type RunningS3 } from '../servers/s3/index.ts';
import { bodyOf, CREATED_AT, pattern, read, ref } from './context.ts';

const PART_BYTES = 5 * 1024 * 1024;
const FILE = ref(0, 1);

let server: RunningS3;
beforeEach(async () => {
  server = await start();
});
afterEach(() => server.stop());

async function connected(more: Record<string, unknown> = {}): Promise<Destination> {
  const destination = await connectS3(server, { 'part-size': PART_BYTES, ...more });
  onTestFinished(() => destination.close());
  return destination;
}

/** As if the server's host were that of a provider. */
async function connectedTo(name: string, more: Record<string, unknown> = {}): Promise<Destination> {
  const preset = [...PRESETS, OTHER].find((each) => each.name === name) as Preset;
  const { config } = parseConfig(s3Input(server, { 'part-size': PART_BYTES, ...more }));
  const context = { logger: console, access: 'write' } as const;
  const destination = await connectAs(config, context, preset);
  onTestFinished(() => destination.close());
  return destination;
}

function only(operation: Operation): LoggedRequest {
  const [request, ...others] = server.requests.of(operation);
  expect(others).toHaveLength(0);
  if (request === undefined) throw new Error(`no ${operation} was sent`);
  return request;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** What half of the providers refuse. */
function expectPlain(request: LoggedRequest): void {
  expect(request.headers['transfer-encoding']).toBeUndefined();
  expect(request.headers['content-encoding']).toBeUndefined();
  expect(request.headers['expect']).toBeUndefined();
  expect(request.trailers).toEqual({});
  const checksums = Object.keys(request.headers).filter((name) =>
    /^x-amz-(checksum|sdk-checksum|trailer|decoded)/.test(name),
  );
  expect(checksums).toEqual([]);
}

describe('a write', () => {
  test('of a small file is one PUT with its length and the signed SHA-256 of its bytes', async () => {
    const bytes = pattern(70_000, 1);
    const { modifiedAt } = await (
      await connected()
    )
      .replica('db')
      .writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
    expect(server.requests.all()).toHaveLength(1);
    const { headers, key, ...request } = only('PutObject');
    expect(key).toBe(keyOf('hex-level', 'db', FILE));
    expect(headers['content-length']).toBe('70000');
    expect(headers['x-amz-content-sha256']).toBe(sha256(bytes));
    expect(headers['if-none-match']).toBe('*');
    expect(headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    expectPlain({ headers, key, ...request });
    expect(Math.abs(modifiedAt.getTime() - Date.now())).toBeLessThan(5_000);
  });

  test('without a condition sends none', async () => {
    await (await connected()).replica('db').writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(only('PutObject').headers['if-none-match']).toBeUndefined();
  });

  test('of a large file is equal parts, each with its own signed SHA-256', async () => {
    const bytes = pattern(2 * PART_BYTES + 10, 1);
    await (
      await connected()
    )
      .replica('db')
      .writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
    const create = only('CreateMultipartUpload');
    expect(create.headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    const parts = server.requests.of('UploadPart');
    expect(parts).toHaveLength(3);
    for (const part of parts) {
      const start = (Number(part.query.get('partNumber')) - 1) * PART_BYTES;
      const expected = bytes.subarray(start, start + PART_BYTES);
      expect(part.headers['content-length']).toBe(String(expected.byteLength));
      expect(part.headers['x-amz-content-sha256']).toBe(sha256(expected));
      expectPlain(part);
    }
    expect(only('CompleteMultipartUpload').headers['if-none-match']).toBe('*');
    const stored = server.raw.get(keyOf('hex-level', 'db', FILE));
    expect(stored?.headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    expect(server.raw.uploads()).toEqual([]);
  });

  test('whose payload is not to be signed carries Content-MD5', async () => {
    const bytes = pattern(PART_BYTES + 10, 1);
    const replica = (await connected({ 'sign-payload': false })).replica('db');
    await replica.writeFile(FILE, bodyOf(bytes));
    await replica.writeFile(ref(0, 2), bodyOf(bytes.subarray(0, 10)));
    for (const { headers } of server.requests.of('UploadPart')) {
      expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
      expect(headers['content-md5']).toMatch(/^.{22}==$/);
    }
    const { headers } = only('PutObject');
    expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
    expect(headers['content-md5']).toBe(md5(bytes.subarray(0, 10)));
  });

  test('carries storage class and KMS key where an object begins, and only there', async () => {
    const more = { 'storage-class': 'STANDARD_IA', 'sse-kms-key-id': 'alias/k' };
    const replica = (await connected(more)).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(PART_BYTES + 1, 1)));
    for (const operation of ['PutObject', 'CreateMultipartUpload'] as const) {
      const { headers } = only(operation);
      expect(headers['x-amz-storage-class']).toBe('STANDARD_IA');
      expect(headers['x-amz-server-side-encryption']).toBe('aws:kms');
      expect(headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe('alias/k');
    }
    for (const { headers } of server.requests.of('UploadPart')) {
      expect(headers['x-amz-server-side-encryption']).toBeUndefined();
    }
  });

  test("carries a customer's key with each part, and so do reads and copies", async () => {
    const key = Buffer.alloc(32, 7);
    const replica = (await connected({ 'sse-customer-key': key.toString('base64') })).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES + 1, 1)));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
    await read(replica, FILE);
    await replica.copyFile?.(ref(0, 2), ref(0, 3));
    for (const { headers, operation } of server.requests.all()) {
      expect([operation, headers['x-amz-server-side-encryption-customer-key-md5']]).toEqual([
        operation,
        md5(key),
      ]);
    }
    const { headers } = only('CopyObject');
    expect(headers['x-amz-copy-source-server-side-encryption-customer-key-md5']).toBe(md5(key));
  });
});

describe('DeleteObjects', () => {
  const cases: [string, Record<string, unknown>, 'md5' | 'crc32' | 'none'][] = [
    ['AWS', {}, 'crc32'],
    ['another provider', {}, 'md5'],
    ['Cloudflare R2', {}, 'md5'],
    ['Tigris', {}, 'none'],
    ['AWS', { 'require-content-md5': true }, 'md5'],
    ['Tigris', { 'require-content-md5': true }, 'md5'],
    ['another provider', { 'require-content-md5': false }, 'crc32'],
    ['Tigris', { 'require-content-md5': false }, 'none'],
  ];
  test.each(cases)('to %s with %j carries %s', async (name, more, expected) => {
    // A server that wants neither, to see what is sent where nothing is.
    server.quirks.refuseDeleteMD5 = expected === 'none';
    const replica = (await connectedTo(name, more)).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.deleteFiles([FILE]);
    expect(server.raw.keys()).toEqual([]);
    const { headers } = only('DeleteObjects'); // which verified what came
    const sent = [
      ...(headers['content-md5'] === undefined ? [] : ['md5']),
      ...Object.keys(headers).filter((header) => header.startsWith('x-amz-checksum-')),
    ];
    const names = { md5: ['md5'], crc32: ['x-amz-checksum-crc32'], none: [] };
    expect(sent).toEqual(names[expected]);
  });

  test('goes out by the thousand, and what could not be deleted is told by name', async () => {
    const files = Array.from({ length: 1_001 }, (_, index) => ref(0, index + 1));
    const replica = (await connected()).replica('db');
    for (const index of [4, 1_000]) {
      const file = files[index] as LTXFileRef;
      await replica.writeFile(file, bodyOf(pattern(9, 1)));
      server.raw.protect(keyOf('hex-level', 'db', file));
    }
    await replica.writeFile(files[5] as LTXFileRef, bodyOf(pattern(9, 1)));
    await expect(replica.deleteFiles(files)).rejects.toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      failures: [
        {
          file: 'level 0 0000000000000005-0000000000000005.ltx',
          code: 'REPLICA_PERMISSION_DENIED',
        },
        {
          file: 'level 0 00000000000003e9-00000000000003e9.ltx',
          code: 'REPLICA_PERMISSION_DENIED',
        },
      ],
    });
    expect(server.requests.of('DeleteObjects')).toHaveLength(2);
    expect(server.raw.keys()).toHaveLength(2);
  });

  test('is left for one request an object where a server does not know it', async () => {
    server.quirks.refuseDeleteObjects = true;
    const replica = (await connected()).replica('db');
    const files = [ref(0, 1), ref(0, 2), ref(0, 3)];
    for (const file of files) await replica.writeFile(file, bodyOf(pattern(9, 1)));
    server.raw.protect(keyOf('hex-level', 'db', ref(0, 2)));
    await expect(replica.deleteFiles(files)).rejects.toMatchObject({
      failures: [{ file: 'level 0 0000000000000002-0000000000000002.ltx' }],
    });
    await replica.deleteFiles([ref(0, 1)]);
    expect(server.requests.of('DeleteObjects')).toHaveLength(1); // and is not tried again
    expect(server.raw.keys()).toEqual([keyOf('hex-level', 'db', ref(0, 2))]);
  });
});

describe('a read', () => {
  test('asks for a range only where one is wanted, and for a version by If-Match', async () => {
    const replica = (await connected()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(100, 1)));
    await read(replica, FILE);
    const { version = '' } = await replica.openFile(FILE, { range: { start: 10, end: 20 } });
    await replica.openFile(FILE, { range: { start: 10 }, version });
    const sent = server.requests
      .of('GetObject')
      .map(({ headers }) => [headers.range, headers['if-match']]);
    expect(sent).toEqual([
      [undefined, undefined],
      ['bytes=10-19', undefined],
      ['bytes=10-', version],
    ]);
  });

  test('of all levels is one recursive listing, and of one level begins where it is wanted', async () => {
    const replica = (await connected()).replica('db');
    await Array.fromAsync(replica.listFiles('all'));
    await Array.fromAsync(replica.listFiles(3, { from: toTXID(0xab) }));
    const sent = server.requests
      .of('ListObjectsV2')
      .map(({ query }) => ['prefix', 'delimiter', 'start-after'].map((name) => query.get(name)));
    expect(sent).toEqual([
      ['db/000', null, null],
      ['db/0003/', null, 'db/0003/00000000000000ab'],
    ]);
  });
});

test.each(['', '.', '/db', 'db/', 'a b/ü+%', '../up'])(
  'the keys of the root %j go over the wire as they are',
  async (root) => {
    const replica = (await connected()).replica(root);
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.copyFile?.(FILE, ref(1, 1));
    expect(server.raw.keys().toSorted()).toEqual(
      [FILE, ref(1, 1)].map((file) => keyOf('hex-level', root, file)).toSorted(),
    );
    expect(await Array.fromAsync(replica.listFiles('all'))).toHaveLength(2);
    expect(await read(replica, FILE)).toHaveLength(9);
    await replica.deleteFiles([FILE, ref(1, 1)]);
    expect(server.raw.keys()).toEqual([]);
  },
);

test('a copy is made by the server, with the time of the file', async () => {
  const replica = (await connected()).replica('db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  const info = await replica.copyFile?.(FILE, ref(4, 1));
  expect(info).toMatchObject({ level: 4, sizeBytes: 9 });
  const copied = server.raw.get(keyOf('hex-level', 'db', ref(4, 1)));
  expect(copied?.headers['x-amz-meta-litestream-timestamp']).toBe(CREATED_AT.toISOString());
  expect(server.requests.of('GetObject')).toEqual([]);
});

test('every request to Tigris asks for what is consistent', async () => {
  const replica = (await connectedTo('Tigris')).replica('db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  await read(replica, FILE);
  await Array.fromAsync(replica.listFiles(0));
  for (const { headers } of server.requests.all()) {
    expect(headers['x-tigris-consistent']).toBe('true');
  }
});

test('a provider whose conditions are not relied on claims none', async () => {
  expect((await connectedTo('Backblaze B2')).capabilities).toEqual({ ranges: true });
});

describe('where the bucket is', () => {
  test('without region and endpoint, it is asked once, and requests go there', async () => {
    await server.stop();
    server = await start({ region: 'eu-west-3' });
    vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint); // the SDK's own way to another place
    onTestFinished(() => void vi.unstubAllEnvs());
    const destination = await connected({ endpoint: undefined, region: undefined });
    const replica = destination.replica('db');
    await Promise.all(
      [1, 2, 3].map((txid) => replica.writeFile(ref(0, txid), bodyOf(pattern(9, 1)))),
    );
    await replica.writeFile(ref(0, 4), bodyOf(pattern(9, 1)));
    expect(server.requests.of('HeadBucket')).toHaveLength(1);
    expect(server.requests.of('PutObject').map(({ status }) => status)).toEqual([
      200, 200, 200, 200,
    ]);
  });

  test('a region that is wrong is told, with the right one', async () => {
    const replica = (await connected({ region: 'mars-1' })).replica('db');
    await expect(replica.openFile(FILE)).rejects.toThrow('the bucket is in us-east-1: set region');
  });

  test('an endpoint alone means us-east-1 and a bucket in the path', async () => {
    await (
      await connected({ region: undefined })
    )
      .replica('db')
      .writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(only('PutObject').style).toBe('path');
  });

  test('without path style it is in the host', async () => {
    const lookup = dns.lookup;
    vi.spyOn(dns, 'lookup').mockImplementation(((_: string, ...rest: [never]) =>
      lookup('127.0.0.1', ...rest)) as typeof dns.lookup); // *.localhost has no address everywhere
    onTestFinished(() => void vi.restoreAllMocks());
    const endpoint = `http://localhost:${server.port}`;
    const destination = await connected({ endpoint, 'force-path-style': false });
    await destination.replica('db').writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(only('PutObject')).toMatchObject({ style: 'virtual-host', bucket: server.bucket });
  });
});

describe('a provider with quirks', () => {
  const quirks = [
    { refuseTrailers: true },
    { refuseChecksumHeaders: true },
    { requireDeleteMD5: true },
    { refuseUnsignedPayload: true },
    { equalPartSizes: true },
    { refuseDeleteObjects: true },
  ];
  test.each(quirks)('%j keeps a replica all the same', async (quirk) => {
    Object.assign(server.quirks, quirk);
    const replica = (await connected()).replica('db');
    const bytes = pattern(2 * PART_BYTES + 10, 1);
    await replica.writeFile(FILE, bodyOf(bytes));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
    expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
    await replica.deleteFiles([FILE, ref(0, 2)]);
    expect(await Array.fromAsync(replica.listFiles('all'))).toEqual([]);
  });

  test('gets no more parts at once than it takes, and no more of them', async () => {
    server.quirks.partsAtOnceMax = 2;
    const destination = await connectedTo('Cloudflare R2');
    const files = [ref(0, 1), ref(0, 2)];
    await Promise.all(
      files.map((file) =>
        destination.replica('db').writeFile(file, bodyOf(pattern(4 * PART_BYTES, 1))),
      ),
    );
    expect(server.requests.of('UploadPart').every(({ status }) => status === 200)).toBe(true);
  });

  test('that knows no conditions refuses them in words', async () => {
    server.quirks.refuseConditions = true;
    const replica = (await connected()).replica('db');
    const written = replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
    await expect(written).rejects.toMatchObject({ code: 'REPLICA_UNSUPPORTED', status: 501 });
  });
});
