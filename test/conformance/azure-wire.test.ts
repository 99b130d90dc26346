/** Requests of the Azure backend, as the server receives them. */

import { createHash } from 'node:crypto';
import { keyOf, toTXID, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { rawContainer } from '../servers/azure-access.ts';
import { BLOCK_BYTES, onlyRequest, useAzure } from '../servers/azure-fixture.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { describeWith } from '../support/require.ts';
import { bodyOf, CREATED_AT, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const FILE = ref(0, 1);
const KEY = keyOf('tree', 'db', FILE);
const MiB = 1024 * 1024;

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

describeWith(['azurite'], 'azure, on the wire', () => {
  const azure = useAzure();

  describe('a write', () => {
    test('of a small file is one Put Blob with its length and the MD5 of its bytes', async () => {
      const bytes = pattern(70_000, 1);
      const replica = new Replica(await azure.connected(), 'db');
      const info = await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
      expect(azure.proxy.requests).toHaveLength(1);
      const { headers, bodyBytes } = onlyRequest(azure.proxy, 'PutBlob');
      expect(bodyBytes).toBe(70_000);
      expect(headers['content-length']).toBe('70000');
      expect(headers['transfer-encoding']).toBeUndefined();
      expect(headers['content-md5']).toBe(md5(bytes));
      expect(headers['if-none-match']).toBe('*');
      expect(headers['x-ms-meta-litestreamtimestamp']).toBe('2023-11-14T22:13:20.123Z');
      expect(headers['x-ms-blob-content-type']).toBe('application/octet-stream');
      expect(headers['x-ms-access-tier']).toBeUndefined();
      expect(headers['user-agent']).toMatch(/^sluice /);
      expect(Math.abs(info.modifiedAt.getTime() - Date.now())).toBeLessThan(5_000);
    });

    test('without a condition sends no condition header', async () => {
      await new Replica(await azure.connected(), 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
      expect(onlyRequest(azure.proxy, 'PutBlob').headers['if-none-match']).toBeUndefined();
    });

    test('of an empty file sends Content-Length: 0', async () => {
      await new Replica(await azure.connected(), 'db').writeFile(FILE, bodyOf(pattern(0, 1)));
      expect(onlyRequest(azure.proxy, 'PutBlob').headers['content-length']).toBe('0');
    });

    test('of a large file stages blocks, each with its own MD5, and commits them', async () => {
      const bytes = pattern(2 * BLOCK_BYTES + 10, 1);
      const replica = new Replica(await azure.connected({ 'access-tier': 'Cool' }), 'db');
      await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
      const blocks = azure.proxy.of('PutBlock');
      expect(azure.proxy.requests).toHaveLength(4);
      const expected = [0, 1, 2].map((i) => bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
      const sums = new Set(blocks.map(({ headers }) => headers['content-md5']));
      expect(sums).toEqual(new Set(expected.map(md5)));
      for (const { headers, bodyBytes, query } of blocks) {
        expect(headers['content-length']).toBe(String(bodyBytes));
        expect(Buffer.from(query.get('blockid') ?? '', 'base64')).toHaveLength(64);
        expect(headers['x-ms-meta-litestreamtimestamp']).toBeUndefined();
      }
      const { headers } = onlyRequest(azure.proxy, 'PutBlockList');
      expect(headers['if-none-match']).toBe('*');
      expect(headers['x-ms-meta-litestreamtimestamp']).toBe('2023-11-14T22:13:20.123Z');
      expect(headers['x-ms-blob-content-type']).toBe('application/octet-stream');
      expect(headers['x-ms-access-tier']).toBe('Cool');
      const [listed] = await list(replica, 0);
      expect(listed?.createdAt).toEqual(CREATED_AT);
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
    });

    test('sets the configured access tier on files, but not on named objects', async () => {
      const destination = await azure.connected({ 'access-tier': 'Cold' });
      await new Replica(destination, 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
      await new Replica(destination, 'db').objects.put('lock.json', pattern(9, 2));
      const tiers = azure.proxy.of('PutBlob').map(({ headers }) => headers['x-ms-access-tier']);
      expect(tiers).toEqual(['Cold', undefined]);
    });

    test('replaces uncommitted blocks of another writer under its name', async () => {
      // All block ids of a blob must have the same length. Litestream's have 64 bytes.
      const id = Buffer.alloc(64, 7).toString('base64');
      const blob = rawContainer(azure.proxy.place).getBlockBlobClient(KEY);
      await blob.stageBlock(id, Buffer.from('left behind'), 11);
      const bytes = pattern(BLOCK_BYTES + 10, 1);
      const replica = new Replica(await azure.connected(), 'db');
      await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
    });

    test('whose bytes are corrupted in transit is refused and fails as retryable', async () => {
      const replica = new Replica(await azure.connected(), 'db');
      for (const [operation, bytes] of [
        ['PutBlob', pattern(5_000, 1)],
        ['PutBlock', pattern(2 * MiB, 1)],
      ] as const) {
        azure.proxy.fault(operation, { kind: 'change-body' }, 9);
        const error = await rejectionOf(replica.writeFile(FILE, bodyOf(bytes)));
        expect(error).toMatchObject({ code: 'REPLICA_UNAVAILABLE', status: 400 });
        expect(error.message).toContain('Md5Mismatch');
      }
      expect(await list(replica, 0)).toEqual([]);
    });
  });

  test('a listing requests the metadata and starts at the given TXID', async () => {
    const replica = new Replica(await azure.connected(), 'db');
    for (const txid of [1, 2, 3]) await replica.writeFile(ref(1, txid), bodyOf(pattern(9, 1)));
    expect(await list(replica, 1, { from: toTXID(2) })).toHaveLength(2);
    const { query } = onlyRequest(azure.proxy, 'ListBlobs');
    expect(query.get('include')).toBe('metadata');
    // Litestream puts the TXID into the prefix, which matches only that file.
    expect(query.get('prefix')).toBe('db/ltx/1/');
    expect(query.get('startFrom')).toBe('db/ltx/1/0000000000000002');
  });

  test('a file without a creation time in its metadata is listed without one', async () => {
    await rawContainer(azure.proxy.place).getBlockBlobClient(KEY).upload('x', 1);
    const [file] = await list(new Replica(await azure.connected(), 'db'), 'all');
    expect(file?.createdAt).toBeUndefined();
    expect(file?.modifiedAt).toBeInstanceOf(Date);
  });

  describe('a copy', () => {
    test('is made by the server and keeps the creation time', async () => {
      const bytes = pattern(70_000, 1);
      const replica = new Replica(await azure.connected(), 'db');
      await replica.writeFile(FILE, bodyOf(bytes));
      const info = await copyFile(replica, FILE, ref(3, 1, 9));
      expect(info).toMatchObject({ key: keyOf('tree', 'db', ref(3, 1, 9)), sizeBytes: 70_000 });
      expect(azure.proxy.of('GetBlob')).toEqual([]);
      expect(onlyRequest(azure.proxy, 'CopyBlob').bodyBytes).toBe(0);
      const [listed] = await list(replica, 3);
      expect(listed?.createdAt).toEqual(CREATED_AT);
      expect(Buffer.compare(await read(replica, ref(3, 1, 9)), bytes)).toBe(0);
    });

    test('of a missing file fails with REPLICA_NOT_FOUND', async () => {
      const replica = new Replica(await azure.connected(), 'db');
      const copying = copyFile(replica, FILE, ref(3, 1, 9));
      expect(await rejectionOf(copying)).toMatchObject({ code: 'REPLICA_NOT_FOUND' });
    });
  });
});
