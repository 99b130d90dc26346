/**
 * Responses that do not come from a bucket: a login page, a proxy, the port of a console. Such a response
 * never counts as success, as an empty listing, or as "not found".
 */

import { isError, type ReplicaClient } from '@sluice/core/backend';
import { type NamedObjects, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, useAzure } from '../servers/azure-fixture.ts';
import type { Operation as AzureOperation } from '../servers/azure-proxy.ts';
import { PART_BYTES as GCS_PART_BYTES, useGCS } from '../servers/gcs-fixture.ts';
import type { Operation as GCSOperation } from '../servers/gcs/index.ts';
import { PART_BYTES as S3_PART_BYTES, rejectionOf, useS3 } from '../servers/s3-fixture.ts';
import type { Operation as S3Operation } from '../servers/s3/index.ts';
import { describeWith } from '../support/require.ts';
import { bodyOf, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

interface ForeignAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text: string;
}

function answer(status: number, text: string, headers = {}): ForeignAnswer {
  return { kind: 'answer', status, text, headers };
}

const PAGE = '<!doctype html><html><head><title>Please sign in</title></head><body></body></html>';
const HTML = { 'content-type': 'text/html; charset=utf-8' };
const LOGIN = { ...HTML, location: 'https://login.example.com/?from=backup' };

/** Responses that such a server sends to any request. */
const ANSWERS: Readonly<Record<string, ForeignAnswer>> = {
  'a web page': answer(200, PAGE, HTML),
  'a web page with an ETag': answer(200, PAGE, { ...HTML, etag: '"5f"' }),
  'an empty body': answer(200, ''),
  'another JSON': answer(200, '{"status":"ok"}', { 'content-type': 'application/json' }),
  'another XML': answer(200, '<?xml version="1.0"?><feed><id>1</id></feed>', {
    'content-type': 'application/xml',
  }),
  'a redirect to a login': answer(302, PAGE, LOGIN),
  'a permanent redirect': answer(308, PAGE, LOGIN),
  '"not found" as a web page': answer(404, PAGE, HTML),
};

type Step =
  | 'list'
  | 'open'
  | 'write'
  | 'begin-upload'
  | 'delete'
  | 'delete-many'
  | 'copy'
  | 'list-objects'
  | 'get-object'
  | 'put-object'
  | 'delete-object';
type Resent = 'part' | 'complete';

interface Kind {
  readonly partBytes: number;
  connected(): Promise<ReplicaClient>;
  /** Sends a foreign response to the next request of a step. */
  fault(step: Step | Resent, kind: ForeignAnswer): void;
  /** Steps that need no request with this backend. */
  readonly without: ReadonlySet<Step>;
}

const FILE = ref(0, 1);
const OBJECT = 'lock.json';
const SMALL = pattern(5_000, 1);

function objectsOf(destination: ReplicaClient): NamedObjects {
  const objects = new Replica(destination, 'db').objects;
  if (objects === undefined) throw new Error('it has no named objects');
  return objects;
}

async function take(step: Step, destination: ReplicaClient, partBytes: number): Promise<unknown> {
  const replica = new Replica(destination, 'db');
  const objects = objectsOf(destination);
  switch (step) {
    case 'list':
      return await list(replica, 'all');
    case 'open':
      return await read(replica, FILE);
    case 'write':
      return await replica.writeFile(ref(0, 2), bodyOf(SMALL));
    case 'begin-upload':
      return await replica.writeFile(ref(0, 2), bodyOf(pattern(2 * partBytes, 1)));
    case 'delete':
      return await replica.deleteFiles([FILE]);
    case 'delete-many':
      return await replica.deleteFiles([FILE, ref(0, 2)]);
    case 'copy':
      return await copyFile(replica, FILE, ref(1, 1));
    case 'list-objects':
      return await Array.fromAsync(objects.list(''));
    case 'get-object':
      return await Array.fromAsync((await objects.get(OBJECT)).body);
    case 'put-object':
      return await objects.put(OBJECT, SMALL);
    case 'delete-object':
      return await objects.delete(OBJECT);
  }
}

const STEPS = [
  'list',
  'open',
  'write',
  'begin-upload',
  'delete',
  'delete-many',
  'copy',
  'list-objects',
  'get-object',
  'put-object',
  'delete-object',
] as const satisfies readonly Step[];

function promises(kind: Kind): void {
  const steps = STEPS.filter((step) => !kind.without.has(step));

  describe.each(Object.entries(ANSWERS))('%s', (_, foreign) => {
    test.each(steps)('in response to %s fails as retryable', async (step) => {
      const destination = await kind.connected();
      await new Replica(destination, 'db').writeFile(FILE, bodyOf(SMALL));
      await objectsOf(destination).put(OBJECT, SMALL);
      kind.fault(step, foreign);
      const error = await rejectionOf(take(step, destination, kind.partBytes));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
      // Everything is still there.
      expect(await list(new Replica(destination, 'db'), 0)).toHaveLength(1);
      expect(await Array.fromAsync(objectsOf(destination).list(''))).toHaveLength(1);
    });
  });

  describe.each(['part', 'complete'] as const)('in response to a %s of an upload', (step) => {
    test.each(['a web page', 'an empty body', 'a permanent redirect'])(
      '%s is retried',
      async (name) => {
        const replica = new Replica(await kind.connected(), 'db');
        const bytes = pattern(2 * kind.partBytes + 10, 1);
        kind.fault(step, ANSWERS[name] as ForeignAnswer);
        await replica.writeFile(FILE, bodyOf(bytes));
        expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      },
    );
  });
}

describe('s3', () => {
  const s3 = useS3();
  const operations: Readonly<Record<Step | Resent, S3Operation>> = {
    list: 'ListObjectsV2',
    open: 'GetObject',
    write: 'PutObject',
    'begin-upload': 'CreateMultipartUpload',
    part: 'UploadPart',
    complete: 'CompleteMultipartUpload',
    delete: 'DeleteObject',
    'delete-many': 'DeleteObjects',
    copy: 'CopyObject',
    'list-objects': 'ListObjectsV2',
    'get-object': 'GetObject',
    'put-object': 'PutObject',
    'delete-object': 'DeleteObject',
  };
  promises({
    partBytes: S3_PART_BYTES,
    without: new Set(),
    connected: () => s3.connected(),
    fault: (step, foreign) => void s3.server.faults.add(foreign, { on: operations[step] }),
  });

  const XML = { 'content-type': 'application/xml' };
  const listing = (inner: string): ForeignAnswer =>
    answer(200, `<?xml version="1.0"?><ListBucketResult>${inner}</ListBucketResult>`, XML);
  const whole = '<IsTruncated>false</IsTruncated>';
  const entry = '<Key>db/0000/0000000000000001-0000000000000001.ltx</Key>';
  const time = '<LastModified>2026-01-01T00:00:00.000Z</LastModified>';

  test.each([
    ['is truncated and has no continuation token', listing('<IsTruncated>true</IsTruncated>')],
    ['is an empty element', answer(200, '<ListBucketResult/>', XML)],
    ['has no IsTruncated', listing('<Name>b</Name><KeyCount>0</KeyCount>')],
    ['has an invalid IsTruncated', listing('<IsTruncated>perhaps</IsTruncated>')],
    ['ends early', answer(200, '<?xml version="1.0"?><ListBucketResult><Contents>', XML)],
    ['has an entry without size', listing(`${whole}<Contents>${entry}${time}</Contents>`)],
    ['has an entry without time', listing(`${whole}<Contents>${entry}<Size>1</Size></Contents>`)],
    [
      'has a key with another prefix',
      listing(`${whole}<Contents><Key>other/0000/x</Key>${time}<Size>1</Size></Contents>`),
    ],
  ])('a listing that %s fails as retryable', async (_, foreign) => {
    const replica = new Replica(await s3.connected(), 'db');
    s3.server.faults.add(foreign, { on: 'ListObjectsV2' });
    const error = await rejectionOf(list(replica, 'all'));
    expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
  });

  test.each(STEPS)(
    'an Error element with status 200 in response to %s is an error',
    async (step) => {
      const destination = await s3.connected();
      await new Replica(destination, 'db').writeFile(FILE, bodyOf(SMALL));
      await objectsOf(destination).put(OBJECT, SMALL);
      s3.server.faults.add({ kind: 'error-in-200', code: 'SlowDown' }, { on: operations[step] });
      const error = await rejectionOf(take(step, destination, S3_PART_BYTES));
      // The bytes of an object are not inspected; the missing ETag is the error.
      const isRead = step === 'open' || step === 'get-object';
      expect(error).toMatchObject({
        code: isRead ? 'REPLICA_UNAVAILABLE' : 'REPLICA_RATE_LIMITED',
      });
    },
  );
});

describe('gcs', () => {
  const gcs = useGCS();
  const operations: Readonly<Record<Step | Resent, GCSOperation>> = {
    list: 'list',
    open: 'media',
    write: 'put',
    'begin-upload': 'begin-upload',
    part: 'put-part',
    complete: 'put-part',
    delete: 'delete',
    'delete-many': 'delete',
    copy: 'rewrite',
    'list-objects': 'list',
    'get-object': 'media',
    'put-object': 'put',
    'delete-object': 'delete',
  };
  promises({
    partBytes: GCS_PART_BYTES,
    without: new Set(),
    connected: () => gcs.connected(),
    fault(step, foreign) {
      const after = step === 'complete' ? 2 : 0; // the last part completes the upload
      gcs.server.faults.add(foreign, { on: operations[step], after });
    },
  });

  test.each(['{}', '{"items":[]}', '{"kind":"storage#buckets"}'])(
    'a listing %s without the kind of a listing fails as retryable',
    async (text) => {
      const replica = new Replica(await gcs.connected(), 'db');
      const foreign = answer(200, text, { 'content-type': 'application/json' });
      gcs.server.faults.add(foreign, { on: 'list' });
      const error = await rejectionOf(list(replica, 'all'));
      expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
    },
  );
});

describeWith(['azurite'], 'azure', () => {
  const azure = useAzure();
  const operations: Readonly<Record<Step | Resent, AzureOperation>> = {
    list: 'ListBlobs',
    open: 'GetBlob',
    write: 'PutBlob',
    'begin-upload': 'PutBlock',
    part: 'PutBlock',
    complete: 'PutBlockList',
    delete: 'DeleteBlob',
    'delete-many': 'DeleteBlob',
    copy: 'CopyBlob',
    'list-objects': 'ListBlobs',
    'get-object': 'GetBlob',
    'put-object': 'PutBlob',
    'delete-object': 'DeleteBlob',
  };
  promises({
    partBytes: BLOCK_BYTES,
    without: new Set(['begin-upload']),
    connected: () => azure.connected(),
    fault: (step, foreign) => void azure.proxy.fault(operations[step], foreign),
  });

  test.each([
    ['is an empty element', '<EnumerationResults/>'],
    ['has no NextMarker', '<EnumerationResults><Blobs></Blobs></EnumerationResults>'],
    ['has no list of blobs', '<EnumerationResults><NextMarker></NextMarker></EnumerationResults>'],
  ])('a listing that %s fails as retryable', async (_, text) => {
    const replica = new Replica(await azure.connected(), 'db');
    const headers = { 'content-type': 'application/xml', 'x-ms-request-id': '1' };
    azure.proxy.fault('ListBlobs', answer(200, text, headers));
    const error = await rejectionOf(list(replica, 'all'));
    expect(isError(error, 'REPLICA_UNAVAILABLE'), String(error)).toBe(true);
  });
});
