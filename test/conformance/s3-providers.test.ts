/** The S3 backend with differences between providers: quirks, regions and hosts. Presets: s3-presets. */

import { keyOf, type LTXFileRef, Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { only, PART_BYTES, useS3 } from '../servers/s3-fixture.ts';
import { bodyOf, pattern, read, ref } from './context.ts';

const s3 = useS3();
const FILE = ref(0, 1);

describe('DeleteObjects', () => {
  const cases: [string, Record<string, unknown>, 'md5' | 'crc32' | 'none'][] = [
    ['s3.us-east-1.amazonaws.com', { 'require-content-md5': true }, 'md5'],
    ['t3.storage.dev', { 'require-content-md5': true }, 'md5'],
    ['storage.example', { 'require-content-md5': false }, 'crc32'],
    ['t3.storage.dev', { 'require-content-md5': false }, 'none'],
  ];
  test.each(cases)('to %s with %j carries %s', async (host, more, expected) => {
    // A server that refuses checksums verifies that none is sent.
    s3.server.quirks.refuseDeleteMD5 = expected === 'none';
    const replica = new Replica(await s3.connectedTo(host, more), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.deleteFiles([FILE, ref(0, 2)]);
    expect(s3.server.raw.keys()).toEqual([]);
    const { headers } = only(s3.server, 'DeleteObjects'); // the server verified the checksum
    const sent = [
      ...(headers['content-md5'] === undefined ? [] : ['md5']),
      ...Object.keys(headers).filter((header) => header.startsWith('x-amz-checksum-')),
    ];
    const names = { md5: ['md5'], crc32: ['x-amz-checksum-crc32'], none: [] };
    expect(sent).toEqual(names[expected]);
  });

  test('sends a thousand keys per request and names the files that could not be deleted', async () => {
    const files = Array.from({ length: 1_002 }, (_, index) => ref(0, index + 1));
    const replica = new Replica(await s3.connected(), 'db');
    for (const index of [4, 1_000]) {
      const file = files[index] as LTXFileRef;
      await replica.writeFile(file, bodyOf(pattern(9, 1)));
      s3.server.raw.protect(keyOf('levels', 'db', file));
    }
    await replica.writeFile(files[5] as LTXFileRef, bodyOf(pattern(9, 1)));
    await expect(replica.deleteFiles(files)).rejects.toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      failures: [
        {
          file: 'db/0000/0000000000000005-0000000000000005.ltx',
          code: 'REPLICA_PERMISSION_DENIED',
        },
        {
          file: 'db/0000/00000000000003e9-00000000000003e9.ltx',
          code: 'REPLICA_PERMISSION_DENIED',
        },
      ],
    });
    expect(s3.server.requests.of('DeleteObjects')).toHaveLength(2);
    expect(s3.server.raw.keys()).toHaveLength(2);
  });

  test('is replaced by one request per object if a server does not support it', async () => {
    s3.server.quirks.refuseDeleteObjects = true;
    const replica = new Replica(await s3.connected(), 'db');
    const files = [ref(0, 1), ref(0, 2), ref(0, 3)];
    for (const file of files) await replica.writeFile(file, bodyOf(pattern(9, 1)));
    s3.server.raw.protect(keyOf('levels', 'db', ref(0, 2)));
    await expect(replica.deleteFiles(files)).rejects.toMatchObject({
      failures: [{ file: 'db/0000/0000000000000002-0000000000000002.ltx' }],
    });
    await replica.deleteFiles([ref(0, 1)]);
    expect(s3.server.requests.of('DeleteObjects')).toHaveLength(1); // it is not tried again
    expect(s3.server.raw.keys()).toEqual([keyOf('levels', 'db', ref(0, 2))]);
  });
});

describe('the location of the bucket', () => {
  test('without region and endpoint is queried once, and requests go there', async () => {
    await s3.restart({ region: 'eu-west-3' });
    vi.stubEnv('AWS_ENDPOINT_URL_S3', s3.server.endpoint); // the SDK's variable for an endpoint
    onTestFinished(() => void vi.unstubAllEnvs());
    const destination = await s3.connected({ endpoint: undefined, region: undefined });
    const replica = new Replica(destination, 'db');
    await Promise.all(
      [1, 2, 3].map((txid) => replica.writeFile(ref(0, txid), bodyOf(pattern(9, 1)))),
    );
    await replica.writeFile(ref(0, 4), bodyOf(pattern(9, 1)));
    const queries = s3.server.requests.of('HeadBucket');
    expect(queries.map(({ headers }) => headers.connection)).toEqual(['close']); // the bucket may be at another host
    expect(s3.server.requests.of('PutObject').map(({ status }) => status)).toEqual([
      200, 200, 200, 200,
    ]);
  });

  test('is named in the error if the region is wrong', async () => {
    const replica = new Replica(await s3.connected({ region: 'mars-1' }), 'db');
    await expect(replica.openFile(FILE)).rejects.toThrow('the bucket is in us-east-1: set region');
  });

  test('with an endpoint alone is us-east-1, with the bucket in the path', async () => {
    await new Replica(await s3.connected({ region: undefined }), 'db').writeFile(
      FILE,
      bodyOf(pattern(9, 1)),
    );
    expect(only(s3.server, 'PutObject').style).toBe('path');
  });

  test('without path style puts the bucket into the host name', async () => {
    const destination = await s3.connectedTo('localhost', { 'force-path-style': false });
    await new Replica(destination, 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(only(s3.server, 'PutObject')).toMatchObject({
      style: 'virtual-host',
      bucket: s3.server.bucket,
    });
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
  test.each(quirks)('%j works as a destination', async (quirk) => {
    Object.assign(s3.server.quirks, quirk);
    const replica = new Replica(await s3.connected(), 'db');
    const bytes = pattern(2 * PART_BYTES + 10, 1);
    await replica.writeFile(FILE, bodyOf(bytes));
    await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
    expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
    await replica.deleteFiles([FILE, ref(0, 2)]);
    expect(await Array.fromAsync(replica.listFiles('all'))).toEqual([]);
  });

  test('gets at most its number of parallel parts', async () => {
    s3.server.quirks.partsAtOnceMax = 2;
    const destination = await s3.connectedTo('account.r2.cloudflarestorage.com');
    const files = [ref(0, 1), ref(0, 2)];
    await Promise.all(
      files.map((file) =>
        new Replica(destination, 'db').writeFile(file, bodyOf(pattern(4 * PART_BYTES, 1))),
      ),
    );
    expect(s3.server.requests.of('UploadPart').every(({ status }) => status === 200)).toBe(true);
  });

  test('that does not support conditions fails conditional writes with REPLICA_UNSUPPORTED', async () => {
    s3.server.quirks.refuseConditions = true;
    const replica = new Replica(await s3.connected(), 'db');
    const written = replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
    await expect(written).rejects.toMatchObject({ code: 'REPLICA_UNSUPPORTED', status: 501 });
  });
});
