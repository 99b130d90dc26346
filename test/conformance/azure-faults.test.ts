/** The Azure backend with network faults, server faults and aborted calls. */

import { isError, type ReplicaClient } from '@sluice/core/backend';
import { keyOf, Replica } from '@sluice/core/backend/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectAzure, rawContainer, rawKeys } from '../servers/azure-access.ts';
import { BLOCK_BYTES, onlyRequest, useAzure } from '../servers/azure-fixture.ts';
import type { FaultKind, Operation } from '../servers/azure-proxy.ts';
import { startCuttingProxy } from '../servers/cutting-proxy.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { describeWith } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { bodyOf, readIfPresent, pattern, read, ref } from './context.ts';

const FILE = ref(0, 1);
const KEY = keyOf('tree', 'db', FILE);
const LARGE = pattern(3 * BLOCK_BYTES + 10, 1);

describeWith(['azurite'], 'azure, with faults', () => {
  const azure = useAzure();

  describe('a lost response', () => {
    test.each([
      ['PutBlob', pattern(5_000, 1)],
      ['PutBlockList', LARGE],
    ] as const)(
      'to %s does not make the retry conflict with its own write',
      async (operation, bytes) => {
        const replica = (await azure.wrapped()).replica('db');
        azure.proxy.fault(operation, { kind: 'lose-answer' });
        const info = await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
        expect(info.sizeBytes).toBe(bytes.byteLength);
        expect(azure.proxy.of(operation).map(({ status }) => status)).toEqual([undefined, 409]);
        expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      },
    );

    test('to a put on a version does not make the retry conflict with its own write', async () => {
      const objects = (await azure.wrapped()).replica('db').objects;
      const first = await objects.put('lease', Buffer.from('one'), { condition: 'if-absent' });
      azure.proxy.fault('PutBlob', { kind: 'lose-answer' });
      const second = await objects.put('lease', Buffer.from('two'), {
        condition: { version: first.version ?? '' },
      });
      const found = await objects.get('lease');
      for await (const _ of found?.body ?? []) break;
      expect(found?.version).toBe(second?.version);
      expect(second?.version).not.toBe(first?.version);
    });

    test('to a delete is retried', async () => {
      const replica = (await azure.wrapped()).replica('db');
      await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
      azure.proxy.fault('DeleteBlob', { kind: 'lose-answer' });
      await replica.deleteFiles([FILE]);
      expect(await rawKeys(azure.proxy.place, '')).toEqual([]);
    });
  });

  test('a file of another writer is a conflict', async () => {
    const replica = (await azure.wrapped()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(LARGE.byteLength, 9)));
    for (const bytes of [pattern(5_000, 1), LARGE]) {
      const writing = replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
      expect(await rejectionOf(writing)).toMatchObject({ code: 'REPLICA_CONFLICT', status: 409 });
    }
  });

  describe('a write whose connection is cut', () => {
    async function throughCuts(): Promise<{
      readonly destination: ReplicaClient;
      readonly cutAfter: (bytes: number) => void;
    }> {
      const proxy = await startCuttingProxy(new URL(azure.proxy.place.endpoint).origin);
      onTestFinished(() => proxy.stop());
      const { pathname } = new URL(azure.proxy.place.endpoint);
      const place = { ...azure.proxy.place, endpoint: `${proxy.endpoint}${pathname}` };
      const destination = await connectAzure(place, { 'part-size': BLOCK_BYTES });
      onTestFinished(() => destination.close());
      return { destination, cutAfter: (bytes) => proxy.cutNextAfter(bytes) };
    }

    test('in a single request keeps the old file and fails as retryable', async () => {
      const outside = new Replica(await azure.connected(), 'db');
      const old = pattern(1_000, 9);
      for (const before of ['none', old] as const) {
        if (before !== 'none') await outside.writeFile(FILE, bodyOf(before));
        const { destination, cutAfter } = await throughCuts();
        cutAfter(300_000);
        const bytes = bodyOf(pattern(900_000, 2));
        const error = await rejectionOf(new Replica(destination, 'db').writeFile(FILE, bytes));
        expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
        expect(await readIfPresent(outside, FILE)).toEqual(
          before === 'none' ? 'none' : Buffer.from(before),
        );
      }
    });

    test('in one block resends only that block', async () => {
      const { destination, cutAfter } = await throughCuts();
      cutAfter(500_000);
      await new Replica(destination, 'db').writeFile(FILE, bodyOf(LARGE));
      expect(
        Buffer.compare(await read(new Replica(await azure.connected(), 'db'), FILE), LARGE),
      ).toBe(0);
      expect(azure.proxy.of('PutBlockList')).toHaveLength(1);
    });

    test('in the block list is committed without resending blocks', async () => {
      const replica = new Replica(await azure.connected(), 'db');
      azure.proxy.fault('PutBlockList', { kind: 'error', status: 503, code: 'ServerBusy' });
      await replica.writeFile(FILE, bodyOf(LARGE));
      expect(azure.proxy.of('PutBlockList')).toHaveLength(2);
      const blocks = Math.ceil(LARGE.byteLength / BLOCK_BYTES);
      expect(azure.proxy.of('PutBlock')).toHaveLength(blocks);
    });
  });

  describe('an interrupted read', () => {
    test('resumes at the same byte of the same version', async () => {
      const bytes = pattern(3_000_000, 1);
      const replica = (await azure.wrapped()).replica('db');
      await replica.writeFile(FILE, bodyOf(bytes));
      azure.proxy.fault('GetBlob', { kind: 'cut-response', afterBytes: 1_000_000 });
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      const [first, second, ...others] = azure.proxy.of('GetBlob');
      expect(others).toEqual([]);
      expect(first?.headers['x-ms-range']).toBeUndefined();
      expect(second?.headers['x-ms-range']).toMatch(/^bytes=[1-9]\d*-/);
      expect(second?.headers['if-match']).toMatch(/^"[^"]+"$/);
    });

    test('without retries fails with REPLICA_UNAVAILABLE', async () => {
      const replica = new Replica(await azure.connected(), 'db');
      await replica.writeFile(FILE, bodyOf(pattern(900_000, 1)));
      azure.proxy.fault('GetBlob', { kind: 'cut-response', afterBytes: 300_000 });
      const error = await rejectionOf(read(replica, FILE));
      expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
      expect(error.message).toContain('/0000000000000001-0000000000000001.ltx at abs://');
      expect(azure.proxy.of('GetBlob')).toHaveLength(1); // the SDK does not retry either
    });
  });

  test('the SDK does not retry by itself', async () => {
    const replica = new Replica(await azure.connected(), 'db');
    for (const status of [500, 503]) {
      azure.proxy.fault('PutBlob', { kind: 'error', status, code: 'Whatever' });
      await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1))));
    }
    azure.proxy.fault('PutBlob', { kind: 'lose-answer' });
    await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1))));
    expect(azure.proxy.of('PutBlob')).toHaveLength(3);
  });

  test('a 503 with Retry-After becomes REPLICA_RATE_LIMITED with that delay', async () => {
    const replica = new Replica(await azure.connected(), 'db');
    const headers = { 'retry-after': '3' };
    azure.proxy.fault('GetBlob', { kind: 'error', status: 503, code: 'ServerBusy', headers });
    const error = await rejectionOf(replica.openFile(FILE));
    expect(error).toMatchObject({ code: 'REPLICA_RATE_LIMITED', retryAfterMs: 3_000, status: 503 });
  });

  test('a file that cannot be deleted is named in the error, and the others are deleted', async () => {
    const replica = new Replica(await azure.connected(), 'db');
    const files = [1, 2, 3].map((txid) => ref(0, txid));
    for (const file of files) await replica.writeFile(file, bodyOf(pattern(9, 1)));
    const leased = rawContainer(azure.proxy.place).getBlobClient(keyOf('tree', 'db', ref(0, 2)));
    await leased.getBlobLeaseClient().acquireLease(-1);
    const error = await rejectionOf(replica.deleteFiles(files));
    expect(error).toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      failures: [{ file: 'db/ltx/0/0000000000000002-0000000000000002.ltx' }],
    });
    expect(error.message).toContain('LeaseIdMissing');
    expect(await rawKeys(azure.proxy.place, '')).toHaveLength(1);
  });

  describe('an abort', () => {
    const reason = new Error('aborted by the test');
    /** The contract allows a second (rule 3). A busy machine may be late. */
    const ABORT_MS_MAX = 1_500;
    const HELD: FaultKind = { kind: 'hold-request' };

    test.each<[Operation, Uint8Array]>([
      ['PutBlob', pattern(9, 1)],
      ['PutBlock', LARGE],
      ['PutBlockList', LARGE],
      ['DeleteBlob', pattern(9, 1)],
    ])('does not wait for a %s that hangs, and keeps the old file', async (operation, bytes) => {
      const replica = new Replica(await azure.connected(), 'db');
      const old = pattern(100, 9);
      await replica.writeFile(FILE, bodyOf(old));
      const fault = azure.proxy.fault(operation, HELD, 9);
      const controller = new AbortController();
      const { signal } = controller;
      const ended = rejectionOf(
        operation === 'DeleteBlob'
          ? replica.deleteFiles([FILE], { signal })
          : replica.writeFile(FILE, bodyOf(bytes), { signal }),
      );
      await fault.acted;
      const since = performance.now();
      controller.abort(reason);
      expect(await ended).toBe(reason);
      expect(performance.now() - since).toBeLessThan(ABORT_MS_MAX);
      expect(await readIfPresent(replica, FILE)).toEqual(Buffer.from(old));
    });

    test('waits for a write that the server may already have, so that it cannot take effect later', async () => {
      const replica = new Replica(await azure.connected(), 'db');
      const put = azure.proxy.fault('PutBlob', HELD);
      const controller = new AbortController();
      const { signal } = controller;
      const writing = rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1)), { signal }));
      await put.acted;
      controller.abort(reason);
      put.release();
      expect(await writing).toBe(reason);
      expect(await rawKeys(azure.proxy.place, '')).toEqual([KEY]); // final when the call returns
      expect(onlyRequest(azure.proxy, 'PutBlob').status).toBe(201); // the response was received
    });

    test('of a read closes its connection, also before the first byte is read', async () => {
      const destination = await azure.connected();
      const replica = new Replica(destination, 'db');
      // More than the buffers of both ends, so the server is still sending.
      await replica.writeFile(FILE, bodyOf(pattern(24_000_000, 1)));
      const controller = new AbortController();
      const { signal } = controller;
      const opened = await Promise.all([1, 2, 3].map(() => replica.openFile(FILE, { signal })));
      const before = azure.proxy.sockets.now;
      controller.abort(reason);
      const [first] = opened; // the others are never read
      const reading = Array.fromAsync(first!.body);
      expect(await rejectionOf(reading)).toBe(reason);
      await until('three connections are closed', () => azure.proxy.sockets.now <= before - 3);
      expect(await readIfPresent(replica, ref(0, 2))).toBe('none'); // later calls still work
    });
  });

  test('memory for blocks is bounded, whatever the number and speed of uploads', async () => {
    const destination = await azure.connected({ concurrency: 3 });
    const stalled = azure.proxy.fault('PutBlock', { kind: 'hold-request' }, 3);
    let readBytes = 0;
    const counted = bodyOf(pattern(4 * BLOCK_BYTES, 1));
    const body = {
      ...counted,
      async *open() {
        for await (const chunk of counted.open()) {
          readBytes += chunk.byteLength;
          yield chunk;
        }
      },
    };
    const writing = Promise.all(
      [1, 2, 3, 4].map((txid) => new Replica(destination, 'db').writeFile(ref(0, txid), body)),
    );
    await until('three blocks are in flight', () => azure.proxy.of('PutBlock').length === 3);
    expect(readBytes).toBeLessThanOrEqual(3 * BLOCK_BYTES + 4 * 65_536);
    stalled.release();
    await writing;
    expect(readBytes).toBe(16 * BLOCK_BYTES);
  });

  test('close ends a call that hangs and closes its sockets', async () => {
    const destination = await azure.connected();
    const fault = azure.proxy.fault('PutBlockList', { kind: 'hold-request' });
    const writing = rejectionOf(new Replica(destination, 'db').writeFile(FILE, bodyOf(LARGE)));
    await fault.acted;
    await destination.close();
    expect(isError(await writing, 'REPLICA_CLOSED')).toBe(true);
    await until('all sockets are closed', () => azure.proxy.sockets.now === 0);
    expect(onlyRequest(azure.proxy, 'PutBlockList').status).toBeUndefined();
  });
});
