/** The S3 backend when things go wrong: on the network, at the server, and in what it was told. */

import { inspect } from 'node:util';
import { wrapDestination } from '@sluice/core';
import { isError, keyOf, readBytes, type Destination, type Logger } from '@sluice/core/backend';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startCuttingProxy } from '../servers/cutting-proxy.ts';
import { connectS3, putWithoutChecksum, rawKeys } from '../servers/s3-access.ts';
import { start, type FaultKind, type RunningS3 } from '../servers/s3/index.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { describeWith } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { bodyOf, bodyThat, held, pattern, read, ref } from './context.ts';

const PART_BYTES = 5 * 1024 * 1024;
const FILE = ref(0, 1);
const KEY = keyOf('hex-level', 'db', FILE);
const LARGE = pattern(3 * PART_BYTES + 10, 1);
const RESET: FaultKind = { kind: 'cut-request', afterBytes: 100_000 };

let server: RunningS3;
beforeEach(async () => {
  server = await start();
});
afterEach(() => server.stop());

async function connected(
  more: Record<string, unknown> = {},
  logger?: Logger,
): Promise<Destination> {
  const input = { 'part-size': PART_BYTES, ...more };
  const destination = await connectS3(server, input, logger === undefined ? {} : { logger });
  onTestFinished(() => destination.close());
  return destination;
}

/** As the engine uses it, in a hurry. */
async function wrapped(): Promise<Destination> {
  return wrapDestination(await connected(), {
    stallMs: 300,
    random: () => 0,
    clock: {
      now: () => Date.now(),
      after: (ms, ring) => {
        const timer = setTimeout(ring, Math.min(ms, 300));
        return () => clearTimeout(timer);
      },
    },
  });
}

async function noUploadIsLeft(): Promise<void> {
  await server.requests.until(() => server.raw.uploads().length === 0);
}

async function rejectionOf(work: Promise<unknown>): Promise<Error> {
  return await work.then(
    () => {
      throw new Error('it was done');
    },
    (error: Error) => error,
  );
}

describe('a write whose connection is cut', () => {
  test('leaves what was there, and is worth another try', async () => {
    const replica = (await connected()).replica('db');
    const old = pattern(1_000, 9);
    for (const before of ['none', old] as const) {
      if (before !== 'none') await replica.writeFile(FILE, bodyOf(before));
      server.faults.add(RESET, { on: 'PutObject' });
      const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(900_000, 2))));
      expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
      expect(await held(replica, FILE)).toEqual(before === 'none' ? 'none' : Buffer.from(before));
    }
  });

  test('in a part leaves no parts behind', async () => {
    const replica = (await connected()).replica('db');
    server.faults.add(RESET, { on: 'UploadPart', after: 1 });
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(LARGE)));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    await noUploadIsLeft();
    expect(server.raw.keys()).toEqual([]);
  });

  test('succeeds when it is tried again', async () => {
    const replica = (await wrapped()).replica('db');
    server.faults.add(RESET, { on: 'UploadPart', after: 1 });
    await replica.writeFile(FILE, bodyOf(LARGE));
    expect(Buffer.compare(await read(replica, FILE), LARGE)).toBe(0);
    await noUploadIsLeft();
  });
});

describe('an answer that is lost', () => {
  test.each([
    ['PutObject', pattern(5_000, 1)],
    ['CompleteMultipartUpload', LARGE],
  ] as const)('of %s is no conflict with itself', async (operation, bytes) => {
    const replica = (await wrapped()).replica('db');
    server.faults.add({ kind: 'lose-answer' }, { on: operation });
    const info = await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
    expect(info.sizeBytes).toBe(bytes.byteLength);
    expect(server.requests.of(operation).map(({ status }) => status)).toEqual([0, 412]);
    expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
    await noUploadIsLeft();
  });

  test('of DeleteObjects is asked for again', async () => {
    const replica = (await wrapped()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    server.faults.add({ kind: 'lose-answer' }, { on: 'DeleteObjects' });
    await replica.deleteFiles([FILE]);
    expect(server.raw.keys()).toEqual([]);
  });
});

test('an error after 200 OK is an error', async () => {
  const replica = (await connected()).replica('db');
  const completing = server.faults.add(
    { kind: 'error-in-200', code: 'InternalError' },
    { on: 'CompleteMultipartUpload' },
  );
  const error = await rejectionOf(replica.writeFile(FILE, bodyOf(LARGE)));
  expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
  expect(completing.hits).toBe(1);
  await noUploadIsLeft();
  await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
  server.faults.add({ kind: 'error-in-200', code: 'SlowDown' }, { on: 'CopyObject' });
  const copying = replica.copyFile?.(FILE, ref(0, 2)) ?? Promise.resolve();
  expect(isError(await rejectionOf(copying), 'REPLICA_RATE_LIMITED')).toBe(true);
});

describe('an abort', () => {
  const reason = new Error('not wanted');
  /** Rule 3 says a second; a busy machine may be late. */
  const ABORT_MS_MAX = 1_500;

  /** Aborts when the fault acts; the call ends with the reason, soon. */
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

  test('of an upload whose beginning is answered late leaves no upload behind', async () => {
    const replica = (await connected()).replica('db');
    const held = server.faults.add({ kind: 'hold-answer' }, { on: 'CreateMultipartUpload' });
    await abortWhen(held.acted, (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }));
    expect(server.raw.uploads()).toHaveLength(1);
    held.release();
    await noUploadIsLeft();
  });

  test('of an upload whose part hangs leaves no parts behind', async () => {
    const replica = (await connected()).replica('db');
    const stalled = server.faults.add(
      { kind: 'stall-request', afterBytes: 1_000_000 },
      { on: 'UploadPart', after: 1, times: 9 },
    );
    await abortWhen(stalled.acted, (signal) => replica.writeFile(FILE, bodyOf(LARGE), { signal }));
    await noUploadIsLeft();
    expect(server.raw.keys()).toEqual([]);
  });

  test('lets a write that the server may have settle, so that it does not come later', async () => {
    const replica = (await connected()).replica('db');
    const put = server.faults.add({ kind: 'hold-request' }, { on: 'PutObject' });
    const bytes = pattern(5_000, 1);
    const controller = new AbortController();
    const writing = rejectionOf(
      replica.writeFile(FILE, bodyOf(bytes), { signal: controller.signal }),
    );
    await put.acted;
    controller.abort(reason);
    put.release();
    expect(await writing).toBe(reason);
    expect(server.raw.keys()).toEqual([KEY]); // it is decided when the call returns
  });

  test('does not wait for a write that hangs', async () => {
    const replica = (await connected()).replica('db');
    for (const operation of ['PutObject', 'CompleteMultipartUpload', 'DeleteObjects'] as const) {
      const hung = server.faults.add({ kind: 'hold-request' }, { on: operation });
      await abortWhen(hung.acted, async (signal) => {
        if (operation === 'DeleteObjects') await replica.deleteFiles([FILE], { signal });
        else {
          const bytes = operation === 'PutObject' ? pattern(9, 1) : LARGE;
          await replica.writeFile(FILE, bodyOf(bytes), { signal });
        }
      });
    }
    await noUploadIsLeft();
    expect(server.raw.keys()).toEqual([]);
  });

  test('of a read frees its connection, begun or not', async () => {
    const replica = (await connected()).replica('db');
    // More than the buffers of both ends take: the server is still sending.
    await replica.writeFile(FILE, bodyOf(pattern(24_000_000, 1)));
    const controller = new AbortController();
    const { signal } = controller;
    const opened = await Promise.all([1, 2, 3].map(() => replica.openFile(FILE, { signal })));
    controller.abort(reason);
    for (const { body } of opened) expect(await rejectionOf(readBytes(body, 9e9))).toBe(reason);
    await server.requests.until((log) => log.of('GetObject').every(({ status }) => status === 0));
  });
});

describe('a read that breaks off', () => {
  test.each(['cut-response', 'stall-response'] as const)(
    'by %s goes on where it stopped, at the same version',
    async (kind) => {
      const bytes = pattern(3_000_000, 1);
      const replica = (await wrapped()).replica('db');
      await replica.writeFile(FILE, bodyOf(bytes));
      server.faults.add({ kind, afterBytes: 1_000_000 }, { on: 'GetObject' });
      server.faults.add({ kind, afterBytes: 700_000 }, { on: 'GetObject' });
      expect(Buffer.compare(await read(replica, FILE), bytes)).toBe(0);
      const [first, second, third] = server.requests.of('GetObject');
      expect(first?.headers.range).toBeUndefined();
      expect(second?.headers.range).toMatch(/^bytes=[1-9]\d*-/);
      expect(second?.headers['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
      expect(third?.headers['if-match']).toBe(second?.headers['if-match']);
    },
  );

  test('is told as what it is where nobody tries again', async () => {
    const replica = (await connected()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(900_000, 1)));
    server.faults.add({ kind: 'cut-response', afterBytes: 300_000 }, { on: 'GetObject' });
    const error = await rejectionOf(read(replica, FILE));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    expect(error.message).toContain('level 0 0000000000000001-0000000000000001.ltx at s3://');
  });
});

test('memory for parts is bounded, however many uploads there are and however slow', async () => {
  const destination = await connected({ concurrency: 3 });
  const stalled = server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 99 });
  let readBytes = 0;
  const counted = bodyThat(pattern(4 * PART_BYTES, 1), 0, () => undefined);
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
    [1, 2, 3, 4].map((txid) => destination.replica('db').writeFile(ref(0, txid), body)),
  );
  await server.requests.until((log) => log.of('UploadPart').length === 3);
  expect(readBytes).toBeLessThanOrEqual(3 * PART_BYTES + 4 * 65_536);
  stalled.release();
  server.faults.clear();
  await writing;
  expect(readBytes).toBe(16 * PART_BYTES);
});

describe('credentials', () => {
  const [good, other] = ['sluicetestsecret', 'not-the-secret-at-all'];

  test.each([
    ['a key that nobody knows', { 'access-key-id': 'nobody' }, 'REPLICA_UNAUTHENTICATED'],
    ['a wrong secret', { 'secret-access-key': other }, 'REPLICA_UNAUTHENTICATED'],
    ['a token that nobody gave', { 'session-token': 'not-the-token' }, 'REPLICA_UNAUTHENTICATED'],
  ] as const)('%s is told as such, and no secret with it', async (_, more, code) => {
    const customerKey = Buffer.alloc(32, 7).toString('base64');
    const input = { 'sse-customer-key': customerKey, 'session-token': 'a-token', ...more };
    const replica = (await connected(input)).replica('db');
    const errors = await Promise.all([
      rejectionOf(replica.openFile(FILE)),
      rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1)))),
      rejectionOf(replica.deleteFiles([FILE])),
      rejectionOf(Array.fromAsync(replica.listFiles('all'))),
    ]);
    for (const error of errors) {
      expect(isError(error, code)).toBe(true);
      const told = inspect(error, { depth: 12, showHidden: true });
      for (const secret of [good, other, 'not-the-token', 'a-token', customerKey]) {
        expect(told).not.toContain(secret);
      }
    }
  });

  test('for a session work while the session lasts', async () => {
    await server.stop();
    const expiresAt = new Date(Date.now() + 60_000);
    const session = { accessKeyId: 'session', secretAccessKey: 's', sessionToken: 't' };
    let now = Date.now();
    server = await start({ credentials: [{ ...session, expiresAt }], now: () => now });
    const replica = (await connected()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    now = expiresAt.getTime() + 1;
    const error = await rejectionOf(replica.openFile(FILE));
    expect(error).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
    expect(error.message).toContain('ExpiredToken');
  });

  test('that may not delete lose nothing else', async () => {
    await server.stop();
    const appendOnly = { accessKeyId: 'append', secretAccessKey: 's' };
    server = await start({
      credentials: [{ ...appendOnly, denied: ['DeleteObject', 'DeleteObjects'] }],
    });
    const replica = (await connected()).replica('db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    const error = await rejectionOf(replica.deleteFiles([FILE]));
    expect(error).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED', failures: [{}] });
    expect(await read(replica, FILE)).toHaveLength(9);
  });

  test('are not refused twice for a clock that is wrong', async () => {
    await server.stop();
    server = await start({ now: () => Date.now() + 20 * 60_000 });
    const replica = (await connected()).replica('db');
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1))));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    expect(error.message).toMatch(/clock is (19|20) minutes behind the server's: set it/);
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(server.raw.keys()).toEqual([KEY]);
  });
});

test('a server that asks for patience says how long', async () => {
  const replica = (await connected()).replica('db');
  const headers = { 'retry-after': '3' };
  server.faults.add({ kind: 'error', status: 503, code: 'SlowDown', headers });
  const error = await rejectionOf(replica.openFile(FILE));
  expect(error).toMatchObject({ code: 'REPLICA_RATE_LIMITED', retryAfterMs: 3_000, status: 503 });
});

describe('close', () => {
  test('waits for the parts that an aborted upload leaves', async () => {
    const destination = await connected();
    server.faults.add({ kind: 'hold-request' }, { on: 'UploadPart', times: 9 });
    const writing = rejectionOf(destination.replica('db').writeFile(FILE, bodyOf(LARGE)));
    await server.requests.until((log) => log.of('UploadPart').length > 0);
    await destination.close();
    expect(isError(await writing, 'REPLICA_CLOSED')).toBe(true);
    expect(server.raw.uploads()).toEqual([]);
  });

  test('says what it could not clean up', async () => {
    const warnings: string[] = [];
    const silent = (): void => undefined;
    const warn = (message: string): void => void warnings.push(message);
    const destination = await connected({}, { debug: silent, info: silent, warn, error: silent });
    const down: FaultKind = { kind: 'error', status: 500, code: 'InternalError' };
    server.faults.add(down, { on: 'UploadPart', times: 9 });
    server.faults.add(down, { on: 'AbortMultipartUpload', times: 9 });
    await rejectionOf(destination.replica('db').writeFile(FILE, bodyOf(LARGE)));
    await destination.close();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('its parts could not be removed');
  });
});

describeWith(['versitygw'], 'versitygw, which publishes what a client was cut off at', () => {
  const bytes = pattern(900_000, 1);

  test('publishes no part of what we send', async () => {
    const gateway = await startVersitygw();
    onTestFinished(() => gateway.stop());
    const proxy = await startCuttingProxy(gateway.endpoint);
    onTestFinished(() => proxy.stop());
    for (const more of [{}, { 'sign-payload': false }]) {
      const destination = await connectS3({ ...gateway, endpoint: proxy.endpoint }, more);
      proxy.cutNextAfter(500_000);
      const error = await rejectionOf(destination.replica('db').writeFile(FILE, bodyOf(bytes)));
      expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
      await destination.close();
    }
    // What sends no checksum is published: so the proxy cuts as we think, and what came before it
    // has been dealt with.
    proxy.cutNextAfter(500_000);
    await rejectionOf(
      putWithoutChecksum({ ...gateway, endpoint: proxy.endpoint }, 'control', bytes),
    );
    await until('a truncated object is there', async () => (await rawKeys(gateway, '')).length > 0);
    expect(proxy.cuts).toBe(3);
    expect(await rawKeys(gateway, '')).toEqual(['control']);
  });
});
