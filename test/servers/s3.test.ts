/**
 * The S3 test server, tested with the vendor's client. The same tests run on MinIO and versitygw if they
 * are installed, to keep our server consistent with them.
 */

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type PutObjectCommandOutput,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../support/require.ts';
import { startMinio } from './minio.ts';
import { rawKeys, type S3Place } from './s3-access.ts';
import { start } from './s3/index.ts';
import { startVersitygw } from './versitygw.ts';

type Server = S3Place & { readonly stop: () => Promise<void> };

/** The minimum size of all parts but the last. */
const PART_BYTES = 5 * 1024 * 1024;

const startOurs = async (): Promise<Server> => await start();

describe('our S3 server', () => everyS3(startOurs, 'ours'));
describeWith(['minio'], 'MinIO', () => everyS3(startMinio, 'minio'));
describeWith(['versitygw'], 'versitygw', () => everyS3(startVersitygw, 'versitygw'));

function everyS3(startServer: () => Promise<Server>, which: 'ours' | 'minio' | 'versitygw'): void {
  let server: Server;
  let client: S3Client;
  let prefix = '';
  let prefixes = 0;
  const newPrefix = (): string => (prefix = `test-${(prefixes += 1)}/`);
  const at = (key: string): { Bucket: string; Key: string } => ({
    Bucket: server.bucket,
    Key: prefix + key,
  });
  const put = (key: string, Body: string, more: object = {}): Promise<PutObjectCommandOutput> =>
    client.send(new PutObjectCommand({ ...at(key), Body, ...more }));
  const get = async (key: string, more: object = {}): Promise<string> => {
    const { Body } = await client.send(new GetObjectCommand({ ...at(key), ...more }));
    return (await Body?.transformToString()) ?? '';
  };

  beforeAll(async () => {
    server = await startServer();
    client = clientOf(server);
  });
  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  test('returns a stored object with its metadata and its MD5 as the ETag', async () => {
    newPrefix();
    const { ETag } = await put('a', 'hello', { Metadata: { 'some-name': 'some value' } });
    expect(ETag).toBe(`"${createHash('md5').update('hello').digest('hex')}"`);
    expect(await get('a')).toBe('hello');
    const head = await client.send(new HeadObjectCommand(at('a')));
    expect(head).toMatchObject({ ETag, ContentLength: 5, Metadata: { 'some-name': 'some value' } });
    expect(Math.abs(Number(head.LastModified) - Date.now())).toBeLessThan(60_000);
  });

  test('accepts the checksum trailer that the SDK sends by default', async () => {
    newPrefix();
    const eager = clientOf(server, { requestChecksumCalculation: 'WHEN_SUPPORTED' });
    const Body = Readable.from([Buffer.from('hello trailer')]);
    await eager.send(new PutObjectCommand({ ...at('a'), Body, ContentLength: 13 }));
    eager.destroy();
    expect(await get('a')).toBe('hello trailer');
  });

  test('returns ranges, and 416 beyond the end', async () => {
    newPrefix();
    await put('a', '0123456789');
    expect(await get('a', { Range: 'bytes=2-4' })).toBe('234');
    expect(await get('a', { Range: 'bytes=7-' })).toBe('789');
    expect(await get('a', { Range: 'bytes=-2' })).toBe('89');
    expect(await get('a', { Range: 'bytes=8-99' })).toBe('89');
    const { ContentRange, ContentLength } = await client.send(
      new GetObjectCommand({ ...at('a'), Range: 'bytes=2-4' }),
    );
    expect([ContentRange, ContentLength]).toEqual(['bytes 2-4/10', 3]);
    expect(await refusal(get('a', { Range: 'bytes=10-' }))).toEqual(['InvalidRange', 416]);
  });

  test('supports conditions on reads and writes', async () => {
    newPrefix();
    const { ETag = '' } = await put('a', 'one', { IfNoneMatch: '*' });
    const failed = ['PreconditionFailed', 412];
    expect(await refusal(put('a', 'two', { IfNoneMatch: '*' }))).toEqual(failed);
    expect(
      await refusal(put('a', 'two', { IfMatch: '"00000000000000000000000000000000"' })),
    ).toEqual(failed);
    await put('a', 'two', { IfMatch: ETag });
    expect(await get('a')).toBe('two');
    expect(await refusal(get('a', { IfMatch: ETag }))).toEqual(failed);
    expect((await refusal(put('none', 'x', { IfMatch: ETag })))[1]).toBe(404);
  });

  test('lists pages in byte order, after a key, with and without a delimiter', async () => {
    newPrefix();
    const names = ['b/1', 'b/2', 'a', 'ä', 'c', 'b0', '\u{1f600}', '\ufb01'];
    for (const name of names) await put(name, 'x');
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const list = async (more: object): Promise<string[]> => {
      const found: string[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({
            Bucket: server.bucket,
            Prefix: prefix,
            ...(ContinuationToken !== undefined && { ContinuationToken }),
            ...more,
          }),
        );
        const keys = (page.Contents ?? []).map(({ Key = '' }) => Key);
        const folders = (page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix);
        expect(keys.length + folders.length).toBe(page.KeyCount);
        found.push(...[...keys, ...folders].map((key) => key.slice(prefix.length)));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      return found;
    };
    expect(await list({})).toEqual(sorted);
    expect(await list({ MaxKeys: 3 })).toEqual(sorted);
    expect(await list({ MaxKeys: 1, StartAfter: `${prefix}b/1` })).toEqual(sorted.slice(2));
    expect((await list({ MaxKeys: 2, Delimiter: '/' })).toSorted()).toEqual(
      ['b/', ...sorted.filter((name) => !name.startsWith('b/'))].toSorted(),
    );
    expect(await list({ Prefix: `${prefix}nothing` })).toEqual([]);
  });

  test('deletes objects, and ignores missing ones', async () => {
    newPrefix();
    await put('a', 'x');
    await put('b&<>"', 'x');
    await put('c', 'x');
    await client.send(new DeleteObjectCommand(at('c')));
    await client.send(new DeleteObjectCommand(at('c')));
    const Objects = ['a', 'b&<>"', 'none'].map((key) => ({ Key: prefix + key }));
    const answer = await client.send(
      new DeleteObjectsCommand({ Bucket: server.bucket, Delete: { Objects } }),
    );
    expect(answer.Errors ?? []).toEqual([]);
    expect(answer.Deleted?.map(({ Key }) => Key).toSorted()).toEqual(
      Objects.map(({ Key }) => Key).toSorted(),
    );
    expect(await rawKeys(server, prefix)).toEqual([]);
  });

  test('copies objects with their metadata', async () => {
    newPrefix();
    await put('a', 'hello', { Metadata: { x: 'y' } });
    await client.send(
      new CopyObjectCommand({ ...at('b'), CopySource: `${server.bucket}/${prefix}a` }),
    );
    const { Metadata, ContentLength } = await client.send(new HeadObjectCommand(at('b')));
    expect([Metadata, ContentLength]).toEqual([{ x: 'y' }, 5]);
  });

  describe('a multipart upload', () => {
    const begin = async (key: string): Promise<string> => {
      const command = new CreateMultipartUploadCommand({ ...at(key), Metadata: { x: 'y' } });
      return (await client.send(command)).UploadId ?? '';
    };
    const send = async (
      key: string,
      UploadId: string,
      PartNumber: number,
      Body: string,
    ): Promise<{ PartNumber: number; ETag: string | undefined }> => {
      const command = new UploadPartCommand({ ...at(key), UploadId, PartNumber, Body });
      return { PartNumber, ETag: (await client.send(command)).ETag };
    };
    const complete = (
      key: string,
      UploadId: string,
      Parts: object[],
      more = {},
    ): Promise<unknown> =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...at(key),
          UploadId,
          MultipartUpload: { Parts },
          ...more,
        }),
      );

    test('creates the object only when it is completed', async () => {
      newPrefix();
      const id = await begin('a');
      const last = await send('a', id, 2, 'the end');
      const first = await send('a', id, 1, 'x'.repeat(PART_BYTES));
      const listed = await client.send(new ListPartsCommand({ ...at('a'), UploadId: id }));
      expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
        [1, PART_BYTES],
        [2, 7],
      ]);
      expect(await rawKeys(server, prefix)).toEqual([]);
      await complete('a', id, [first, last]);
      const { ETag, Metadata, ContentLength } = await client.send(new HeadObjectCommand(at('a')));
      expect([Metadata, ContentLength]).toEqual([{ x: 'y' }, PART_BYTES + 7]);
      expect(ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
      expect(await get('a', { Range: `bytes=${PART_BYTES - 1}-` })).toBe('xthe end');
    });

    test('is refused with small parts, with wrong parts, and with if-none-match on an existing name', async () => {
      newPrefix();
      const id = await begin('a');
      const parts = [await send('a', id, 1, 'small'), await send('a', id, 2, 'small')];
      expect(await refusal(complete('a', id, parts))).toEqual(['EntityTooSmall', 400]);
      const wrong = { PartNumber: 1, ETag: '"00000000000000000000000000000000"' };
      expect(await refusal(complete('a', id, [wrong]))).toEqual(['InvalidPart', 400]);
      await put('a', 'taken');
      const conditional = complete('a', id, parts.slice(0, 1), { IfNoneMatch: '*' });
      expect(await refusal(conditional)).toEqual(['PreconditionFailed', 412]);
      expect(await get('a')).toBe('taken');
    });

    test('is removed when it is aborted', async () => {
      newPrefix();
      const id = await begin('a');
      await send('a', id, 1, 'part');
      const list = new ListMultipartUploadsCommand({ Bucket: server.bucket, Prefix: `${prefix}a` });
      expect((await client.send(list)).Uploads?.map(({ UploadId }) => UploadId)).toEqual([id]);
      await client.send(new AbortMultipartUploadCommand({ ...at('a'), UploadId: id }));
      expect((await client.send(list)).Uploads ?? []).toEqual([]);
      expect(await refusal(send('a', id, 2, 'late'))).toEqual(['NoSuchUpload', 404]);
    });
  });

  test('refuses an object with a wrong checksum and does not store it', async () => {
    newPrefix();
    const other = createHash('md5').update('other').digest('base64');
    expect(await refusal(put('a', 'hello', { ContentMD5: other }))).toEqual(['BadDigest', 400]);
    // MinIO uses its own code here.
    const crc32 = await refusal(put('a', 'hello', { ChecksumCRC32: 'AAAAAA==' }));
    expect(crc32).toEqual([which === 'minio' ? 'XAmzContentChecksumMismatch' : 'BadDigest', 400]);
    const mismatching = clientOf(server);
    const otherSHA256 = createHash('sha256').update('other').digest('hex');
    setHeader(mismatching, 'x-amz-content-sha256', otherSHA256);
    const sha256 = mismatching.send(new PutObjectCommand({ ...at('a'), Body: 'hello' }));
    expect(await refusal(sha256)).toEqual(['XAmzContentSHA256Mismatch', 400]);
    mismatching.destroy();
    expect(await rawKeys(server, prefix)).toEqual([]);
  });

  test('returns the codes for a missing key and a missing bucket', async () => {
    newPrefix();
    expect(await refusal(get('none'))).toEqual(['NoSuchKey', 404]);
    expect((await refusal(client.send(new HeadObjectCommand(at('none')))))[1]).toBe(404);
    const elsewhere = new GetObjectCommand({ Bucket: 'no-such-bucket', Key: 'x' });
    expect(await refusal(client.send(elsewhere))).toEqual(['NoSuchBucket', 404]);
    const list = new ListObjectsV2Command({ Bucket: 'no-such-bucket' });
    expect(await refusal(client.send(list))).toEqual(['NoSuchBucket', 404]);
  });

  test('returns different codes for a wrong key, a wrong secret and a wrong clock', async () => {
    const { accessKeyId, secretAccessKey } = server.credentials;
    const refused = async (config: S3ClientConfig): Promise<unknown> => {
      const other = clientOf(server, config);
      const answer = await refusal(other.send(new ListObjectsV2Command({ Bucket: server.bucket })));
      other.destroy();
      return answer;
    };
    expect(await refused({ credentials: { accessKeyId: 'nobody', secretAccessKey } })).toEqual([
      'InvalidAccessKeyId',
      403,
    ]);
    expect(await refused({ credentials: { accessKeyId, secretAccessKey: 'wrong' } })).toEqual([
      'SignatureDoesNotMatch',
      403,
    ]);
    expect(await refused({ systemClockOffset: 20 * 60_000 })).toEqual([
      'RequestTimeTooSkewed',
      403,
    ]);
  });

  test('supports the bucket in the host name', async () => {
    newPrefix();
    await put('a', 'hello');
    const inHost = clientOf(server, { endpoint: server.endpoint, forcePathStyle: true });
    inHost.middlewareStack.add(
      (next) => async (args) => {
        const request = args.request as { path: string; headers: Record<string, string> };
        request.path = request.path.replace(`/${server.bucket}/`, '/');
        request.headers['host'] = `${server.bucket}.localhost:${new URL(server.endpoint).port}`;
        return await next(args);
      },
      { step: 'build', priority: 'low' },
    );
    const { Body } = await inHost.send(new GetObjectCommand(at('a')));
    expect(await Body?.transformToString()).toBe('hello');
    inHost.destroy();
  });

  test('supports HeadBucket', async () => {
    const { $metadata } = await client.send(new HeadBucketCommand({ Bucket: server.bucket }));
    expect($metadata.httpStatusCode).toBe(200);
  });
}

function clientOf(server: S3Place, more: S3ClientConfig = {}): S3Client {
  const { accessKeyId, secretAccessKey } = server.credentials;
  return new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    credentials: { accessKeyId, secretAccessKey },
    ...more,
  });
}

function setHeader(client: S3Client, name: string, value: string): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      (args.request as { headers: Record<string, string> }).headers[name] = value;
      return await next(args);
    },
    { step: 'build' },
  );
}

/** Code and status of the error. Throws if the call succeeds. */
async function refusal(work: Promise<unknown>): Promise<[string, number]> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { name, $metadata } = (error ?? {}) as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  if ($metadata === undefined) {
    throw error instanceof Error ? error : new Error('expected a refusal');
  }
  return [name ?? '', $metadata.httpStatusCode ?? 0];
}
