/** Requests of the S3 backend, as the server receives them. Providers refuse small differences. */

import { createHash } from 'node:crypto';
import { keyOf, toTXID, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { only, PART_BYTES, useS3 } from '../servers/s3-fixture.ts';
import type { LoggedRequest } from '../servers/s3/index.ts';
import { bodyOf, CREATED_AT, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const s3 = useS3();
const FILE = ref(0, 1);

describe('a write', () => {
  test('of a small file is one PUT with its length and the signed SHA-256 of its bytes', async () => {
    const bytes = pattern(70_000, 1);
    const { modifiedAt } = await new Replica(await s3.connected(), 'db').writeFile(
      FILE,
      bodyOf(bytes),
      { condition: 'if-absent' },
    );
    expect(s3.server.requests.all()).toHaveLength(1);
    const { headers, key, ...request } = only(s3.server, 'PutObject');
    expect(key).toBe(keyOf('levels', 'db', FILE));
    expect(headers['content-length']).toBe('70000');
    expect(headers['x-amz-content-sha256']).toBe(sha256(bytes));
    expect(headers['if-none-match']).toBe('*');
    expect(headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    expectPlain({ headers, key, ...request });
    expect(Math.abs(modifiedAt.getTime() - Date.now())).toBeLessThan(5_000);
  });

  test('without a condition sends no condition header', async () => {
    await new Replica(await s3.connected(), 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(only(s3.server, 'PutObject').headers['if-none-match']).toBeUndefined();
  });

  test('of a large file sends equal parts, each with its own signed SHA-256', async () => {
    const bytes = pattern(2 * PART_BYTES + 10, 1);
    await new Replica(await s3.connected(), 'db').writeFile(FILE, bodyOf(bytes), {
      condition: 'if-absent',
    });
    const create = only(s3.server, 'CreateMultipartUpload');
    expect(create.headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    const parts = s3.server.requests.of('UploadPart');
    expect(parts).toHaveLength(3);
    for (const part of parts) {
      const start = (Number(part.query.get('partNumber')) - 1) * PART_BYTES;
      const expected = bytes.subarray(start, start + PART_BYTES);
      expect(part.headers['content-length']).toBe(String(expected.byteLength));
      expect(part.headers['x-amz-content-sha256']).toBe(sha256(expected));
      expectPlain(part);
    }
    expect(only(s3.server, 'CompleteMultipartUpload').headers['if-none-match']).toBe('*');
    const stored = s3.server.raw.get(keyOf('levels', 'db', FILE));
    expect(stored?.headers['x-amz-meta-litestream-timestamp']).toBe('2023-11-14T22:13:20.123Z');
    expect(s3.server.raw.uploads()).toEqual([]);
  });

  test('with sign-payload: false sends Content-MD5', async () => {
    const bytes = pattern(PART_BYTES + 10, 1);
    const replica = new Replica(await s3.connected({ 'sign-payload': false }), 'db');
    await replica.writeFile(FILE, bodyOf(bytes));
    await replica.writeFile(ref(0, 2), bodyOf(bytes.subarray(0, 10)));
    for (const { headers } of s3.server.requests.of('UploadPart')) {
      expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
      expect(headers['content-md5']).toMatch(/^.{22}==$/);
    }
    const { headers } = only(s3.server, 'PutObject');
    expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
    expect(headers['content-md5']).toBe(md5(bytes.subarray(0, 10)));
  });

  test('sends storage class and KMS key only with the request that creates an object', async () => {
    const more = { 'storage-class': 'STANDARD_IA', 'sse-kms-key-id': 'alias/k' };
    const replica = new Replica(await s3.connected(more), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(PART_BYTES + 1, 1)));
    for (const operation of ['PutObject', 'CreateMultipartUpload'] as const) {
      const { headers } = only(s3.server, operation);
      expect(headers['x-amz-storage-class']).toBe('STANDARD_IA');
      expect(headers['x-amz-server-side-encryption']).toBe('aws:kms');
      expect(headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe('alias/k');
    }
    for (const { headers } of s3.server.requests.of('UploadPart')) {
      expect(headers['x-amz-server-side-encryption']).toBeUndefined();
    }
  });

  test('sends the object lock and an MD5 with each new file, but not with named objects', async () => {
    const lock = { 'object-lock-mode': 'GOVERNANCE', 'object-lock-retention': '1h' };
    const destination = await s3.connected(lock);
    const replica = new Replica(destination, 'db');
    const before = Date.now();
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(PART_BYTES + 1, 1)));
    await copyFile(replica, FILE, ref(1, 1));
    expect(only(s3.server, 'PutObject').headers['content-md5']).toBe(md5(pattern(9, 1)));
    expect(
      s3.server.requests.of('UploadPart').map(({ headers }) => 'content-md5' in headers),
    ).toEqual([true, true]);
    for (const operation of ['PutObject', 'CreateMultipartUpload', 'CopyObject'] as const) {
      const { headers } = only(s3.server, operation);
      expect(headers['x-amz-object-lock-mode']).toBe('GOVERNANCE');
      const until = Date.parse(String(headers['x-amz-object-lock-retain-until-date']));
      expect(until - before).toBeGreaterThanOrEqual(3_599_000); // the SDK writes whole seconds
      expect(until - Date.now()).toBeLessThanOrEqual(3_600_000);
    }
    await new Replica(destination, 'db').objects.put('lock.json', pattern(9, 1));
    const [, named] = s3.server.requests.of('PutObject');
    expect(named?.headers['x-amz-object-lock-mode']).toBeUndefined();
  });

  test('sends a customer key with each part, read and copy', async () => {
    const key = Buffer.alloc(32, 7);
    const replica = new Replica(
      await s3.connected({ 'sse-customer-key': key.toString('base64') }),
      'db',
    );
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES + 1, 1)));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
    await read(replica, FILE);
    await copyFile(replica, ref(0, 2), ref(0, 3));
    for (const { headers, operation } of s3.server.requests.all()) {
      expect([operation, headers['x-amz-server-side-encryption-customer-key-md5']]).toEqual([
        operation,
        md5(key),
      ]);
    }
    const { headers } = only(s3.server, 'CopyObject');
    expect(headers['x-amz-copy-source-server-side-encryption-customer-key-md5']).toBe(md5(key));
  });
});

describe('a read', () => {
  test('sends a range only if one is requested, and the version as If-Match', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(100, 1)));
    await read(replica, FILE);
    const { version = '' } = await replica.openFile(FILE, { range: { start: 10, end: 20 } });
    await replica.openFile(FILE, { range: { start: 10 }, version });
    const sent = s3.server.requests
      .of('GetObject')
      .map(({ headers }) => [headers.range, headers['if-match']]);
    expect(sent).toEqual([
      [undefined, undefined],
      ['bytes=10-19', undefined],
      ['bytes=10-', version],
    ]);
  });

  test('lists all levels with one recursive listing, and starts a level at a TXID with start-after', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    await Array.fromAsync(replica.listFiles('all'));
    await Array.fromAsync(replica.listFiles(3, { from: toTXID(0xab) }));
    const sent = s3.server.requests
      .of('ListObjectsV2')
      .map(({ query }) => ['prefix', 'delimiter', 'start-after'].map((name) => query.get(name)));
    expect(sent).toEqual([
      ['db/000', null, null],
      ['db/0003/', null, 'db/0003/00000000000000ab'],
    ]);
  });
});

test.each(['', '.', '/db', 'db/', 'a b/ü+%', '../up'])(
  'the root %j is sent unchanged as part of the keys',
  async (root) => {
    const replica = new Replica(await s3.connected(), root);
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await copyFile(replica, FILE, ref(1, 1));
    expect(s3.server.raw.keys().toSorted()).toEqual(
      [FILE, ref(1, 1)].map((file) => keyOf('levels', root, file)).toSorted(),
    );
    expect(await Array.fromAsync(replica.listFiles('all'))).toHaveLength(2);
    expect(await read(replica, FILE)).toHaveLength(9);
    await replica.deleteFiles([FILE, ref(1, 1)]);
    expect(s3.server.raw.keys()).toEqual([]);
  },
);

test('a copy is made by the server and keeps the creation time', async () => {
  const replica = new Replica(await s3.connected(), 'db');
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  const info = await copyFile(replica, FILE, ref(4, 1));
  expect(info).toMatchObject({ key: keyOf('levels', 'db', ref(4, 1)), sizeBytes: 9 });
  const copied = s3.server.raw.get(keyOf('levels', 'db', ref(4, 1)));
  expect(copied?.headers['x-amz-meta-litestream-timestamp']).toBe(CREATED_AT.toISOString());
  expect(s3.server.requests.of('GetObject')).toEqual([]);
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** Expects none of the headers that half of the providers refuse. */
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
