/** The S3 backend with network and server faults. */

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startCuttingProxy } from '../servers/cutting-proxy.ts';
import { connectS3, putWithoutChecksum, rawKeys } from '../servers/s3-access.ts';
import { PART_BYTES, rejectionOf, useS3 } from '../servers/s3-fixture.ts';
import type { FaultKind } from '../servers/s3/index.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeWith } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { logTo } from '../support/log-to.ts';
import { bodyOf, readIfPresent, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const s3 = useS3();
const FILE = ref(0, 1);
const LARGE = pattern(3 * PART_BYTES + 10, 1);
const RESET: FaultKind = { kind: 'cut-request', afterBytes: 100_000 };

describe('a write whose connection is cut', () => {
  test('keeps the old file and fails as retryable', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const old = pattern(1_000, 9);
    for (const before of ['none', old] as const) {
      if (before !== 'none') await replica.writeFile(FILE, bodyOf(before));
      s3.server.faults.add(RESET, { on: 'PutObject' });
      const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(900_000, 2))));
      expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
      expect(await readIfPresent(replica, FILE)).toEqual(
        before === 'none' ? 'none' : Buffer.from(before),
      );
    }
  });

  test('at every attempt of a part leaves no parts', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    s3.server.faults.add(RESET, { on: 'UploadPart', after: 1, times: 99 });
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(LARGE)));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    await s3.noUploadIsLeft();
    expect(s3.server.raw.keys()).toEqual([]);
  });

  test('in one part resends only that part', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    s3.server.faults.add(RESET, { on: 'UploadPart', after: 1 });
    await replica.writeFile(FILE, bodyOf(LARGE));
    expect(Buffer.compare(await read(replica, FILE), LARGE)).toBe(0);
    expect(s3.server.requests.of('CreateMultipartUpload')).toHaveLength(1);
    expect(s3.server.requests.of('UploadPart')).toHaveLength(4 + 1);
    await s3.noUploadIsLeft();
  });
});

test('a file of many parts is uploaded even if one part in four fails', async () => {
  const logged: string[] = [];
  const replica = new Replica(await s3.connected({}, logTo(logged)), 'db');
  const bytes = pattern(12 * PART_BYTES, 3);
  for (let after = 1; after < 12; after += 4) {
    s3.server.faults.add(
      { kind: 'error', status: 503, code: 'SlowDown' },
      { on: 'UploadPart', after },
    );
  }
  await replica.writeFile(FILE, bodyOf(bytes));
  expect(s3.server.requests.of('CreateMultipartUpload')).toHaveLength(1);
  expect(s3.server.requests.of('UploadPart')).toHaveLength(12 + 3);
  expect(logged.filter((line) => line.includes('the part is sent again'))).toHaveLength(3);
  expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
});

test('a file whose upload the server has forgotten is uploaded again', async () => {
  const replica = (await s3.wrapped()).replica('db');
  s3.server.faults.add(
    { kind: 'error', status: 404, code: 'NoSuchUpload' },
    { on: 'UploadPart', after: 2 },
  );
  await replica.writeFile(FILE, bodyOf(LARGE));
  expect(s3.server.requests.of('CreateMultipartUpload')).toHaveLength(2);
  expect(Buffer.compare(await read(replica, FILE), LARGE)).toBe(0);
});

describe('a lost response', () => {
  test.each([
    ['PutObject', pattern(5_000, 1)],
    ['CompleteMultipartUpload', LARGE],
  ] as const)(
    'to %s does not make the retry conflict with its own write',
    async (operation, bytes) => {
      const replica = (await s3.wrapped()).replica('db');
      s3.server.faults.add({ kind: 'lose-answer' }, { on: operation });
      const info = await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
      expect(info.sizeBytes).toBe(bytes.byteLength);
      // The second request is refused: the name is taken, or the upload is complete and gone.
      const refused = operation === 'PutObject' ? 412 : 404;
      expect(s3.server.requests.of(operation).map(({ status }) => status)).toEqual([0, refused]);
      expect(s3.server.requests.of('UploadPart').length).toBeLessThanOrEqual(4);
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      await s3.noUploadIsLeft();
    },
  );

  test('to DeleteObjects is retried', async () => {
    const replica = (await s3.wrapped()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    s3.server.faults.add({ kind: 'lose-answer' }, { on: 'DeleteObjects' });
    await replica.deleteFiles([FILE]);
    expect(s3.server.raw.keys()).toEqual([]);
  });
});

test('an Error element with status 200 is an error', async () => {
  const replica = new Replica(await s3.connected(), 'db');
  const completing = s3.server.faults.add(
    { kind: 'error-in-200', code: 'InternalError' },
    { on: 'CompleteMultipartUpload' },
  );
  await replica.writeFile(FILE, bodyOf(LARGE));
  expect(completing.hits).toBe(1);
  expect(s3.server.requests.of('CompleteMultipartUpload')).toHaveLength(2);
  expect(s3.server.requests.of('UploadPart')).toHaveLength(4);
  s3.server.faults.add(
    { kind: 'error-in-200', code: 'AccessDenied' },
    { on: 'CompleteMultipartUpload' },
  );
  const error = await rejectionOf(replica.writeFile(FILE, bodyOf(LARGE)));
  expect(isError(error, 'REPLICA_PERMISSION_DENIED')).toBe(true);
  await s3.noUploadIsLeft();
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  s3.server.faults.add({ kind: 'error-in-200', code: 'SlowDown' }, { on: 'CopyObject' });
  const copying = copyFile(replica, FILE, ref(0, 2));
  expect(isError(await rejectionOf(copying), 'REPLICA_RATE_LIMITED')).toBe(true);
});

describe('an interrupted read', () => {
  test.each(['cut-response', 'stall-response'] as const)(
    'by %s resumes at the same byte of the same version',
    async (kind) => {
      const bytes = pattern(3_000_000, 1);
      const replica = (await s3.wrapped()).replica('db');
      await replica.writeFile(FILE, bodyOf(bytes));
      s3.server.faults.add({ kind, afterBytes: 1_000_000 }, { on: 'GetObject' });
      s3.server.faults.add({ kind, afterBytes: 700_000 }, { on: 'GetObject' });
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      const [first, second, third] = s3.server.requests.of('GetObject');
      expect(first?.headers.range).toBeUndefined();
      expect(second?.headers.range).toMatch(/^bytes=[1-9]\d*-/);
      expect(second?.headers['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
      expect(third?.headers['if-match']).toBe(second?.headers['if-match']);
    },
  );

  test('without retries fails with REPLICA_UNAVAILABLE', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(900_000, 1)));
    s3.server.faults.add({ kind: 'cut-response', afterBytes: 300_000 }, { on: 'GetObject' });
    const error = await rejectionOf(read(replica, FILE));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    expect(error.message).toContain('/0000000000000001-0000000000000001.ltx at s3://');
  });
});

test('a 503 with Retry-After becomes REPLICA_RATE_LIMITED with that delay', async () => {
  const replica = new Replica(await s3.connected(), 'db');
  const headers = { 'retry-after': '3' };
  s3.server.faults.add({ kind: 'error', status: 503, code: 'SlowDown', headers });
  const error = await rejectionOf(replica.openFile(FILE));
  expect(error).toMatchObject({ code: 'REPLICA_RATE_LIMITED', retryAfterMs: 3_000, status: 503 });
});

describeWith(
  ['versitygw'],
  'versitygw, which publishes interrupted uploads without a checksum,',
  () => {
    const bytes = pattern(900_000, 1);

    test('publishes none of our interrupted uploads', async () => {
      const gateway = await startVersitygw();
      onTestFinished(() => gateway.stop());
      const proxy = await startCuttingProxy(gateway.endpoint);
      onTestFinished(() => proxy.stop());
      for (const more of [{}, { 'sign-payload': false }]) {
        const destination = await connectS3({ ...gateway, endpoint: proxy.endpoint }, more);
        proxy.cutNextAfter(500_000);
        const error = await rejectionOf(
          new Replica(destination, 'db').writeFile(FILE, bodyOf(bytes)),
        );
        expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
        await destination.close();
      }
      // Control: an upload without a checksum is published. So the proxy does cut, and the gateway has
      // processed the earlier uploads.
      proxy.cutNextAfter(500_000);
      await rejectionOf(
        putWithoutChecksum({ ...gateway, endpoint: proxy.endpoint }, 'control', bytes),
      );
      await until(
        'a truncated object is there',
        async () => (await rawKeys(gateway, '')).length > 0,
      );
      expect(proxy.cuts).toBe(3);
      expect(await rawKeys(gateway, '')).toEqual(['control']);
    });
  },
);
