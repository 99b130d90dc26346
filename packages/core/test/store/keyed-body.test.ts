import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { KeyedBody, type KeyedBodyOptions } from '../../src/store/http/keyed-body.ts';
import { readBytes } from '../../src/store/read-bytes.ts';

import { SOCKETS_MAX } from '../../src/store/http/sockets.ts';
import { Work, type RequestOptions } from '../../src/store/http/requests.ts';
import { bytesOf } from './fixtures.ts';

const reason = new Error('not wanted');

interface Given {
  readonly work?: Work;
  readonly signal?: AbortSignal | undefined;
  readonly reopen?: KeyedBodyOptions['reopen'];
  readonly sizeBytes?: number;
}

function requestOf(signal?: AbortSignal): RequestOptions {
  return { signals: [signal], whenAborted: 'cut', toError };
}

function toError(thrown: unknown): ReplicationError {
  return new ReplicationError('REPLICA_UNAVAILABLE', `open x: ${String(thrown)}`);
}

async function bodyOver(
  stream: Readable,
  { work = new Work('x://b'), signal, reopen, sizeBytes = 1_000 }: Given = {},
): Promise<AsyncIterable<Uint8Array>> {
  const opened = await work.open(requestOf(signal), async () => ({ stream }));
  const range = { start: 0, end: sizeBytes };
  return new KeyedBody(opened, { work, signal, range, toError, reopen }).bytes();
}

/** So many bytes at a time, for ever. */
function endless(): Readable {
  return new Readable({
    read(): void {
      this.push(bytesOf(100));
    },
  });
}

test('a stream that ends is read whole', async () => {
  const stream = Readable.from([bytesOf(10), bytesOf(5)]);
  const bytes = await readBytes(await bodyOver(stream), 100);
  expect([...bytes]).toEqual([...bytesOf(10), ...bytesOf(5)]);
});

test('what it throws is given a code, also where it broke before it was read', async () => {
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

test('an abort frees the connection at once, begun or not, and is what the reader is told', async () => {
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
])('a stream that %s after an abort is not taken for one that was read', async (_, chunks) => {
  const controller = new AbortController();
  // A vendor's, that takes its time to let go.
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

test('a stream that does not let go by itself is let go at its end', async () => {
  const stream = new Readable({ autoDestroy: false, read: () => undefined }); // as answers of HTTP
  stream.push(bytesOf(10));
  stream.push(null);
  await readBytes(await bodyOver(stream), 100);
  expect(stream.destroyed).toBe(true);
});

test('the end of the destination is the end of its bodies', async () => {
  const work = new Work('x://b');
  const stream = endless();
  const body = await bodyOver(stream, { work });
  await work.close();
  expect(stream.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});

describe('where others wait for a socket', () => {
  const WHOLE = bytesOf(1_000);
  type Reopen = NonNullable<KeyedBodyOptions['reopen']>;

  /** Never whole in memory: a body that was cut has not been read to its end. */
  function chunked({ start, end }: { start: number; end: number }): Readable {
    let offset = start;
    const read = function (this: Readable): void {
      if (offset >= end) return void this.push(null);
      this.push(WHOLE.subarray(offset, Math.min((offset += 100), end)));
    };
    return new Readable({ read, highWaterMark: 1 });
  }

  /** As many as there are sockets, each a chunk read, and how they were opened again. */
  async function halfRead(
    work: Work,
    reopenWith: (open: Reopen) => Reopen | undefined = (open) => open,
  ): Promise<{ readers: readonly AsyncIterator<Uint8Array>[]; reopened: { start: number }[] }> {
    const reopened: { start: number }[] = [];
    const reopen = reopenWith(async (range) => {
      reopened.push(range);
      return await work.open(requestOf(), async () => ({ stream: chunked(range) }));
    });
    const opened = Array.from({ length: SOCKETS_MAX }, async () => {
      const body = await bodyOver(chunked({ start: 0, end: 1_000 }), { work, reopen });
      const reader = body[Symbol.asyncIterator]();
      expect((await reader.next()).value).toHaveLength(100);
      return reader;
    });
    return { readers: await Promise.all(opened), reopened };
  }

  const restOf = async (reader: AsyncIterator<Uint8Array>): Promise<Uint8Array> =>
    await readBytes({ [Symbol.asyncIterator]: () => reader }, 1_000);

  test('a body that nobody reads leaves it to them, and goes on where it was', async () => {
    const work = new Work('x://b');
    const { readers, reopened } = await halfRead(work);
    await expect(work.request(requestOf(), async () => 'served')).resolves.toBe('served');
    expect(reopened).toEqual([]); // not before it is read
    const rest = await Promise.all(readers.map(restOf));
    for (const bytes of rest) expect([...bytes]).toEqual([...WHOLE.subarray(100)]);
    expect(reopened).toEqual([{ start: 100, end: 1_000 }]);
  });

  test('what a body is told when it goes on is what its reader is told', async () => {
    const work = new Work('x://b');
    const changed = new ReplicationError('REPLICA_CHANGED', 'open x: it is another version now');
    const { readers } = await halfRead(work, () => () => Promise.reject(changed));
    await work.request(requestOf(), async () => 'served');
    const ended = await Promise.allSettled(readers.map(restOf));
    expect(ended.filter(({ status }) => status === 'rejected')).toEqual([
      { status: 'rejected', reason: changed },
    ]);
  });

  test('a body that cannot go on keeps its socket until it has been read', async () => {
    const work = new Work('x://b');
    const { readers } = await halfRead(work, () => undefined);
    const signal = AbortSignal.timeout(300);
    const waiting = work.request(requestOf(signal), async () => 'served');
    await expect(waiting).rejects.toThrow(/timeout/);
    const served = work.request(requestOf(), async () => 'served');
    const rest = await Promise.all(readers.map(restOf));
    for (const bytes of rest) expect([...bytes]).toEqual([...WHOLE.subarray(100)]);
    await expect(served).resolves.toBe('served');
  });

  test('a body that has been parked at its very end asks for nothing more', async () => {
    const work = new Work('x://b');
    const stream = chunked({ start: 0, end: 2_000 });
    const reopen: Reopen = () => Promise.reject(new Error('nothing is to be opened'));
    const reader = (await bodyOver(stream, { work, reopen, sizeBytes: 100 }))[
      Symbol.asyncIterator
    ]();
    expect((await reader.next()).value).toHaveLength(100);
    const others = Array.from({ length: SOCKETS_MAX }, () =>
      work.open(requestOf(), async () => ({ stream: endless() })),
    );
    await Promise.all(others);
    expect(stream.destroyed).toBe(true);
    expect(await reader.next()).toMatchObject({ done: true });
  });
});
