/** Objects are opened, read, and reopened if others needed their socket. */

import { Readable } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { ReplicationError } from '../../src/error.ts';
import { readBytes } from '../../src/store/body.ts';
import type { ByteRange } from '../../src/store/client.ts';
import {
  openObject,
  type ObjectOpener,
  type OpenCall,
  type OpenedStream,
} from '../../src/store/http/open-object.ts';
import { Requests, type RequestOptions } from '../../src/store/http/requests.ts';
import { SOCKETS_MAX } from '../../src/store/http/sockets.ts';
import { bytesOf, error } from './fixtures.ts';

const BYTES = bytesOf(1_000);
const MODIFIED_AT = new Date(1_700_000_001_000);
const reason = new Error('not wanted');

interface Place {
  readonly opener: ObjectOpener;
  readonly asked: OpenCall[];
  readonly streams: Readable[];
  readonly requests: Requests;
}

/** A server that supports ranges, but ignores versions. `versionAt` gives the version for each request. */
function placeOf(versionAt: (index: number) => string): Place {
  const requests = new Requests('x://b');
  const asked: OpenCall[] = [];
  const streams: Readable[] = [];
  const open = async (call: OpenCall): Promise<OpenedStream> =>
    await requests.open(requestOf(call.signal), async () => {
      const { start = 0, end = BYTES.byteLength } = call.range ?? {};
      const version = versionAt(asked.push(call) - 1);
      const stream = chunked(BYTES.subarray(start, end));
      streams.push(stream);
      return { sizeBytes: BYTES.byteLength, modifiedAt: MODIFIED_AT, version, stream };
    });
  return { opener: { open, toError }, asked, streams, requests };
}

function requestOf(signal?: AbortSignal): RequestOptions {
  return { signals: [signal], whenAborted: 'cut', toError };
}

function toError(thrown: unknown): ReplicationError {
  return error('REPLICA_UNAVAILABLE', { cause: thrown });
}

async function open({ requests, opener }: Place, given: Partial<OpenCall> = {}) {
  return await openObject(requests, { what: 'open x', signal: undefined, ...given }, opener);
}

interface Given {
  readonly requests?: Requests;
  readonly signal?: AbortSignal | undefined;
  readonly reopen?:
    | ((range: ByteRange) => Promise<Pick<OpenedStream, 'stream' | 'hold'>>)
    | undefined;
  readonly sizeBytes?: number;
}

/** The body of a stream, reopened with `reopen` if given. */
async function bodyOver(
  stream: Readable,
  { requests = new Requests('x://b'), signal, reopen, sizeBytes = 1_000 }: Given = {},
): Promise<AsyncIterable<Uint8Array>> {
  const info = { sizeBytes, modifiedAt: MODIFIED_AT, version: reopen === undefined ? '' : 'v1' };
  let isOpened = false;
  const { body } = await openObject(
    requests,
    { what: 'open x', signal },
    {
      async open({ range = { start: 0 } }) {
        if (isOpened && reopen !== undefined) return { ...info, ...(await reopen(range)) };
        isOpened = true;
        return { ...info, ...(await requests.open(requestOf(signal), async () => ({ stream }))) };
      },
      toError,
    },
  );
  return body;
}

/** 100 bytes at a time, each produced on demand. */
function chunked(bytes: Uint8Array): Readable {
  let offset = 0;
  const read = function (this: Readable): void {
    const chunk = bytes.subarray(offset, (offset += 100));
    this.push(chunk.byteLength === 0 ? null : chunk);
  };
  return new Readable({ read, highWaterMark: 1 });
}

/** Takes all the other sockets and requests one more, which is granted when a stream has been parked. */
async function needOneMore({ requests }: Place, signal?: AbortSignal): Promise<void> {
  const hanging = (): Readable => new Readable({ read: () => undefined });
  for (let index = 1; index < SOCKETS_MAX; index += 1) {
    await requests.open(requestOf(), async () => ({ stream: hanging() }));
  }
  await requests.request(requestOf(signal), async () => undefined);
}

test('a parked body resumes with the rest of its range and the same version', async () => {
  const place = placeOf(() => 'v1');
  const { body } = await open(place, { range: { start: 50, end: 850 } });
  const reader = body[Symbol.asyncIterator]();
  const first = (await reader.next()).value as Uint8Array;
  await needOneMore(place);
  expect(place.streams[0]?.destroyed).toBe(true);
  const rest = await readBytes({ [Symbol.asyncIterator]: () => reader }, 1_000);
  expect([...first, ...rest]).toEqual([...BYTES.subarray(50, 850)]);
  expect(place.asked).toMatchObject([
    { range: { start: 50, end: 850 } },
    { version: 'v1', range: { start: 150, end: 850 } },
  ]);
});

test('a parked body whose object was replaced fails, and frees its socket', async () => {
  const place = placeOf((index) => `v${index}`);
  const { body } = await open(place);
  await needOneMore(place);
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_CHANGED' });
  expect(place.streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  // The socket of the other version is free again.
  await expect(place.requests.request(requestOf(), async () => 'served')).resolves.toBe('served');
});

test('a body without a version keeps its socket', async () => {
  const place = placeOf(() => '');
  const { body } = await open(place);
  const waiting = needOneMore(place, AbortSignal.timeout(300));
  await expect(waiting).rejects.toThrow(/timeout/);
  expect([...(await readBytes(body, 1_000))]).toEqual([...BYTES]);
  expect(place.asked).toHaveLength(1);
});

test('a response with another version is detected and dropped', async () => {
  const place = placeOf(() => 'v2');
  await expect(open(place, { version: 'v1' })).rejects.toMatchObject({ code: 'REPLICA_CHANGED' });
  expect(place.streams[0]?.destroyed).toBe(true);
  const { version } = await open(place, { version: 'v2' });
  expect(version).toBe('v2');
});

test('a body with a pending read is not parked', async () => {
  const place = placeOf(() => 'v1');
  const silent = new Readable({ read: () => undefined });
  const { hold } = await place.requests.open(requestOf(), async () => ({ stream: silent }));
  const opened = { sizeBytes: 9, modifiedAt: MODIFIED_AT, version: 'v1', stream: silent, hold };
  const opener = { ...place.opener, open: async () => opened };
  const { body } = await open({ ...place, opener });
  const next = body[Symbol.asyncIterator]().next();
  await expect(needOneMore(place, AbortSignal.timeout(300))).rejects.toThrow(/timeout/);
  silent.push(bytesOf(9));
  expect((await next).value).toHaveLength(9);
});

test('an abort before the first read frees the socket', async () => {
  const place = placeOf(() => 'v1');
  const controller = new AbortController();
  const opener: ObjectOpener = {
    ...place.opener,
    async open(call) {
      const opened = await place.opener.open(call);
      controller.abort(reason);
      return opened;
    },
  };
  const { body } = await open({ ...place, opener }, { signal: controller.signal });
  expect(place.streams[0]?.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toBe(reason);
});

/** An endless stream. */
function endless(): Readable {
  return new Readable({
    read(): void {
      this.push(bytesOf(100));
    },
  });
}

test('a stream is read to its end', async () => {
  const stream = Readable.from([bytesOf(10), bytesOf(5)]);
  const bytes = await readBytes(await bodyOver(stream), 100);
  expect([...bytes]).toEqual([...bytesOf(10), ...bytesOf(5)]);
});

test('its errors get a code, even if it failed before the first read', async () => {
  const stream = endless();
  const body = await bodyOver(stream);
  stream.destroy(new Error('reset'));
  await new Promise((resolve) => stream.once('close', resolve));
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});

test('leaving early frees the connection', async () => {
  const stream = endless();
  for await (const _ of await bodyOver(stream)) break;
  expect(stream.destroyed).toBe(true);
});

test('an abort frees the connection at once, and rejects the read', async () => {
  const controller = new AbortController();
  const stream = endless();
  const body = await bodyOver(stream, { signal: controller.signal });
  controller.abort(reason);
  expect(stream.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toBe(reason);
});

test.each([
  ['gives more', [bytesOf(10), bytesOf(5)]],
  ['ends', [bytesOf(10)]],
])('a stream that %s after an abort does not count as read', async (_, chunks) => {
  const controller = new AbortController();
  // A vendor's stream that closes slowly.
  const stream = new Readable({ autoDestroy: false, objectMode: true, read: () => undefined });
  stream.destroy = () => stream;
  for (const chunk of [...chunks, null]) stream.push(chunk);
  let read = 0;
  const reading = async (): Promise<void> => {
    for await (const _ of await bodyOver(stream, { signal: controller.signal })) {
      read += 1;
      controller.abort(reason);
    }
  };
  await expect(reading()).rejects.toBe(reason);
  expect(read).toBe(1);
});

test('a stream that does not close itself is closed at its end', async () => {
  const stream = new Readable({ autoDestroy: false, read: () => undefined }); // like HTTP responses
  stream.push(bytesOf(10));
  stream.push(null);
  await readBytes(await bodyOver(stream), 100);
  expect(stream.destroyed).toBe(true);
});

test('closing the destination ends its bodies', async () => {
  const requests = new Requests('x://b');
  const stream = endless();
  const body = await bodyOver(stream, { requests });
  await requests.close();
  expect(stream.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});

describe('if others wait for a socket', () => {
  const WHOLE = bytesOf(1_000);
  type Reopen = NonNullable<Given['reopen']>;

  /** Larger than any buffer, so that a dropped body has not been read to its end. */
  function part({ start, end = WHOLE.byteLength }: ByteRange): Readable {
    let offset = start;
    const read = function (this: Readable): void {
      if (offset >= end) return void this.push(null);
      this.push(WHOLE.subarray(offset, Math.min((offset += 100), end)));
    };
    return new Readable({ read, highWaterMark: 1 });
  }

  /** One body per socket, each with one chunk read; and the requests that reopened them. */
  async function halfRead(
    requests: Requests,
    reopenWith: (open: Reopen) => Reopen | undefined = (open) => open,
  ): Promise<{ readers: readonly AsyncIterator<Uint8Array>[]; reopened: { start: number }[] }> {
    const reopened: { start: number }[] = [];
    const reopen = reopenWith(async (range) => {
      reopened.push(range);
      return await requests.open(requestOf(), async () => ({ stream: part(range) }));
    });
    const opened = Array.from({ length: SOCKETS_MAX }, async () => {
      const body = await bodyOver(part({ start: 0, end: 1_000 }), { requests, reopen });
      const reader = body[Symbol.asyncIterator]();
      expect((await reader.next()).value).toHaveLength(100);
      return reader;
    });
    return { readers: await Promise.all(opened), reopened };
  }

  const restOf = async (reader: AsyncIterator<Uint8Array>): Promise<Uint8Array> =>
    await readBytes({ [Symbol.asyncIterator]: () => reader }, 1_000);

  test('a body that nobody reads gives up its socket, and resumes at the same offset', async () => {
    const requests = new Requests('x://b');
    const { readers, reopened } = await halfRead(requests);
    await expect(requests.request(requestOf(), async () => 'served')).resolves.toBe('served');
    expect(reopened).toEqual([]); // only when it is read
    const rest = await Promise.all(readers.map(restOf));
    for (const bytes of rest) expect([...bytes]).toEqual([...WHOLE.subarray(100)]);
    expect(reopened).toEqual([{ start: 100, end: 1_000 }]);
  });

  test('an error of the resumed request is thrown by the read', async () => {
    const requests = new Requests('x://b');
    const changed = new ReplicationError('REPLICA_CHANGED', 'open x: the object was replaced');
    const { readers } = await halfRead(requests, () => () => Promise.reject(changed));
    await requests.request(requestOf(), async () => 'served');
    const ended = await Promise.allSettled(readers.map(restOf));
    expect(ended.filter(({ status }) => status === 'rejected')).toEqual([
      { status: 'rejected', reason: changed },
    ]);
  });

  test('a body that cannot be resumed keeps its socket until it has been read', async () => {
    const requests = new Requests('x://b');
    const { readers } = await halfRead(requests, () => undefined);
    const signal = AbortSignal.timeout(300);
    const waiting = requests.request(requestOf(signal), async () => 'served');
    await expect(waiting).rejects.toThrow(/timeout/);
    const served = requests.request(requestOf(), async () => 'served');
    const rest = await Promise.all(readers.map(restOf));
    for (const bytes of rest) expect([...bytes]).toEqual([...WHOLE.subarray(100)]);
    await expect(served).resolves.toBe('served');
  });

  test('a body that was parked at its end sends no more requests', async () => {
    const requests = new Requests('x://b');
    const stream = part({ start: 0, end: 2_000 });
    const reopen: Reopen = () => Promise.reject(new Error('nothing is to be opened'));
    const reader = (await bodyOver(stream, { requests, reopen, sizeBytes: 100 }))[
      Symbol.asyncIterator
    ]();
    expect((await reader.next()).value).toHaveLength(100);
    const others = Array.from({ length: SOCKETS_MAX }, () =>
      requests.open(requestOf(), async () => ({ stream: endless() })),
    );
    await Promise.all(others);
    expect(stream.destroyed).toBe(true);
    expect(await reader.next()).toMatchObject({ done: true });
  });
});
