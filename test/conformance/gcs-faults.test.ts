/** The Google Cloud Storage backend with network faults, server faults and aborted calls. */

import { isError } from '@sluice/core/backend';
import { keyOf, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { PART_BYTES, useGCS } from '../servers/gcs-fixture.ts';
import type { FaultKind } from '../servers/gcs/index.ts';
import { rejectionOf } from '../servers/s3-fixture.ts';
import { logTo } from '../support/log-to.ts';
import { bodyOf, bodyWithAction, readIfPresent, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const gcs = useGCS();
const FILE = ref(0, 1);
const KEY = keyOf('tree', 'db', FILE);
const LARGE = pattern(3 * PART_BYTES + 10, 1);
const UNAVAILABLE: FaultKind = { kind: 'error', status: 503 };

async function expectComplete(): Promise<void> {
  const replica = new Replica(await gcs.connected(), 'db');
  expect(Buffer.compare(await read(replica, FILE), LARGE)).toBe(0);
}

describe('a write in a single request', () => {
  test('whose connection is cut keeps the old file and fails as retryable', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const old = pattern(1_000, 9);
    for (const before of ['none', old] as const) {
      if (before !== 'none') await replica.writeFile(FILE, bodyOf(before));
      gcs.server.faults.add({ kind: 'cut-request', afterBytes: 50_000 }, { on: 'put' });
      const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(200_000, 2))));
      expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
      expect(await readIfPresent(replica, FILE)).toEqual(
        before === 'none' ? 'none' : Buffer.from(before),
      );
    }
  });

  test('whose bytes are corrupted in transit creates no object and is retried', async () => {
    const replica = (await gcs.wrapped()).replica('db');
    gcs.server.faults.add({ kind: 'corrupt' }, { on: 'put' });
    await replica.writeFile(FILE, bodyOf(pattern(5_000, 1)));
    gcs.server.faults.add({ kind: 'corrupt' }, { on: 'put-part', after: 1 });
    await replica.writeFile(ref(9, 1), bodyOf(LARGE));
    expect(gcs.statuses('put')).toEqual([400, 200]);
    expect(gcs.server.requestsOf('begin-upload')).toHaveLength(2);
    expect(Buffer.compare(await read(replica, ref(9, 1)), LARGE)).toBe(0);
  });

  test('fails if the server reports another size', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const text = JSON.stringify({ size: '4999', generation: '1' });
    gcs.server.faults.add({ kind: 'page', text }, { on: 'put' });
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(5_000, 1))));
    expect(error).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
    expect(error.message).toContain('4999');
  });

  test('of a named object on a version succeeds even if its response is lost', async () => {
    const objects = (await gcs.wrapped()).replica('db').objects;
    const { version } = await objects.put('lock.json', pattern(10, 1));
    gcs.server.faults.add({ kind: 'lose-answer' }, { on: 'put' });
    const put = await objects.put('lock.json', pattern(10, 2), {
      condition: { version: version ?? '' },
    });
    expect(put?.version).not.toBe(version);
    expect(gcs.statuses('put')).toEqual([200, 0, 412]);
  });
});

describe('a resumable upload', () => {
  /** The first part, one in the middle, and the last. */
  const eachPart = [0, 1, 3];

  test.each(eachPart)('resumes where part %i was cut, without resending bytes', async (after) => {
    const replica = new Replica(await gcs.connected(), 'db');
    gcs.server.faults.add({ kind: 'cut-request', afterBytes: 5 }, { on: 'put-part', after });
    await replica.writeFile(FILE, bodyOf(LARGE), { condition: 'if-absent' });
    expect(gcs.server.requestsOf('ask-upload')).toHaveLength(1);
    const sent = gcs.server.requestsOf('put-part').reduce((sum, each) => sum + each.bodyBytes, 0);
    expect(sent).toBe(LARGE.byteLength + 5); // five bytes are less than the server's granularity
    await expectComplete();
  });

  test.each(eachPart)(
    'queries its state if the response to part %i is lost, without resending bytes',
    async (after) => {
      const replica = new Replica(await gcs.connected(), 'db');
      gcs.server.faults.add({ kind: 'lose-answer' }, { on: 'put-part', after });
      await replica.writeFile(FILE, bodyOf(LARGE), { condition: 'if-absent' });
      const sent = gcs.server.requestsOf('put-part').reduce((sum, each) => sum + each.bodyBytes, 0);
      expect(sent).toBe(LARGE.byteLength);
      await expectComplete();
    },
  );

  test('resumes from the last byte that the server kept', async () => {
    const replica = new Replica(await gcs.connected({ 'part-size': 2 * PART_BYTES }), 'db');
    gcs.server.faults.add({ kind: 'keep-less', bytes: PART_BYTES }, { on: 'put-part' });
    await replica.writeFile(FILE, bodyOf(LARGE));
    expect(gcs.server.requestsOf('ask-upload')).toHaveLength(0);
    await expectComplete();
  });

  test('queries its state again if all bytes are there but the object is not', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    gcs.server.faults.add({ kind: 'not-yet' }, { on: 'put-part', after: 3 });
    await replica.writeFile(FILE, bodyOf(LARGE));
    expect(gcs.statuses('put-part')).toEqual([308, 308, 308, 308]);
    expect(gcs.statuses('ask-upload')).toEqual([200]);
    await expectComplete();
  });

  test.each([429, 500, 503])(
    'retries after a %i, waits for Retry-After, and logs that',
    async (status) => {
      const logged: string[] = [];
      const logger = logTo(logged);
      const replica = new Replica(await gcs.connected({}, logger), 'db');
      const headers = { 'retry-after': '1' };
      gcs.server.faults.add({ kind: 'error', status, headers }, { on: 'put-part', after: 1 });
      const since = performance.now();
      await replica.writeFile(FILE, bodyOf(LARGE));
      expect(performance.now() - since).toBeGreaterThan(990);
      expect(logged.join()).toMatch(/write .*ltx\/0\/.*; the part is sent again in 1000 ms/);
      await expectComplete();
    },
  );

  test('fails after five retries of a part and leaves no upload', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    gcs.server.faults.add(UNAVAILABLE, { on: 'put-part', after: 1, times: 99 });
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(LARGE)));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    expect(gcs.server.requestsOf('put-part')).toHaveLength(1 + 5);
    await gcs.server.until(() => gcs.server.uploads.open === 0);
    expect(gcs.server.raw.keys()).toEqual([]);
  });

  test.each(['forgetAll', 'forgetBytes'] as const)(
    'is restarted by core after the server did %s',
    async (forget) => {
      const replica = (await gcs.wrapped()).replica('db');
      const lost = gcs.server.faults.add({ kind: 'hold-request' }, { on: 'put-part', after: 2 });
      const writing = replica.writeFile(FILE, bodyOf(LARGE));
      await lost.acted;
      gcs.server.uploads[forget]();
      lost.release();
      await writing;
      expect(gcs.server.requestsOf('begin-upload')).toHaveLength(2);
      expect(gcs.server.requestsOf('ask-upload')).toEqual([]); // a query would return the same
      await expectComplete();
    },
  );

  test('is a conflict if another writer created the file meanwhile', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const put = gcs.server.faults.add({ kind: 'hold-request' }, { on: 'put-part', after: 3 });
    const writing = replica.writeFile(FILE, bodyOf(LARGE), { condition: 'if-absent' });
    const rejection = rejectionOf(writing);
    await put.acted;
    gcs.server.raw.put(KEY, pattern(9, 9));
    put.release();
    expect(await rejection).toMatchObject({ code: 'REPLICA_CONFLICT', status: 412 });
    expect(gcs.server.raw.get(KEY)?.bytes).toHaveLength(9);
  });

  test('waits for memory while four other uploads use it', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const held = gcs.server.faults.add({ kind: 'hold-request' }, { on: 'put-part', times: 4 });
    let read = 0;
    const body = {
      ...bodyOf(LARGE),
      async *open() {
        read += 1;
        yield* bodyOf(LARGE).open();
      },
    };
    const writing = Array.from({ length: 6 }, (_, index) =>
      replica.writeFile(ref(9, 1, index + 1), body),
    );
    await gcs.server.until(() => gcs.server.requestsOf('put-part').length === 4);
    expect(read).toBe(4);
    held.release();
    await Promise.all(writing);
    expect(gcs.server.raw.keys()).toHaveLength(6);
  });

  test('does not delay a file that is sent in a single request', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const held = gcs.server.faults.add({ kind: 'hold-request' }, { on: 'put-part', times: 4 });
    const writing = Array.from({ length: 5 }, (_, index) =>
      replica.writeFile(ref(9, 1, index + 1), bodyOf(LARGE)),
    );
    await gcs.server.until(() => gcs.server.requestsOf('put-part').length === 4);
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES, 1)));
    expect(gcs.server.requestsOf('put-part')).toHaveLength(4); // no upload was restarted
    held.release();
    await Promise.all(writing);
    expect(gcs.server.raw.keys()).toHaveLength(6);
  });

  test('whose source fails or is aborted creates no object and is cancelled', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const failure = new Error('the disk is gone');
    const failing = bodyWithAction(LARGE, 11, () => {
      throw failure;
    });
    expect(await rejectionOf(replica.writeFile(FILE, failing))).toBe(failure);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = bodyWithAction(LARGE, 11, () => controller.abort(failure));
    expect(await rejectionOf(replica.writeFile(FILE, aborted, { signal }))).toBe(failure);
    expect(gcs.server.requestsOf('put-part').length).toBeGreaterThan(0);
    await gcs.server.until(() => gcs.server.uploads.open === 0);
    expect(gcs.server.raw.keys()).toEqual([]);
  });
});

describe('an abort', () => {
  const reason = new Error('aborted by the test');
  /** The contract allows a second (rule 3). A busy machine may be late. */
  const ABORT_MS_MAX = 1_500;

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

  test('does not wait for a request of any kind that hangs', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
    const calls = {
      put: (signal) => replica.writeFile(FILE, bodyOf(pattern(9, 1)), { signal }),
      'begin-upload': (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }),
      'put-part': (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }),
      media: (signal) => replica.openFile(ref(0, 2), { signal }),
      list: (signal) => Array.fromAsync(replica.listFiles('all', { signal })),
      delete: (signal) => replica.deleteFiles([ref(0, 2)], { signal }),
      rewrite: (signal) => copyFile(replica, ref(0, 2), ref(1, 2), { signal }),
    } satisfies Record<string, (signal: AbortSignal) => Promise<unknown>>;
    for (const operation of [
      'put',
      'begin-upload',
      'put-part',
      'media',
      'list',
      'delete',
      'rewrite',
    ] as const) {
      const hung = gcs.server.faults.add({ kind: 'hold-request' }, { on: operation });
      await abortWhen(hung.acted, calls[operation]);
    }
    expect(gcs.server.raw.keys()).toHaveLength(1);
  });

  test('ends a read that hangs and closes its connection', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(LARGE));
    const before = gcs.server.sockets;
    gcs.server.faults.add({ kind: 'stall-response', afterBytes: 100_000 }, { on: 'media' });
    const reading = Promise.withResolvers<void>();
    await abortWhen(reading.promise, async (signal) => {
      const { body } = await replica.openFile(FILE, { signal });
      let sizeBytes = 0;
      for await (const chunk of body) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes === 100_000) setImmediate(reading.resolve); // while waiting for the next chunk
      }
    });
    await gcs.server.until(() => gcs.server.sockets < before);
  });

  test('ends the wait before a part is resent', async () => {
    const waiting = Promise.withResolvers<void>();
    const replica = new Replica(
      await gcs.connected({}, logTo({ push: () => waiting.resolve() })),
      'db',
    );
    const headers = { 'retry-after': '9' };
    gcs.server.faults.add({ kind: 'error', status: 503, headers }, { on: 'put-part' });
    await abortWhen(waiting.promise, (signal) =>
      replica.writeFile(FILE, bodyOf(LARGE), { signal }),
    );
    await gcs.server.until(() => gcs.server.uploads.open === 0);
  });

  test('waits for a write that the server may already have, so that it cannot take effect later', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    for (const [operation, after, bytes] of [
      ['put', 0, pattern(5_000, 1)],
      ['put-part', 3, LARGE],
    ] as const) {
      await replica.deleteFiles([FILE]);
      const put = gcs.server.faults.add({ kind: 'hold-request' }, { on: operation, after });
      const controller = new AbortController();
      const { signal } = controller;
      const writing = rejectionOf(replica.writeFile(FILE, bodyOf(bytes), { signal }));
      await put.acted;
      controller.abort(reason);
      put.release();
      expect(await writing).toBe(reason);
      expect(gcs.server.raw.keys()).toEqual([KEY]); // final when the call returns
    }
  });
});

describe('other calls', () => {
  test('that fail once are retried once by core', async () => {
    const replica = (await gcs.wrapped()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    const faults = ['list', 'media', 'rewrite', 'delete'] as const;
    for (const on of faults) gcs.server.faults.add(UNAVAILABLE, { on });
    expect(await list(replica, 0)).toHaveLength(1);
    expect(await read(replica, FILE)).toHaveLength(9);
    await copyFile(replica, FILE, ref(1, 1));
    await replica.deleteFiles([FILE]);
    expect(faults.map((operation) => gcs.server.requestsOf(operation).length)).toEqual([
      2, 2, 2, 2,
    ]);
  });

  test('an interrupted read resumes at its byte', async () => {
    const replica = (await gcs.wrapped()).replica('db');
    await replica.writeFile(FILE, bodyOf(LARGE));
    gcs.server.faults.add({ kind: 'cut-response', afterBytes: 300_000 }, { on: 'media' });
    expect(Buffer.compare(await read(replica, FILE), LARGE)).toBe(0);
    const [, second] = gcs.server.requestsOf('media');
    expect(second?.headers.range).toMatch(/^bytes=\d{5,}-/);
  });

  test('an invalid listing is an error, not an empty level', async () => {
    const { endpoint } = gcs.server;
    const destination = await gcs.connected({ endpoint, bucket: 'another' });
    const listing = Array.fromAsync(new Replica(destination, 'db').listFiles(0));
    expect(await rejectionOf(listing)).toMatchObject({ code: 'REPLICA_DESTINATION_NOT_FOUND' });
    gcs.server.faults.add({ kind: 'page', text: '<html>Please sign in</html>' }, { on: 'list' });
    gcs.server.faults.add({ kind: 'page', text: '{}' }, { on: 'list' });
    const replica = new Replica(await gcs.connected(), 'db');
    expect(await rejectionOf(list(replica, 0))).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
    expect(await rejectionOf(list(replica, 0))).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  });

  test('a file that cannot be deleted is named in the error, and the others are deleted', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const files = [1, 2, 3].map((txid) => ref(0, txid));
    for (const file of files) await replica.writeFile(file, bodyOf(pattern(9, 1)));
    gcs.server.faults.add({ kind: 'error', status: 403, reason: 'forbidden' }, { on: 'delete' });
    const error = await rejectionOf(replica.deleteFiles(files));
    expect(error).toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      failures: [{ code: 'REPLICA_PERMISSION_DENIED', file: expect.stringContaining('db/ltx/0/') }],
    });
    expect(gcs.server.raw.keys()).toHaveLength(1);
  });
});
