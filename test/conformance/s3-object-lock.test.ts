/** Buckets with Object Lock, which keep objects for a time. */

import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { keyOf, Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startMinio } from '../servers/minio.ts';
import { connectS3, type S3Place } from '../servers/s3-access.ts';
import { PART_BYTES, useS3 } from '../servers/s3-fixture.ts';
import { describeWith } from '../support/require.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const FILE = ref(0, 1);
const LARGE = pattern(2 * PART_BYTES + 10, 1);

describe('a bucket that requires Content-MD5', () => {
  const s3 = useS3();

  test('is detected by its first refusal, and then gets it with every request', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    s3.server.faults.add(
      { kind: 'error', status: 400, code: 'InvalidRequest' },
      {
        times: 99,
        on: ({ operation, headers }) =>
          ['PutObject', 'UploadPart'].includes(operation) && headers['content-md5'] === undefined,
      },
    );
    for (const txid of [1, 2, 3]) await replica.writeFile(ref(0, txid), bodyOf(pattern(9, txid)));
    await replica.writeFile(ref(9, 1), bodyOf(LARGE));
    expect(s3.server.requests.of('PutObject').map(({ status }) => status)).toEqual([
      ...[400, 200],
      ...[200, 200],
    ]);
    expect(s3.server.requests.of('UploadPart').map(({ status }) => status)).toEqual([
      ...[200, 200, 200],
    ]);
    expect(Buffer.compare(await read(replica, ref(9, 1)), LARGE)).toBe(0);
  });

  test('is not assumed if a request is invalid for another reason', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const wrong = { kind: 'error', status: 400, code: 'InvalidRequest' } as const;
    s3.server.faults.add(wrong, { times: 2, on: 'PutObject' });
    await expect(replica.writeFile(FILE, bodyOf(pattern(9, 1)))).rejects.toMatchObject({
      status: 400,
    });
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    const sent = s3.server.requests.of('PutObject').map(({ headers }) => headers['content-md5']);
    expect(sent).toEqual([undefined, expect.any(String), undefined]);
  });
});

describeWith(['minio'], 'minio, with a retention of a day', () => {
  test('works as a destination', async () => {
    const server = await startMinio();
    onTestFinished(() => server.stop());
    const place = { ...server, bucket: 'locked' };
    await withClient(place, makeLocked);
    const destination = await connectS3(place, { 'part-size': PART_BYTES });
    onTestFinished(() => destination.close());
    const replica = new Replica(destination, 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition: 'if-absent' });
    await replica.writeFile(ref(9, 1), bodyOf(LARGE));
    expect(Buffer.compare(await read(replica, ref(9, 1)), LARGE)).toBe(0);
    expect(await list(replica, 'all')).toHaveLength(2);
  });
});

describeWith(['minio'], 'minio, with object-lock-mode', () => {
  test('locks each new file, but no named objects', async () => {
    const server = await startMinio();
    onTestFinished(() => server.stop());
    const place = { ...server, bucket: 'lockable' };
    await withClient(place, makeLockable);
    const lock = { 'object-lock-mode': 'COMPLIANCE', 'object-lock-retention': '1h' };
    const destination = await connectS3(place, { 'part-size': PART_BYTES, ...lock });
    onTestFinished(() => destination.close());
    const replica = new Replica(destination, 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(ref(9, 1), bodyOf(LARGE));
    await copyFile(replica, FILE, ref(1, 1));
    await new Replica(destination, 'db').objects.put('lock.json', pattern(9, 1));
    const locked = await withClient(place, async (client, Bucket) => {
      const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
      const deleted = Versions.map(async ({ Key, VersionId }) => {
        const command = new DeleteObjectCommand({ Bucket, Key, VersionId });
        const [answer] = await Promise.allSettled([client.send(command)]);
        return answer.status === 'rejected' ? [Key ?? ''] : [];
      });
      return (await Promise.all(deleted)).flat().toSorted((a, b) => (a < b ? -1 : 1));
    });
    expect(locked).toEqual([FILE, ref(1, 1), ref(9, 1)].map((file) => keyOf('levels', 'db', file)));
  });
});

async function makeLockable(client: S3Client, Bucket: string): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
}

/** Creates a bucket with a default retention. */
async function makeLocked(client: S3Client, Bucket: string): Promise<void> {
  await makeLockable(client, Bucket);
  const retention = { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } } as const;
  const configuration = { ObjectLockEnabled: 'Enabled', Rule: retention } as const;
  await client.send(
    new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: configuration }),
  );
}

async function withClient<Result>(
  { endpoint, region, bucket, credentials }: S3Place,
  work: (client: S3Client, bucket: string) => Promise<Result>,
): Promise<Result> {
  const { accessKeyId, secretAccessKey } = credentials;
  const keys = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials: keys, forcePathStyle: true });
  try {
    return await work(client, bucket);
  } finally {
    client.destroy();
  }
}
