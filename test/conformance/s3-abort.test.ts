/** Aborts in the S3 backend, and the memory and parts of its uploads. */

import { isError, readBytes } from '@sluice/core/backend';
import { keyOf, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { PART_BYTES, rejectionOf, useS3 } from '../servers/s3-fixture.ts';
import type { FaultKind } from '../servers/s3/index.ts';
import { bodyOf, pattern, ref } from './context.ts';

const s3 = useS3();
const FILE = ref(0, 1);
const KEY = keyOf('levels', 'db', FILE);
const LARGE = pattern(3 * PART_BYTES + 10, 1);

describe('an abort', () => {
  const reason = new Error('aborted by the test');
  /** The contract allows a second (rule 3). A busy machine may be late. */
  const ABORT_MS_MAX = 1_500;

  /** Aborts when the fault acts, and expects the call to reject with the reason soon. */
  async function abortWhen(
    acted: Promise<void>,
    call: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    const controller = new AbortController();
    let since = 0;
    const aborting = acted.then(() => {
      since = performance.now();
      controller.abort(reason);
    });
    expect(await rejectionOf(call(controller.signal))).toBe(reason);
    await aborting;
    expect(performance.now() - since).toBeLessThan(ABORT_MS_MAX);
  }

  test('of an upload whose creation is answered late leaves no upload', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const held = s3.server.faults.add({ kind: 'hold-answer' }, { on: 'CreateMultipartUpload' });
    await abortWhen(held.acted, (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }));
    expect(s3.server.raw.uploads()).toHaveLength(1);
    held.release();
    await s3.noUploadIsLeft();
  });

  test('of an upload whose part hangs leaves no parts', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const stalled = s3.server.faults.add(
      { kind: 'stall-request', afterBytes: 1_000_000 },
      { on: 'UploadPart', after: 1, times: 9 },
    );
    await abortWhen(stalled.acted, (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }));
    await s3.noUploadIsLeft();
    expect(s3.server.raw.keys()).toEqual([]);
  });

  test('waits for a write that the server may already have, so that it cannot take effect later', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const put = s3.server.faults.add({ kind: 'hold-request' }, { on: 'PutObject' });
    const bytes = pattern(5_000, 1);
    const controller = new AbortController();
    const writing = rejectionOf(
      replica.writeFile(FILE, bodyOf(bytes), { signal: controller.signal }),
    );
    await put.acted;
    controller.abort(reason);
    put.release();
    expect(await writing).toBe(reason);
    expect(s3.server.raw.keys()).toEqual([KEY]); // final when the call returns
  });

  test('does not wait for a write that hangs', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    for (const operation of ['PutObject', 'CompleteMultipartUpload', 'DeleteObject'] as const) {
      const hung = s3.server.faults.add({ kind: 'hold-request' }, { on: operation });
      await abortWhen(hung.acted, async (signal) => {
        if (operation === 'DeleteObject') await replica.deleteFiles([FILE], { signal });
        else {
          const bytes = operation === 'PutObject' ? pattern(9, 1) : LARGE;
          await replica.writeFile(FILE, bodyOf(bytes), { signal });
        }
      });
    }
    await s3.noUploadIsLeft();
    expect(s3.server.raw.keys()).toEqual([]);
  });

  test('of a read closes its connection, also before the first byte is read', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    // More than the buffers of both ends, so the server is still sending.
    await replica.writeFile(FILE, bodyOf(pattern(24_000_000, 1)));
    const controller = new AbortController();
    const { signal } = controller;
    const opened = await Promise.all([1, 2, 3].map(() => replica.openFile(FILE, { signal })));
    controller.abort(reason);
    const [first] = opened; // the others are never read
    expect(await rejectionOf(readBytes(first!.body, 9e9))).toBe(reason);
    await s3.server.requests.until((log) =>
      log.of('GetObject').every(({ status }) => status === 0),
    );
  });
});

describe('a new upload, while the parts of a failed upload of its key are being removed', () => {
  const gone = new Error('the disk of the source is gone');
  const failing = {
    ...bodyOf(LARGE),
    async *open(): AsyncGenerator<Uint8Array, void, undefined> {
      yield LARGE.subarray(0, 9);
      throw gone;
    },
  };

  test('waits, because a server may remove the folder of both', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const held = s3.server.faults.add({ kind: 'hold-request' }, { on: 'AbortMultipartUpload' });
    expect(await rejectionOf(replica.writeFile(FILE, failing))).toBe(gone);
    await held.acted;
    const writing = replica.writeFile(FILE, bodyOf(LARGE));
    // An upload of another key does not wait.
    await replica.writeFile(ref(0, 2), bodyOf(LARGE));
    expect(s3.server.requests.of('CreateMultipartUpload')).toHaveLength(2);
    held.release();
    await writing;
    expect(s3.server.raw.uploads()).toEqual([]);
  });

  test('does not wait forever', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const hung = s3.server.faults.add({ kind: 'hold-request' }, { on: 'AbortMultipartUpload' });
    expect(await rejectionOf(replica.writeFile(FILE, failing))).toBe(gone);
    await hung.acted;
    await replica.writeFile(FILE, bodyOf(LARGE));
    expect(s3.server.raw.keys()).toEqual([KEY]);
    hung.release();
  });

  test('stops waiting when it is aborted', async () => {
    const replica = new Replica(await s3.connected(), 'db');
    const hung = s3.server.faults.add({ kind: 'hold-request' }, { on: 'AbortMultipartUpload' });
    expect(await rejectionOf(replica.writeFile(FILE, failing))).toBe(gone);
    await hung.acted;
    const controller = new AbortController();
    const { signal } = controller;
    const writing = rejectionOf(replica.writeFile(FILE, bodyOf(LARGE), { signal }));
    const reason = new Error('aborted by the test');
    controller.abort(reason);
    expect(await writing).toBe(reason);
    expect(s3.server.requests.of('CreateMultipartUpload')).toHaveLength(1);
    hung.release();
  });
});

test('memory for parts is bounded, whatever the number and speed of uploads', async () => {
  const destination = await s3.connected({ concurrency: 3 });
  const stalled = s3.server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 99 });
  let readBytes = 0;
  const counted = bodyOf(pattern(4 * PART_BYTES, 1));
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
  await s3.server.requests.until((log) => log.of('UploadPart').length === 3);
  expect(readBytes).toBeLessThanOrEqual(3 * PART_BYTES + 4 * 65_536);
  stalled.release();
  s3.server.faults.clear();
  await writing;
  expect(readBytes).toBe(16 * PART_BYTES);
});

describe('close', () => {
  test('removes the parts of an aborted upload before it resolves', async () => {
    const destination = await s3.connected();
    s3.server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 9 });
    const writing = rejectionOf(new Replica(destination, 'db').writeFile(FILE, bodyOf(LARGE)));
    await s3.server.requests.until((log) => log.of('UploadPart').length > 0);
    await destination.close();
    expect(isError(await writing, 'REPLICA_CLOSED')).toBe(true);
    expect(s3.server.raw.uploads()).toEqual([]);
  });

  test('waits for an upload whose creation is answered late, and removes it', async () => {
    const destination = await s3.connected();
    const held = s3.server.faults.add({ kind: 'hold-answer' }, { on: 'CreateMultipartUpload' });
    const writing = rejectionOf(new Replica(destination, 'db').writeFile(FILE, bodyOf(LARGE)));
    await held.acted;
    const closing = destination.close();
    expect(isError(await writing, 'REPLICA_CLOSED')).toBe(true);
    expect(s3.server.raw.uploads()).toHaveLength(1);
    held.release();
    await closing;
    expect(s3.server.raw.uploads()).toEqual([]);
  });

  test('logs a warning about parts that could not be removed', async () => {
    const warnings: string[] = [];
    const silent = (): void => undefined;
    const warn = (message: string): void => void warnings.push(message);
    const destination = await s3.connected(
      {},
      { debug: silent, info: silent, warn, error: silent },
    );
    const denied: FaultKind = { kind: 'error', status: 403, code: 'AccessDenied' };
    const down: FaultKind = { kind: 'error', status: 500, code: 'InternalError' };
    s3.server.faults.add(denied, { on: 'UploadPart', times: 9 });
    s3.server.faults.add(down, { on: 'AbortMultipartUpload', times: 9 });
    await rejectionOf(new Replica(destination, 'db').writeFile(FILE, bodyOf(LARGE)));
    await destination.close();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('the parts of the upload could not be removed');
  });
});
